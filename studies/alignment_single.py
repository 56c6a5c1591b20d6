"""Which single frames `dig2dig align` accepts: right and wrong ones, of pairs changed six ways."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from alignment_drift import pairs_of, with_noise

from dig2dig_ros.alignment.align import Alignment, align

WRONG_SHARE = 0.01
"""Of the visible diagonal: a map that is farther off, mean over the infrared image, is wrong."""
_PLAIN_Z, _PLAIN_NCC, _PLAIN_SHARE = 7.5, 0.28, 0.015
_GRID = 17
Points = np.ndarray
"""N x 2, x and y."""


class Changed(NamedTuple):
    """A pair, and what of the infrared image as it was a pixel of the changed one shows."""

    infrared: np.ndarray
    visible: np.ndarray
    before: Callable[[Points], Points] = lambda points: points


def changes(infrared: np.ndarray, visible: np.ndarray,
            random: np.random.Generator) -> Iterator[tuple[str, Changed]]:
    """Change a pair."""
    height, width = infrared.shape
    size = np.array([width, height])
    yield 'as it is', Changed(infrared, visible)
    yield 'noise 25, 8', Changed(*with_noise((infrared, visible)))
    left, top = size // 8
    yield 'cropped by an eighth', Changed(
        np.ascontiguousarray(infrared[top:-top, left:-left]), visible,
        lambda points: points + [left, top])
    blank = infrared.copy()
    blank[:, width // 2:] = np.median(infrared)
    yield 'half blank', Changed(blank, visible)
    middle, bend = random.uniform(0.4, 0.6, 2) * size, random.uniform(-0.25, -0.15)

    def through_lens(points: Points) -> Points:
        rays = (points - middle) / width
        return middle + width * rays * (1 + bend * (rays ** 2).sum(axis=-1, keepdims=True))

    yield 'lens', Changed(moved(infrared, through_lens), visible, through_lens)
    corners = np.float32([[0, 0], [width - 1, 0], [0, height - 1], [width - 1, height - 1]])
    to = corners + (random.uniform(-0.05, 0.05, (4, 2)) * size).astype(np.float32)
    back = cv2.getPerspectiveTransform(to, corners)
    yield 'perspective of 5 %', Changed(
        moved(infrared, lambda points: mapped(back, points)), visible,
        lambda points: mapped(back, points))


def mapped(homography: np.ndarray, points: Points) -> Points:
    """Map points by 3 x 3."""
    return cv2.perspectiveTransform(points.reshape(-1, 1, 2).astype(np.float64), homography)[:, 0]


def moved(image: np.ndarray, before: Callable[[Points], Points]) -> np.ndarray:
    """Show an image whose pixels come from elsewhere in it."""
    height, width = image.shape
    pixels = np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1).reshape(-1, 2)
    places = before(pixels.astype(np.float64)).reshape(height, width, 2).astype(np.float32)
    return cv2.remap(image, places[..., 0], places[..., 1], cv2.INTER_LINEAR,
                     borderMode=cv2.BORDER_REFLECT)


def off_share(found: Alignment, own: np.ndarray, changed: Changed) -> float:
    """How far a map is off what the method says of the pair as it is, of the diagonal."""
    height, width = changed.infrared.shape
    grid = np.stack(np.meshgrid(np.linspace(0, width - 1, _GRID),
                                np.linspace(0, height - 1, _GRID)), axis=-1).reshape(-1, 2)
    apart = mapped(found.homography, grid) - mapped(own, changed.before(grid))
    return float(np.linalg.norm(apart, axis=1).mean() / np.hypot(*changed.visible.shape[:2]))


def plainly(found: Alignment, diagonal: float) -> bool:
    """Whether halves alone would accept it, whatever they gain."""
    return (found.z >= _PLAIN_Z and found.ncc >= _PLAIN_NCC
            and float(found.halves_px) <= _PLAIN_SHARE * diagonal)


def single(data: Path) -> dict[str, dict[str, float]]:
    """Count, over the pairs of RoadScene, VIFB and MSRS that are seen rightly as they are.

    Those whose own map is not accepted even by correlation and likeness say nothing.
    """
    random = np.random.default_rng(11)
    result: dict[str, dict[str, float]] = {}
    for pair in (each for name in ('RoadScene', 'VIFB', 'MSRS')
                 for each in pairs_of(data / 'dev_pairs' / name)):
        own = align([pair])
        for title, changed in changes(*pair, random):
            found = align([(changed.infrared, changed.visible)])
            if min(found.z / _PLAIN_Z, found.ncc / _PLAIN_NCC, own.z / _PLAIN_Z,
                   own.ncc / _PLAIN_NCC) < 1:
                continue
            share = off_share(found, own.homography, changed)
            kind = 'wrong' if share > WRONG_SHARE else 'right'
            row = result.setdefault(title, dict.fromkeys(
                ('right', 'right_accepted', 'right_plainly', 'wrong', 'wrong_accepted',
                 'wrong_plainly', 'worst_share'), 0))
            row[kind] += 1
            row[f'{kind}_accepted'] += found.accepted
            row[f'{kind}_plainly'] += plainly(found, float(np.hypot(*changed.visible.shape[:2])))
            if found.accepted:
                row['worst_share'] = max(row['worst_share'], share)
    return result
