"""Found against true boxes of one picture, for a table that people read."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from dig2dig_ros.detection.detections import Detections

Box = tuple[float, float, float, float]


class Tally(NamedTuple):
    """True objects, how many of them were found, and detections where nothing is."""

    objects: int
    found: int
    false: int

    def __add__(self, other: 'Tally') -> 'Tally':
        return Tally(*(mine + its for mine, its in zip(self, other, strict=True)))


def tally(found: Detections, truth: Sequence[Box], overlap: float = 0.5) -> Tally:
    """Match the most certain first, each with the free true box that it overlaps most.

    :param found: of one class.
    :param truth: left, top, width, height, pixels.
    :param overlap: least intersection over union of a match, 0..1.
    """
    free, hits = list(truth), 0
    for box in found.boxes:
        overlaps = [intersection_over_union(box, true) for true in free]
        if overlaps and max(overlaps) >= overlap:
            free.pop(int(np.argmax(overlaps)))
            hits += 1
    return Tally(len(truth), hits, len(found) - hits)


def intersection_over_union(one: Sequence[float], other: Sequence[float]) -> float:
    """Of two boxes (left, top, width, height)."""
    width = min(one[0] + one[2], other[0] + other[2]) - max(one[0], other[0])
    height = min(one[1] + one[3], other[1] + other[3]) - max(one[1], other[1])
    common = max(0.0, width) * max(0.0, height)
    return common / (one[2] * one[3] + other[2] * other[3] - common) if common else 0.0
