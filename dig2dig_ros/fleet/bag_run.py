"""Runs the bags of `dig2dig fuse-bag --ray`: which of them are done, and what follows what."""

import dataclasses
import json
import shutil
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from tqdm import tqdm

from dig2dig_ros.bag.fuse import FusionReport
from dig2dig_ros.bag.plan import Plan
from dig2dig_ros.errors import InputError
from dig2dig_ros.fleet.bags import (
    BagJob,
    Step,
    marked,
    merged,
    part_of,
    parts_of,
    require_new,
    signature,
)
from dig2dig_ros.fleet.crew import crew
from dig2dig_ros.fleet.job import Item, Outcome
from dig2dig_ros.fleet.options import RayOptions

SUFFIXES = ('.mcap', '.db3')


@dataclasses.dataclass
class _Progress:
    """One bag on its way."""

    step: Step
    reports: list[FusionReport] = dataclasses.field(default_factory=list)
    sizes: list[int] = dataclasses.field(default_factory=list)
    missing: int = 0
    parts: tuple[Path, ...] = ()
    error: str | None = None


def find_bags(inputs: Sequence[Path], output: Path) -> list[tuple[Path, Path]]:
    """Source and target of every bag.

    One bag goes to `output` itself. Several, or the bags in a folder, go into it by their names.

    :raises InputError: for a folder without bags, or two bags of one name.
    """
    if len(inputs) == 1 and is_bag(inputs[0]):
        return [(inputs[0], output)]
    sources = [bag for place in inputs for bag in ([place] if is_bag(place) else _inside(place))]
    names = [bag.stem if bag.suffix in SUFFIXES else bag.name for bag in sources]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f'two bags are named {name}; fuse them into different folders')
    return [(bag, output / name) for bag, name in zip(sources, names, strict=True)]


def is_bag(place: Path) -> bool:
    """Tell one bag, be it whole or not, from a folder of bags."""
    if not place.is_dir():
        return True
    names = [file.name for file in place.iterdir()]
    files = [name for name in names if name.endswith(SUFFIXES)]
    return 'metadata.yaml' in names or bool(files) and all(
        name.startswith(place.name) for name in files)


def _inside(folder: Path) -> list[Path]:
    bags = sorted((place for place in folder.iterdir() if not place.name.startswith('.')
                   and (place.is_dir() or place.suffix in SUFFIXES)), key=lambda bag: bag.name)
    if not bags:
        raise InputError(f'{folder} holds no bags; give a bag, or a folder of bags')
    return bags


class BagRun:
    """All bags of one command.

    Attributes:
        reports: of the bags that are done, by the index of the bag.
        errors: why a bag is not done, likewise.
    """

    def __init__(self, bags: Sequence[tuple[Path, Path]], job: BagJob):
        """Look which of them are done.

        :raises InputError: for a checkpoint that does not load.
        """
        self._job = job
        self.reports: dict[int, FusionReport] = {}
        self.errors: dict[int, str] = {}
        self._left: dict[int, _Progress] = {}
        way = job.way()
        for index, (source, target) in enumerate(bags):
            text = json.dumps({**way, 'source': signature(source)}, default=str)
            report = marked(target, text)
            if report:
                self.reports[index] = report
                continue
            try:
                require_new(target)  # before hours of work, not at their end
            except InputError as error:
                self.errors[index] = str(error)
            else:
                self._left[index] = _Progress(Step(source, target, text))

    def run(self, options: RayOptions) -> None:
        """Fuse the others.

        :raises InputError: where no worker can start.
        """
        if self.reports:
            count = len(self.reports) + len(self.errors) + len(self._left)
            print(f'{len(self.reports)} of {count} were done already', file=sys.stderr)
        if not self._left:
            return
        # As many workers as there is room for: how many segments there are, plans will tell.
        with crew(self._job, options, self._job.choice.device, sys.maxsize) as workers, tqdm(
                total=0, desc=f'{workers.count} workers', unit='pair', disable=None) as bar:
            items = [Item((index, 'bag'), progress.step)
                     for index, progress in self._left.items()]
            for _ in workers.work(items, lambda outcome: self._follow(outcome, bar)):
                pass
        for index in self._left.keys() - self.reports.keys():
            self.errors.setdefault(index, 'not finished')

    def _follow(self, outcome: Outcome, bar: tqdm) -> Iterable[Item]:
        index, part = outcome.key
        progress = self._left[index]
        if outcome.error is not None:
            progress.error = progress.error or outcome.error
            self.errors[index] = progress.error
            return ()
        if isinstance(outcome.value, Plan):
            return self._segments(index, progress, outcome.value, bar)
        if isinstance(part, int):
            bar.update(progress.sizes[part])
            return self._segment_done(index, progress, part, outcome.value)
        if part == 'bag':
            bar.total += outcome.value.fused
            bar.update(outcome.value.fused)
        self.reports[index] = outcome.value
        return ()

    def _segments(self, index: int, progress: _Progress, plan: Plan,
                  bar: tqdm) -> Iterable[Item]:
        """What there is to do of a bag that was cut."""
        step = progress.step
        for left in step.target.parent.glob(f'.{step.target.name}.*.parts'):
            if left != parts_of(step):  # of a run with other settings
                shutil.rmtree(left, ignore_errors=True)
        progress.parts = tuple(part_of(step, number) for number in range(len(plan.segments)))
        progress.reports = [plan.report, *(None for _ in plan.segments)]
        progress.sizes = [len(segment.pairs) for segment in plan.segments]
        bar.total += sum(progress.sizes)
        items = []
        for number, segment in enumerate(plan.segments):
            report = marked(progress.parts[number], step.way)
            progress.reports[number + 1] = report
            if report:
                bar.update(progress.sizes[number])
            else:
                items.append(Item((index, number), step._replace(segment=(number, segment))))
        bar.refresh()
        progress.missing = len(items)
        return items or self._join(index, progress)

    def _segment_done(self, index: int, progress: _Progress, number: int,
                      report: FusionReport) -> Iterable[Item]:
        progress.reports[number + 1] = report
        progress.missing -= 1
        return () if progress.missing or progress.error else self._join(index, progress)

    def _join(self, index: int, progress: _Progress) -> Iterable[Item]:
        step = progress.step._replace(parts=progress.parts, report=merged(progress.reports))
        return [Item((index, 'join'), step)]

