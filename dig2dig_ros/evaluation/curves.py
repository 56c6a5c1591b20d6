"""Figure 5 of the paper: how much information each source has given, timestep by timestep."""

import csv
import dataclasses
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from dig2dig_ros.engine import FusionEngine
from dig2dig_ros.errors import InputError
from dig2dig_ros.evaluation.grid import Curves, Region
from dig2dig_ros.locations import write_text

GLOBAL = 'whole image'


@dataclasses.dataclass(frozen=True)
class Curve:
    """Cumulative DIG over one region: the sum of DIG from the highest timestep down.

    Attributes:
        timesteps: E + 1 falling timesteps; the last, 0, is the clean image.
        mean: K x (E + 1), over the pixels; starts at 0.
        variance: K x (E + 1), over the pixels.
    """

    timesteps: tuple[int, ...]
    mean: np.ndarray
    variance: np.ndarray


def dig_curves(engine: FusionEngine, sources: Sequence[np.ndarray], curves: Curves,
               regions: Mapping[str, Region]) -> dict[str, Curve]:
    """Curves of one scene, for the whole image and for every region.

    :param sources: uint8, H x W or H x W x 3 (BGR).
    :param regions: by name; each must lie inside the image.
    """
    levels, gain = _gain(engine, sources, curves)
    timesteps = (*levels, 0)
    total = np.concatenate([np.zeros_like(gain[:1]), np.cumsum(gain, axis=0)])
    height, width = gain.shape[-2:]
    found = {}
    for name, region in ({GLOBAL: (0, 0, width, height)} | dict(regions)).items():
        patch = _cut(total, name, region)
        found[name] = Curve(timesteps, patch.mean(axis=(2, 3)).T, patch.var(axis=(2, 3)).T)
    return found


def _gain(engine: FusionEngine, sources: Sequence[np.ndarray],
          curves: Curves) -> tuple[tuple[int, ...], np.ndarray]:
    settings = engine.settings
    engine.settings = dataclasses.replace(
        settings, mode='one-pass', levels=curves.levels, t_max=curves.t_max, draws=curves.draws,
        scale=1.0)
    try:
        return engine.information_gain(sources)
    finally:
        engine.settings = settings


def mean_curve(curves: Sequence[Curve]) -> Curve:
    """Average the curves of several scenes, pixels of each scene counting alike."""
    means = np.stack([curve.mean for curve in curves])
    within = np.mean([curve.variance for curve in curves], axis=0)
    return Curve(curves[0].timesteps, means.mean(axis=0), within + means.var(axis=0))


def write_curves(path: Path, curves: Mapping[tuple[str, str], Curve],
                 names: Sequence[str]) -> None:
    """Write one line for each scene, region, source and timestep as CSV.

    :param curves: by (scene, region).
    :param names: of the K sources.
    :raises InputError: where it cannot be written.
    """
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(['scene', 'region', 'source', 'timestep', 'mean', 'variance'])
    for (scene, region), curve in curves.items():
        for name, mean, variance in zip(names, curve.mean, curve.variance, strict=True):
            writer.writerows(
                [scene, region, name, *row] for row in zip(
                    curve.timesteps, mean.tolist(), variance.tolist(), strict=True))
    write_text(path, file.getvalue())


def _cut(maps: np.ndarray, name: str, region: Region) -> np.ndarray:
    x, y, width, height = region
    inside = 0 <= x < x + width <= maps.shape[-1] and 0 <= y < y + height <= maps.shape[-2]
    if not inside:
        raise InputError(f'region {name} is {list(region)}; it must be [x, y, width, height] '
                         f'inside the {maps.shape[-1]}x{maps.shape[-2]} image')
    return maps[..., y:y + height, x:x + width]
