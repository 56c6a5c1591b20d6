"""Pairs of a recording for aligning or calibrating its cameras."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from rosbags.highlevel import AnyReader, AnyReaderError

from dig2dig_ros.alignment.frames import Scene, TimedPair, stillest
from dig2dig_ros.bag.fuse import Rig, camera_connections, key_ns, read_message
from dig2dig_ros.bag.storage import open_bag
from dig2dig_ros.camera.encodings import read_pixels
from dig2dig_ros.camera.pairing import NearestPairer
from dig2dig_ros.camera.stamps import SECOND_NS
from dig2dig_ros.errors import InputError

# Of a stretch about so many pairs are looked at, from its beginning: reading pixels takes time.
_LOOK = 30


def bag_scenes(source: Path, rig: Rig, count: int) -> list[Scene]:
    """Read up to `count` pairs, spread over a recording; of each stretch the one most at rest.

    :param rig: topics and pairing as of `fuse_bag`.
    :returns: scenes named by the time since the start; pixels at their own bit depth.
    :raises InputError: where a topic is missing or nothing pairs.
    """
    with open_bag(source) as reader:
        cameras = camera_connections(reader, rig.topics)
        pairer = rig.pairer()
        slot_ns = (reader.duration + 1) / count
        recorded = max(each.msgcount for each in reader.connections if each.id in cameras)
        look_ns = slot_ns * min(1.0, _LOOK * count / max(recorded, 1))
        problems: list[str] = []
        pairs = _pairs(reader, cameras, pairer, problems,
                       lambda since_ns: since_ns % slot_ns <= look_ns)
        found = [(f'{(pair.time_ns - reader.start_time) / SECOND_NS:.2f} s', pair.images)
                 for pair in stillest(pairs, slot_ns, reader.start_time)]
    if not found:
        raise InputError(f'{source}: {_why_none(pairer, problems)}')
    return found[:count]


def _pairs(reader: AnyReader, cameras: dict[int, str], pairer: NearestPairer,
           problems: list[str], looked_at: Callable[[int], bool]) -> Iterator[TimedPair]:
    """Pair the messages, and read the pixels of some.

    :param looked_at: tells of which, by the nanoseconds since the start.
    """
    for pair in _paired(reader, cameras, pairer, problems):
        if not looked_at(pair.visible[1] - reader.start_time):
            continue
        try:
            images = tuple(read_pixels(message) for message, _ in pair[:2])
        except InputError as error:
            problems.append(str(error))
            continue
        yield TimedPair(pair.visible[1], images)


def _paired(reader: AnyReader, cameras: dict[int, str], pairer: NearestPairer,
            problems: list[str]) -> Iterator[Any]:
    for source, timestamp_ns, data in reader.messages(
            [each for each in reader.connections if each.id in cameras]):
        try:
            message = read_message(reader, source, data)
        except AnyReaderError as error:
            problems.append(f'{source.topic}: {error}')
            continue
        yield from pairer.add(cameras[source.id], key_ns(message, timestamp_ns),
                              (message, timestamp_ns), timestamp_ns)
    yield from pairer.drain()


def _why_none(pairer: NearestPairer, problems: list[str]) -> str:
    if problems:
        return f'no pair of images can be read; the last error: {problems[-1]}'
    if pairer.last_miss_ns is not None:
        return (f'no images pair; the last one was {abs(pairer.last_miss_ns) * 1e-6:.1f} ms from '
                'the other camera: --slop is the largest difference, --offset shifts infrared')
    return 'no images pair; one of the cameras sent none'
