"""Run the cells of a grid over pairs of images, skipping what is already there."""

import dataclasses
import json
import math
import statistics
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

from dig2dig_ros.engine import FusionEngine, FusionResult, FusionSettings, FusionStream
from dig2dig_ros.engine.engine import check_sources
from dig2dig_ros.errors import InputError
from dig2dig_ros.evaluation.documents import write_json
from dig2dig_ros.evaluation.evaluate import Scores, mean_scores
from dig2dig_ros.evaluation.grid import cell_folder
from dig2dig_ros.evaluation.metrics import check_size, measure
from dig2dig_ros.evaluation.video import StreamMeter
from dig2dig_ros.images import read_image, to_8_bit, write_image

Pairs = Sequence[tuple[str, list[Path]]]
# What null in a record stands for, by metric; NaN for all others.
_MISSING = {'PSNR': math.inf}


@dataclasses.dataclass(frozen=True)
class Cell:
    """What one cell of a grid gave.

    Attributes:
        per_image: metrics by stem, with `ms`, the time of the engine, and `network_calls`.
    """

    name: str
    per_image: Mapping[str, Scores]

    def mean(self) -> Scores:
        """Mean metrics; the median for `ms`, which the first image of a size distorts."""
        scores = mean_scores(self.per_image.values())
        scores['ms'] = statistics.median(row['ms'] for row in self.per_image.values())
        return scores


@dataclasses.dataclass
class Study:
    """Fuses and measures pairs with the settings of one cell after the other.

    A cell leaves its fused images and `cell.json` in its own folder. One that is there already,
    with the same settings, prior and pairs, is read and not run again.

    Attributes:
        pairs: stem and source files of every scene.
        names: of the K sources.
        folder: where the cells lie.
        load_engine: called with settings when the first cell needs an engine, and again where
            `precision` changes, since an engine casts its prior once.
        identity: of prior and device, recorded with each cell.
        video: fuse the pairs as the frames of one live stream, and add `flicker` and the mean
            weight of each source to the metrics.
        on_image: told of each (cell, stem) that is done.
    """

    pairs: Pairs
    names: Sequence[str]
    folder: Path
    load_engine: Callable[[FusionSettings], FusionEngine]
    identity: str
    video: bool = False
    on_image: Callable[[str, str], None] = lambda cell, stem: None
    _engine: FusionEngine | None = None

    def run(self, cells: Mapping[str, FusionSettings]) -> list[Cell]:
        """Run the cells that are not there yet, and return all.

        :raises InputError: naming the scene that cannot be fused or measured.
        """
        return [Cell(name, self.finished(name, settings) or self._run_cell(name, settings))
                for name, settings in cells.items()]

    def _run_cell(self, name: str, settings: FusionSettings) -> dict[str, Scores]:
        per_image = self.run_pairs(name, settings, self.pairs)
        self.write(name, settings, per_image)
        return per_image

    def run_pairs(
            self, name: str, settings: FusionSettings, pairs: Pairs) -> dict[str, Scores]:
        """Fuse and measure some scenes of a cell; scores by stem.

        :raises InputError: naming the scene that cannot be fused or measured.
        """
        if self._engine is None or self._engine.settings.precision != settings.precision:
            self._engine = self.load_engine(settings)
        self._engine.settings = settings
        runner = _VideoRunner(self._engine, self.names) if self.video else _Runner(self._engine)
        per_image, place = {}, self._place(name)
        for stem, paths in pairs:
            per_image[stem] = runner.run(stem, read_pair(paths), place)
            self.on_image(name, stem)
        return per_image

    def write(self, name: str, settings: FusionSettings, per_image: dict[str, Scores]) -> None:
        """Leave what a whole cell gave, for this run and the next."""
        write_json(self._place(name) / 'cell.json', self._record(settings) | {
            'per_image': {stem: per_image[stem] for stem, _ in self.pairs}})

    def finished(self, name: str, settings: FusionSettings) -> dict[str, Scores] | None:
        """What an earlier run measured; None where there is none or it was of something else."""
        try:
            content = json.loads((self._place(name) / 'cell.json').read_text())
        except (OSError, ValueError):
            return None
        if any(content.get(key) != value for key, value in self._record(settings).items()):
            return None
        for stem, _ in self.pairs:
            self.on_image(name, stem)
        # JSON has no NaN, as the flicker of a video's first frame is, and no infinity, as the PSNR
        # of a picture that is one of its sources.
        return {stem: {metric: _MISSING.get(metric, math.nan) if value is None else value
                       for metric, value in scores.items()}
                for stem, scores in content['per_image'].items()}

    def _place(self, name: str) -> Path:
        return self.folder / cell_folder(name)

    def _record(self, settings: FusionSettings) -> dict:
        return {'settings': dataclasses.asdict(settings), 'identity': self.identity,
                'video': self.video, 'stems': [stem for stem, _ in self.pairs]}


def fingerprint(prior: torch.nn.Module) -> str:
    """Checksum of the weights: a prior trained anew is another prior, whatever its name."""
    checksum = 0
    for tensor in prior.state_dict().values():
        checksum = zlib.crc32(tensor.detach().float().cpu().contiguous().numpy(), checksum)
    return f'{checksum:08x}'


def choose(pairs: Pairs, count: int | None, video: bool) -> Pairs:
    """Take so many pairs: evenly spaced, or the first ones of a video; all for None.

    :raises InputError: for a count below 1.
    """
    if count is None:
        return pairs
    if count < 1:
        raise InputError(f'--limit is {count}; it must be at least 1')
    count = min(count, len(pairs))
    return pairs[:count] if video else [pairs[i * len(pairs) // count] for i in range(count)]


def fit_pairs(pairs: Pairs) -> tuple[Pairs, dict[str, str]]:
    """Leave out, before a long run, the pairs that cannot be fused or measured.

    :returns: the others, and why by stem.
    :raises InputError: where none is left.
    """
    fit, faults = [], {}
    for stem, paths in pairs:
        try:
            sources = read_pair(paths)
            check_sources(sources, None)
            check_size(sources[0])
        except InputError as error:
            faults[stem] = str(error)
        else:
            fit.append((stem, paths))
    if not fit:
        raise InputError(f'no pair can be used; the first: {next(iter(faults.values()))}')
    return fit, faults


def read_pair(paths: Sequence[Path]) -> list[np.ndarray]:
    """The sources of one scene, uint8."""
    return [to_8_bit(read_image(path)) for path in paths]


def engine_scores(result: FusionResult) -> Scores:
    """What the engine took for a frame: `ms` and `network_calls`."""
    return {'ms': result.timing.total_ms, 'network_calls': float(result.timing.network_calls)}


class _Runner:
    """Fuses and measures scenes that have nothing to do with each other."""

    def __init__(self, engine: FusionEngine):
        self._fuse = engine.fuse

    def run(self, stem: str, sources: list[np.ndarray], place: Path) -> Scores:
        try:
            result = self._fuse(sources)
            scores = measure(result.image, sources) | self._more(result, sources)
        except InputError as error:
            raise InputError(f'{stem}: {error}') from error
        write_image(place / f'{stem}.png', result.image)
        return scores | engine_scores(result)

    def _more(self, result: FusionResult, sources: list[np.ndarray]) -> Scores:
        return {}


class _VideoRunner(_Runner):
    """Fuses and measures the frames of one stream, in order."""

    def __init__(self, engine: FusionEngine, names: Sequence[str]):
        self._fuse = FusionStream(engine).fuse
        self._meter = StreamMeter(names)

    def _more(self, result: FusionResult, sources: list[np.ndarray]) -> Scores:
        return self._meter.next(result, sources)
