"""Cells of `dig2dig study`: every scene of every cell is an item, a video is one."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from dig2dig_ros.engine import FusionEngine, FusionSettings
from dig2dig_ros.evaluation.evaluate import Scores
from dig2dig_ros.evaluation.study import Pairs, Study
from dig2dig_ros.fleet.options import RayOptions
from dig2dig_ros.fleet.run import Task, finish_all
from dig2dig_ros.locations import signatures


class Part(NamedTuple):
    """Scenes of one cell, in order."""

    cell: str
    settings: FusionSettings
    pairs: Pairs


@dataclasses.dataclass(frozen=True)
class CellJob:
    """Fuses and measures on a worker; an item is a `Part`, its value scores by stem."""

    names: Sequence[str]
    folder: Path
    identity: str
    video: bool
    checkpoint: Path | None
    device: str

    def study(self, pairs: Pairs) -> Study:
        """The study of these scenes, in this process."""
        return Study(pairs, self.names, self.folder, self._load, self.identity, self.video)

    def open(self) -> Callable[[Part], dict[str, Scores]]:
        """Get ready; the engine comes with the first part, whose precision it needs."""
        study = self.study([])
        return lambda part: study.run_pairs(part.cell, part.settings, part.pairs)

    def _load(self, settings: FusionSettings) -> FusionEngine:
        return FusionEngine.load(self.checkpoint, self.device, settings)


def finish_cells(job: CellJob, pairs: Pairs, cells: Mapping[str, FusionSettings],
                 options: RayOptions) -> dict[str, str]:
    """Write the `cell.json` of every cell that is not there yet.

    :returns: why a cell has none, by its name and the scene.
    :raises InputError: where no worker can start.
    """
    study = job.study(pairs)
    there = {folder: signatures(folder)
             for folder in {path.parent for _, paths in pairs for path in paths}}
    parts: dict[str, Part] = {}
    for cell, settings in cells.items():
        if study.finished(cell, settings) is None:
            for some in [pairs] if job.video else [[pair] for pair in pairs]:
                parts[cell if job.video else f'{cell}: {some[0][0]}'] = Part(cell, settings, some)
    tasks = [Task(key, part, [str(dataclasses.asdict(part.settings)), *(
        there[path.parent][path.name] for _, paths in part.pairs for path in paths)])
        for key, part in parts.items()]
    way = {'identity': job.identity, 'video': job.video}
    outcomes = finish_all(
        job, tasks, options, job.device, job.folder, 'study', way,
        unit='video' if job.video else 'image')
    failed = {key: outcome.error for key, outcome in outcomes.items()
              if outcome.error is not None}
    scores: dict[str, dict[str, Scores]] = {}
    for key, part in parts.items():
        if key not in failed:
            scores.setdefault(part.cell, {}).update(outcomes[key].value)
    for cell, per_image in scores.items():
        if len(per_image) == len(pairs):
            study.write(cell, cells[cell], per_image)
    return failed
