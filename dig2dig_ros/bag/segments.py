"""A recording fused in segments of time, by several processes, to the same messages.

A segment's file holds the messages recorded in its time, copied, and the fused ones that bear such
a time; together they are one recording, split as `ros2 bag record` splits.
"""

import contextlib
import os
import shutil
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from ruamel.yaml import YAML

from dig2dig_ros.bag.fuse import (
    BagFusion,
    Fuse,
    FusionReport,
    Recorded,
    Rig,
    camera_connections,
    read_message,
)
from dig2dig_ros.bag.plan import PlannedPair, Segment
from dig2dig_ros.bag.storage import create_bag, open_bag, storage_of
from dig2dig_ros.camera.pairing import Pair
from dig2dig_ros.errors import InputError


def fuse_segment(
        source: Path, target: Path, segment: Segment, rig: Rig, fuse: Fuse,
        on_jump: Callable[[], None] = lambda: None, with_weights: bool = True) -> FusionReport:
    """Write a recording of one segment; arguments and errors as `fuse_bag`."""
    with open_bag(source) as reader:
        cameras = camera_connections(reader, rig.topics)
        rig.look_at(reader)
        with create_bag(target, storage_of(source)) as writer:
            fusion = _SegmentFusion(reader, writer, cameras, rig, fuse, with_weights)
            fusion.run_segment(segment, on_jump)
            return fusion.report


class _SegmentFusion(BagFusion):
    """One run of `fuse_segment`."""

    def run_segment(self, segment: Segment, on_jump: Callable[[], None]) -> None:
        preparation = self._rig.preparation
        preparation.reset()
        if segment.memory is not None:
            preparation.recall(segment.memory)
        for pair, planned, warm_up in self._planned(segment):
            if planned.restart:
                preparation.reset()
                on_jump()
            if warm_up:
                self._warm_up(pair)
            else:
                self._fuse_pair(pair)
        if segment.memory is None and preparation.remembers:
            raise InputError('images deeper than 8 bits follow 8-bit ones in this recording; '
                             'give --segment 0')

    def _warm_up(self, pair: Pair) -> None:
        with contextlib.suppress(InputError):
            sources = self._rig.preparation.prepare(pair.infrared.message, pair.visible.message)
            self._fuse([sources.infrared, sources.visible], [sources.valid, None])

    def _planned(self, segment: Segment) -> Iterator[tuple[Pair, PlannedPair, bool]]:
        """Copy the segment's messages, and give each pair when a serial run has it."""
        copies = self._declare_copies()
        to_do = deque([*((pair, True) for pair in segment.warm_up),
                       *((pair, False) for pair in segment.pairs)])
        wanted = {number for pair, _ in to_do for number in (pair.infrared, pair.visible)}
        held: dict[int, Recorded] = {}
        number = segment.first - 1
        messages = self._reader.messages(start=segment.read_from_ns, stop=segment.stop_ns)
        for number, (source, timestamp_ns, data) in enumerate(messages, segment.first):
            inside = segment.start_ns is None or timestamp_ns >= segment.start_ns
            if inside and copies[source.id] is not None:
                self._writer.write(copies[source.id], timestamp_ns, data)
            if number in wanted:
                held[number] = Recorded(read_message(self._reader, source, data), timestamp_ns)
            while to_do and to_do[0][0].after <= number:
                yield self._next(to_do, held)
        while to_do:
            yield self._next(to_do, held)

    @staticmethod
    def _next(to_do: deque, held: dict[int, Recorded]) -> tuple[Pair, PlannedPair, bool]:
        planned, warm_up = to_do.popleft()
        return (Pair(held.pop(planned.infrared), held.pop(planned.visible), 0), planned, warm_up)


def join_segments(parts: Sequence[Path], target: Path) -> None:
    """Put recordings of segments together to one that is split into their files.

    It appears whole or not at all; the parts stay.
    """
    yaml = YAML(typ='safe')
    yaml.default_flow_style = False
    infos = [yaml.load(part / 'metadata.yaml')['rosbag2_bagfile_information'] for part in parts]
    whole = dict(infos[0])
    filled = [(part, info) for part, info in zip(parts, infos, strict=True)
              if info['message_count']]
    draft = target.with_name(f'.{target.name}.joined')
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir()
    files = []
    for number, (part, info) in enumerate(filled):
        old = info['files'][0]
        name = f'{target.name}_{number}{Path(old["path"]).suffix}'
        _link(part / old['path'], draft / name)
        files.append(old | {'path': name})
    start_ns = min(info['starting_time']['nanoseconds_since_epoch'] for _, info in filled)
    end_ns = max(info['starting_time']['nanoseconds_since_epoch']
                 + info['duration']['nanoseconds'] for _, info in filled)
    topics = [topic | {'message_count': sum(
        info['topics_with_message_count'][index]['message_count'] for info in infos)}
        for index, topic in enumerate(whole['topics_with_message_count'])]
    whole |= {
        'relative_file_paths': [file['path'] for file in files], 'files': files,
        'message_count': sum(info['message_count'] for info in infos),
        'starting_time': {'nanoseconds_since_epoch': start_ns},
        'duration': {'nanoseconds': end_ns - start_ns}, 'topics_with_message_count': topics}
    with (draft / 'metadata.yaml').open('w') as file:
        yaml.dump({'rosbag2_bagfile_information': whole}, file)
    os.rename(draft, target)


def _link(source: Path, target: Path) -> None:
    """One more name for a file; a copy where the file system knows no links."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
