"""How a recording is cut into segments of time, for several processes.

The plan reads all of it once: which images make a pair depends on all before, and so does the gain
of a raw camera, which each segment is given as it was.
"""

import contextlib
import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from rosbags.highlevel import AnyReader, AnyReaderError

from dig2dig_ros.bag.fuse import (
    FusionReport,
    Rig,
    camera_connections,
    key_ns,
    read_message,
    require_free,
)
from dig2dig_ros.bag.storage import open_bag
from dig2dig_ros.camera.pairing import Pair
from dig2dig_ros.errors import InputError


class PlannedPair(NamedTuple):
    """A pair by the numbers that its messages have in the recording.

    Attributes:
        after: number of the message after which a serial run fuses it.
        restart: the stamps have jumped back before it.
    """

    infrared: int
    visible: int
    after: int
    restart: bool


@dataclasses.dataclass(frozen=True)
class Segment:
    """What one process does of a recording.

    Attributes:
        start_ns: recorded time of its first message; None: from the beginning.
        stop_ns: of the first message after it; None: to the end.
        read_from_ns: recorded time from which its pairs need messages; None as above.
        first: number of the first message at that time or later.
        memory: of the preparation before the first pair, see `Preparation.memory`; None where it
            remembers nothing.
        warm_up: pairs before the segment, which a stream fuses to get into its state.
        pairs: to fuse and write.
    """

    start_ns: int | None
    stop_ns: int | None
    read_from_ns: int | None
    first: int
    memory: Mapping[str, Any] | None
    warm_up: Sequence[PlannedPair]
    pairs: Sequence[PlannedPair]


@dataclasses.dataclass(frozen=True)
class Plan:
    """All segments of a recording, and what is known of it before anything is fused."""

    segments: Sequence[Segment]
    report: FusionReport


class _Seen(NamedTuple):
    """An image of the plan: its number, recorded time, and number of the first of that time."""

    number: int
    timestamp_ns: int
    first: int
    message: Any


class _Row(NamedTuple):
    pair: PlannedPair
    infrared: _Seen
    visible: _Seen
    memory: Mapping[str, Any] | None

    @property
    def timestamp_ns(self) -> int:
        return max(self.infrared.timestamp_ns, self.visible.timestamp_ns)


def plan_bag(source: Path, rig: Rig, segment_ns: int, warm_up: int = 0) -> Plan | None:
    """Cut a recording.

    :param segment_ns: length of a segment.
    :param warm_up: how many pairs before a segment go into its `warm_up`; none from before a
        jump back in time.
    :returns: None where it cannot or need not be cut: it is short, or not in order of time.
    :raises InputError: as `fuse_bag`.
    """
    with open_bag(source) as reader:
        cameras = camera_connections(reader, rig.topics)
        require_free(reader, source)
        if reader.duration <= 1.5 * segment_ns:
            return None
        rig.look_at(reader)
        planner = _Planner(reader, cameras, rig)
        if not planner.read(reader.start_time, segment_ns):
            return None
        return Plan(planner.segments(warm_up), planner.report)


class _Planner:
    """One pass over a recording."""

    def __init__(self, reader: AnyReader, cameras: dict[int, str], rig: Rig):
        self._reader, self._cameras, self._preparation = reader, cameras, rig.preparation
        self._pairer = rig.pairer()
        self._raw: bool | None = None
        self._rows: list[_Row] = []
        # Start time of each segment but the first, and the number of its first message.
        self._borders: list[tuple[int, int]] = []
        self.report = FusionReport()

    def read(self, start_ns: int, segment_ns: int) -> bool:
        """Pair and follow all; False where the messages are not in order of time."""
        last_ns, first, number, resets = start_ns, 0, 0, 0
        for number, (source, timestamp_ns, data) in enumerate(self._reader.messages()):
            if timestamp_ns < last_ns:
                return False
            if timestamp_ns > last_ns:
                last_ns, first = timestamp_ns, number
            while timestamp_ns >= start_ns + (len(self._borders) + 1) * segment_ns:
                self._borders.append((start_ns + (len(self._borders) + 1) * segment_ns, number))
            if source.id in self._cameras:
                pairs = self._add(source, _Seen(number, timestamp_ns, first, None), data)
                resets = self._note(pairs, number, resets)
        self._note(self._pairer.drain(), number, resets)
        self.report.dropped = self._pairer.dropped
        self.report.last_miss_ns = self._pairer.last_miss_ns
        return True

    def _add(self, source: Any, seen: _Seen, data: bytes) -> list[Pair]:
        try:
            message = read_message(self._reader, source, data)
        except AnyReaderError as error:
            self.report.failed.append(f'{source.topic} at {seen.timestamp_ns} ns: {error}')
            return []
        return self._pairer.add(
            self._cameras[source.id], key_ns(message, seen.timestamp_ns),
            seen._replace(message=message), seen.timestamp_ns)

    def _note(self, pairs: list[Pair], number: int, resets: int) -> int:
        for pair in pairs:
            restart = self._pairer.resets > resets
            resets = self._pairer.resets
            if restart:
                self._preparation.reset()
            memory = self._preparation.memory
            self._follow(pair)
            planned = PlannedPair(pair.infrared.number, pair.visible.number, number, restart)
            self._rows.append(_Row(planned, *(seen._replace(message=None) for seen in pair[:2]),
                                   None if self._raw is False else memory))
        return resets

    def _follow(self, pair: Pair) -> None:
        """Let the gain control see a pair, unless the first one has shown that it is idle."""
        if self._raw is False:
            return
        with contextlib.suppress(InputError):
            self._preparation.prepare(pair.infrared.message, pair.visible.message)
            self._raw = self._preparation.remembers

    def segments(self, warm_up: int) -> list[Segment]:
        """Cut what was read."""
        starts = [(None, 0), *self._borders]
        stops = [*(start_ns for start_ns, _ in self._borders), None]
        made, taken = [], 0
        for (start_ns, first), stop_ns in zip(starts, stops, strict=True):
            begin = taken
            while taken < len(self._rows) and (
                    stop_ns is None or self._rows[taken].timestamp_ns < stop_ns):
                taken += 1
            warm = self._warm_up(begin, warm_up)
            made.append(self._segment(start_ns, stop_ns, first, warm, begin, taken))
        return made

    def _warm_up(self, begin: int, count: int) -> int:
        """Index of the first row to warm up with."""
        index = begin
        while index > max(0, begin - count) and not (
                index < len(self._rows) and self._rows[index].pair.restart):
            index -= 1
        return index

    def _segment(self, start_ns: int | None, stop_ns: int | None, first: int, warm: int,
                 begin: int, end: int) -> Segment:
        read_from_ns = start_ns
        rows = self._rows[warm:end]
        if start_ns is not None:
            for seen in (seen for row in rows for seen in (row.infrared, row.visible)):
                if seen.timestamp_ns < read_from_ns:
                    read_from_ns, first = seen.timestamp_ns, seen.first
        pairs = [row.pair for row in rows]
        return Segment(start_ns, stop_ns, read_from_ns, first, rows[0].memory if rows else None,
                       pairs[:begin - warm], pairs[begin - warm:])
