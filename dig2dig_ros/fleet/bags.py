"""Recordings of `dig2dig fuse-bag`: many at once, and long local ones cut into segments of time.

A finished bag holds a mark that says what it was made from and how. A bag that is being made lies
beside its place: whole ones in a draft that nobody goes on with, segments in a folder whose
finished ones the next run keeps.
"""

import contextlib
import dataclasses
import json
import os
import shutil
import tempfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from dig2dig_ros.bag.fuse import FusionReport, Rig, fuse_bag
from dig2dig_ros.bag.plan import Plan, Segment, plan_bag
from dig2dig_ros.bag.segments import fuse_segment, join_segments
from dig2dig_ros.errors import InputError
from dig2dig_ros.fleet.engines import EngineChoice
from dig2dig_ros.locations import is_remote, signatures

MARK = 'dig2dig.json'
# A stream that starts cold is, after two of its longest holds, as one that ran before.
STREAM_WARM_UP = 30


class Step(NamedTuple):
    """What a worker does of one bag: a plan (or all of a short one), a segment, or the joining.

    Attributes:
        way: JSON of `BagJob.way`, with the source's signature.
        segment: to fuse, with its number; None otherwise.
        parts: folders of all segments to join; none otherwise.
        report: of the bag that is joined.
    """

    source: Path
    target: Path
    way: str
    segment: tuple[int, Segment] | None = None
    parts: tuple[Path, ...] = ()
    report: FusionReport | None = None


@dataclasses.dataclass(frozen=True)
class BagJob:
    """Fuses bags on a worker; an item is a `Step`.

    Attributes:
        segment_s: length of a segment; 0 cuts nothing.
        stream: as `fuse-bag --stream`.
    """

    choice: EngineChoice
    rig: Rig
    with_weights: bool
    stream: bool
    segment_s: float

    def way(self) -> dict[str, Any]:
        """What the bags depend on beside their source.

        :raises InputError: for a checkpoint that does not load.
        """
        rig = self.rig
        return {**self.choice.identity(), 'topics': rig.topics, 'slop': rig.slop_ns,
                'offset': rig.offset_ns, 'camera': str(rig.preparation.settings),
                'weights': self.with_weights, 'stream': self.stream, 'segment': self.segment_s}

    def open(self) -> Callable[[Step], Any]:
        """Load the engine."""
        from dig2dig_ros.engine import FusionStream
        engine = self.choice.load()
        stream = FusionStream(engine)
        fuse = stream.fuse if self.stream else engine.fuse

        def work(step: Step) -> Any:
            stream.reset()
            self.rig.preparation.reset()
            if step.parts:
                return _join(step)
            if step.segment:
                return self._segment(step, fuse, stream.reset)
            return self._plan_or_all(step, fuse, stream.reset)

        return work

    def _plan_or_all(self, step: Step, fuse: Any, on_jump: Callable[[], None],
                     ) -> Plan | FusionReport:
        remote = is_remote(step.source) or is_remote(step.target)
        if self.segment_s and not remote:
            plan = plan_bag(step.source, self.rig, round(self.segment_s * 1e9),
                            STREAM_WARM_UP if self.stream else 0)
            if plan:
                return plan
            self.rig.preparation.reset()
        with _local(step.source) as source, _drafted(step.target) as draft:
            report = fuse_bag(source, draft, self.rig, fuse, on_jump, self.with_weights)
            _mark(draft, step.way, report)
        return report

    def _segment(self, step: Step, fuse: Any, on_jump: Callable[[], None]) -> FusionReport:
        number, segment = step.segment
        part = part_of(step, number)
        part.parent.mkdir(parents=True, exist_ok=True)
        with _drafted(part) as draft:
            report = fuse_segment(step.source, draft, segment, self.rig, fuse, on_jump,
                                  self.with_weights)
            _mark(draft, step.way, report)
        return report


def parts_of(step: Step) -> Path:
    """Folder of a bag's segments, until they are joined; of its own for each way."""
    return step.target.with_name(f'.{step.target.name}.{zlib.crc32(step.way.encode()):08x}.parts')


def part_of(step: Step, number: int) -> Path:
    """Where a segment goes."""
    return parts_of(step) / f'{number:05}'


def marked(bag: Path, way: str) -> FusionReport | None:
    """What became of a bag that was made in this way; None where it was not, or is not there."""
    try:
        content = json.loads((bag / MARK).read_text())
    except (OSError, ValueError):
        return None
    if content['way'] != json.loads(way):
        return None
    report = FusionReport(**content['report'])
    report.dropped = Counter(report.dropped)
    return report


def signature(source: Path) -> Any:
    """What tells that a recording has changed."""
    if source.is_dir():
        return signatures(source)
    return {source.name: signatures(source.parent).get(source.name)}


def merged(reports: list[FusionReport]) -> FusionReport:
    """One report of the plan's and the segments'."""
    whole = dataclasses.replace(reports[0], failed=[
        line for report in reports for line in report.failed])
    whole.fused = sum(report.fused for report in reports)
    whole.not_copied = reports[-1].not_copied
    return whole


def _mark(bag: Path, way: str, report: FusionReport) -> None:
    (bag / MARK).write_text(json.dumps(
        {'way': json.loads(way), 'report': dataclasses.asdict(report)}, indent=1) + '\n')


def _join(step: Step) -> FusionReport:
    with _drafted(step.target) as draft:
        join_segments(step.parts, draft)
        _mark(draft, step.way, step.report)
    shutil.rmtree(parts_of(step), ignore_errors=True)
    return step.report


@contextlib.contextmanager
def _local(source: Path) -> Iterator[Path]:
    """The recording, or a copy of a remote one."""
    if not is_remote(source):
        yield source
        return
    with tempfile.TemporaryDirectory(prefix='dig2dig-bag-') as folder:
        copy = Path(folder) / source.name
        try:
            source.fs.get(source.path, str(copy), recursive=True)
        except FileNotFoundError:
            raise InputError(f'{source}: no such file or folder') from None
        yield copy


def require_new(target: Path) -> None:
    """Keep what is there.

    :raises InputError: where something is there.
    """
    if target.exists():
        raise InputError(f'{target} exists and was made from something else or otherwise; give a '
                         'new folder for the bag')


@contextlib.contextmanager
def _drafted(target: Path) -> Iterator[Path]:
    """A place for a bag, which is moved to its own when it is whole.

    :raises InputError: where something is there.
    """
    require_new(target)
    if is_remote(target):
        with tempfile.TemporaryDirectory(prefix='dig2dig-bag-') as folder:
            draft = Path(folder) / target.name
            yield draft
            files = sorted(draft.iterdir(), key=lambda file: file.name == MARK)
            for file in files:  # the mark last: what has it is whole
                target.fs.put(str(file), f'{target.path}/{file.name}')
        return
    for left in target.parent.glob(f'.{target.name}.*.draft'):
        shutil.rmtree(left, ignore_errors=True)  # of a worker that was killed
    folder = target.with_name(f'.{target.name}.{os.getpid()}.draft')
    folder.mkdir(parents=True)
    try:
        # Named as the bag: rosbag2's files are.
        yield folder / target.name
        os.rename(folder / target.name, target)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
