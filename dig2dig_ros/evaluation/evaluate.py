"""Measure folders of fused images against folders of their sources."""

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from dig2dig_ros.errors import InputError
from dig2dig_ros.evaluation.metrics import measure
from dig2dig_ros.images import match_folders, read_image, to_8_bit

Scores = dict[str, float]
# Further scores of (method, fused, sources), such as LPIPS or flicker.
Extra = Callable[[str, np.ndarray, Sequence[np.ndarray]], Scores]

Matched = tuple[str, list[Path]]
"""A stem and its files: those of the sources, then those of the methods."""

Measured = tuple[str, dict[str, Scores] | None, str | None]
"""A stem and its scores by method, or why there are none."""


@dataclasses.dataclass
class Evaluation:
    """What was measured.

    Attributes:
        per_image: value by metric, by file stem, by method.
        failed: why a stem was not measured, by stem; it counts for no method then, so that all
            means are over the same images.
        unmatched: stems that are not in all folders.
    """

    per_image: dict[str, dict[str, Scores]]
    failed: dict[str, str] = dataclasses.field(default_factory=dict)
    unmatched: list[str] = dataclasses.field(default_factory=list)

    def means(self) -> dict[str, Scores]:
        """Mean of each metric over the images, by method."""
        return {method: mean_scores(images.values()) for method, images in self.per_image.items()}


def mean_scores(rows: Iterable[Scores]) -> Scores:
    """Mean of every metric over images that all have the same metrics.

    NaN, as the flicker of a first frame, does not count; where nothing counts, NaN is the mean.
    """
    rows = list(rows)
    return {name: _mean([row[name] for row in rows]) for name in rows[0]} if rows else {}


def _mean(values: Sequence[float]) -> float:
    values = [value for value in values if not np.isnan(value)]
    return float(np.mean(values)) if values else float('nan')


def evaluate(sources: Sequence[Path], methods: Mapping[str, Path],
             extras: Sequence[Extra] = (),
             progress: Callable[[Iterable], Iterable] = iter,
             measured: Callable[[Sequence[Matched]], Iterable[Measured]] | None = None,
             ) -> Evaluation:
    """Measure every image that all folders have, by stem.

    :param sources: one folder for each of the K sources.
    :param methods: folder of fused images by the name of the method.
    :param extras: called for each image in the order of the stems.
    :param progress: wraps the loop over the images, as tqdm does.
    :param measured: measures in place of this process, and then shows the progress itself.
    :raises InputError: where a folder is missing or empty, or no stem is in all of them.
    """
    matched, unmatched = match_folders([*sources, *methods.values()])
    result = Evaluation({method: {} for method in methods}, unmatched=unmatched)
    rows = measured(matched) if measured else _measured(
        progress(matched), len(sources), list(methods), extras)
    for stem, scores, why_not in rows:
        if why_not is not None:
            result.failed[stem] = why_not
            continue
        for method, row in scores.items():
            result.per_image[method][stem] = row
    return result


def _measured(matched: Iterable[Matched], source_count: int, methods: Sequence[str],
              extras: Sequence[Extra]) -> Iterator[Measured]:
    for stem, paths in matched:
        try:
            yield stem, measure_stem(paths, source_count, methods, extras), None
        except InputError as error:
            yield stem, None, str(error)


def measure_stem(paths: list[Path], source_count: int, methods: Sequence[str],
                 extras: Sequence[Extra]) -> dict[str, Scores]:
    """Measure the images of one stem.

    :param paths: of the K sources, then of each method's fused image.
    :returns: scores by method.
    :raises InputError: naming the file that cannot be read or measured.
    """
    images = [to_8_bit(read_image(path)) for path in paths]
    sources, rows = images[:source_count], {}
    for method, path, fused in zip(methods, paths[source_count:], images[source_count:],
                                   strict=True):
        try:
            rows[method] = measure(fused, sources)
            for extra in extras:
                rows[method] |= extra(method, fused, sources)
        except InputError as error:
            raise InputError(f'{path}: {error}') from error
    return rows
