"""How well an alignment holds, region by region, and a picture of it."""

from collections.abc import Sequence

import cv2
import numpy as np

from dig2dig_ros.alignment.equations import LinearisedFrame, pool
from dig2dig_ros.alignment.field import grey_levels, paired_fields
from dig2dig_ros.alignment.refine import blurred
from dig2dig_ros.alignment.search import Correlator
from dig2dig_ros.images import in_colour

Aligned = tuple[np.ndarray, np.ndarray, np.ndarray | None]
"""Infrared in the visible frame, visible, and where infrared is valid (None: everywhere)."""
CELLS = 3
_WORK_PX = 640
_LEAST_Z = 6.0
_MAX_SHIFT = 0.2
_ITERATIONS = 8
_EDGE = (60, 190, 255)


def residuals(frames: Sequence[Aligned]) -> list[list[float | None]]:
    """Measure how far infrared lies off in each cell of a 3 x 3 grid, pooled over frames.

    :returns: visible pixels, by row; None where there is too little to tell.
    """
    height, width = frames[0][1].shape[:2]
    scale = min(1.0, _WORK_PX / width)
    size = round(width * scale), round(height * scale)
    fields = [paired_fields(*frame, size) for frame in frames]
    rows, columns = (np.linspace(0, side, CELLS + 1).round().astype(int)
                     for side in (size[1], size[0]))
    grid: list[list[float | None]] = []
    for top, bottom in zip(rows, rows[1:], strict=False):
        grid.append([])
        for left, right in zip(columns, columns[1:], strict=False):
            cell = [[np.ascontiguousarray(each[top:bottom, left:right]) for each in pair]
                    for pair in fields]
            shift = _shift(*zip(*cell, strict=True))
            grid[-1].append(None if shift is None else float(np.hypot(*shift)) / scale)
    return grid


def _shift(infrared: Sequence[np.ndarray], visible: Sequence[np.ndarray]) -> np.ndarray | None:
    """Find the shift of a cell: correlation to a pixel, then Gauss-Newton."""
    peak = Correlator(infrared, visible, _MAX_SHIFT).peaks(1.0, 0.0)[0]
    if peak.z < _LEAST_Z:
        return None
    moving = peak.similarity.copy()
    frames = [(LinearisedFrame(blurred(second, 0)), blurred(first, 0))
              for first, second in zip(infrared, visible, strict=True)]
    for _ in range(_ITERATIONS):
        total = pool([frame.equations(field, moving) for frame, field in frames])
        step = np.linalg.solve(total.matrix[:2, :2] + 1e-9 * np.eye(2), total.vector[:2])
        moving[:, 2] += step / max(1.0, float(np.abs(step).max()))
    return moving[:, 2]


def overlay(frame: Aligned, grid: Sequence[Sequence[float | None]]) -> np.ndarray:
    """Draw the edges of infrared over the visible image, and the residuals in their cells.

    :returns: H x W x 3 uint8.
    """
    infrared, visible, _ = frame
    picture = in_colour(visible)
    picture = (0.75 * picture).astype(np.uint8)
    smooth = cv2.GaussianBlur(grey_levels(infrared).clip(0, 255).astype(np.uint8), (0, 0), 1.4)
    picture[cv2.Canny(smooth, 30, 80) > 0] = _EDGE
    height, width = picture.shape[:2]
    for row, values in enumerate(grid):
        for column, value in enumerate(values):
            text = '?' if value is None else f'{value:.1f} px'
            place = (int((column + 0.06) * width / CELLS), int((row + 0.94) * height / CELLS))
            for colour, thick in (((0, 0, 0), 4), ((255, 255, 255), 1)):
                cv2.putText(picture, text, place, cv2.FONT_HERSHEY_SIMPLEX, width / 1100, colour,
                            thick, cv2.LINE_AA)
    return picture
