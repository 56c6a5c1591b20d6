"""Images of `dig2dig evaluate`, measured by workers."""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from dig2dig_ros.errors import InputError
from dig2dig_ros.evaluation.evaluate import Matched, Measured, measure_stem
from dig2dig_ros.evaluation.perceptual import load_lpips
from dig2dig_ros.evaluation.video import flicker_scores
from dig2dig_ros.fleet.job import Outcome
from dig2dig_ros.fleet.options import RayOptions
from dig2dig_ros.fleet.run import Task, finish_all
from dig2dig_ros.locations import signatures

# A chunk of a video measures one frame more than its own.
VIDEO_FRAMES = 64


class Chunk(NamedTuple):
    """Images to measure in their order.

    Attributes:
        before: the images before them, the nearest last: flicker begins with the last of them
            that can be measured.
    """

    images: Sequence[Matched]
    before: Sequence[Matched] = ()


@dataclasses.dataclass(frozen=True)
class MeasureJob:
    """Measures on a worker; an item is a `Chunk`, its value JSON: (stem, scores or None, error).

    Attributes:
        source_count: K; the files of the sources come before those of the methods.
        methods: names of those that fused.
        video: measure flicker, too.
    """

    source_count: int
    methods: Sequence[str]
    video: bool

    def open(self) -> Callable[[Chunk], list]:
        """Load LPIPS, where it is installed."""
        lpips, _ = load_lpips()

        def work(chunk: Chunk) -> list:
            extras = [*([lpips] if lpips else []), *([flicker_scores()] if self.video else [])]
            for matched in reversed(chunk.before):
                if self._measure(matched, extras)[1] is not None:
                    break
            return [self._measure(matched, extras) for matched in chunk.images]

        return work

    def _measure(self, matched: Matched, extras: list) -> tuple[str, Any, str | None]:
        stem, paths = matched
        try:
            return stem, measure_stem(paths, self.source_count, self.methods, extras), None
        except InputError as error:
            return stem, None, str(error)


def measure_on(options: RayOptions, job: MeasureJob,
               folder: Path | None) -> Callable[[Sequence[Matched]], Iterator[Measured]]:
    """What `evaluate` takes as `measured`, done by workers.

    :param folder: where the journal lies; None for none.
    """
    def measured(matched: Sequence[Matched]) -> Iterator[Measured]:
        there = {place: signatures(place)
                 for place in {path.parent for _, paths in matched for path in paths}}
        tasks = [Task(chunk.images[0][0], chunk,
                      [[str(path), there[path.parent].get(path.name)]
                       for _, paths in (*chunk.before[-1:], *chunk.images) for path in paths])
                 for chunk in _chunks(matched, job.video)]
        way = {**dataclasses.asdict(job), 'lpips': load_lpips()[0] is not None}
        outcomes = finish_all(job, tasks, options, 'cpu', folder, 'evaluate', way,
                              unit='chunk' if job.video else 'image')
        for task in tasks:
            yield from _rows(task.content, outcomes[task.key])

    return measured


def _chunks(matched: Sequence[Matched], video: bool) -> list[Chunk]:
    if not video:
        return [Chunk([one]) for one in matched]
    starts = range(0, len(matched), VIDEO_FRAMES)
    # Few frames cannot be measured, so a handful of those before will have one that can.
    return [Chunk(matched[start:start + VIDEO_FRAMES], matched[max(0, start - 16):start])
            for start in starts]


def _rows(chunk: Chunk, outcome: Outcome) -> Iterator[Measured]:
    if outcome.error is not None:
        yield from ((stem, None, outcome.error) for stem, _ in chunk.images)
    else:
        yield from (tuple(row) for row in outcome.value)
