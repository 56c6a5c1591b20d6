"""Views of a calibration board: corners of both cameras, numbered alike."""

import dataclasses
from collections.abc import Sequence

import cv2
import numpy as np

from dig2dig_ros.alignment.rig import Camera, Size
from dig2dig_ros.alignment.targets import Found, Target
from dig2dig_ros.errors import InputError

# How far, in degrees, the rotations between the cameras may differ from view to view (median):
# an infrared board of 40 pixels has a tilt that is certain to some degrees only.
_MOST_APART_DEG = 9.0
# Images are mirrored where mirroring halves that, from this on: 13 views of a real Lepton differed
# by 2.0 degrees and, mirrored, by 5.4.
_MIRRORED_DEG, _MIRROR_GAIN = 3.0, 0.5

Pose = tuple[np.ndarray, np.ndarray]
"""Rotation 3 x 3 and translation in metres, board to camera."""


@dataclasses.dataclass(frozen=True)
class View:
    """One board seen by both cameras: N corners each, infrared first."""

    name: str
    places: np.ndarray
    pixels: tuple[np.ndarray, np.ndarray]


def pose(camera: Camera, places: np.ndarray, pixels: np.ndarray) -> Pose:
    """Find where a board is.

    :param places: N x 3 on the board.
    :param pixels: N x 2.
    """
    _, turn, shift = cv2.solvePnP(places.astype(np.float64), pixels.astype(np.float64),
                                  camera.matrix, camera.distortion)
    return cv2.Rodrigues(turn)[0], shift.ravel()


def joined(target: Target, names: Sequence[str], infrared: Sequence[Found | None],
           visible: Sequence[Found | None], cameras: tuple[Camera, Camera]) -> list[View]:
    """Pair the corners of views that both cameras have, numbered as one board.

    A picture of a chessboard does not tell which of its ends is which. Of all numberings those
    are taken under which the cameras sit to each other in all views alike.

    :raises InputError: where there are none: mirrored images, or different boards.
    """
    both = [(name, first, second) for name, first, second in
            zip(names, infrared, visible, strict=True) if first and second]
    orders, apart = _orders(target, both, cameras)
    if apart > _MIRRORED_DEG and _mirrored_fits(target, both, cameras, apart):
        raise InputError('the images of one camera are mirrored against the other; flip them, '
                         'or switch the flip off in its driver')
    if apart > _MOST_APART_DEG:
        raise InputError(f'the two cameras see different boards: the rotation between them '
                         f'differs by {apart:.0f} degrees from view to view; check that images '
                         'of the same name were taken at the same time, and --size')
    views = []
    for (name, first, second), order in zip(both, orders, strict=True):
        if len(target.orders) > 1:
            views.append(View(name, target.points, (first.pixels, second.pixels[order])))
            continue
        common, left, right = np.intersect1d(first.indices, second.indices, return_indices=True)
        if len(common) >= 6:
            views.append(View(name, target.points[common],
                              (first.pixels[left], second.pixels[right])))
    return views


def _orders(target: Target, both: Sequence[tuple[str, Found, Found]],
            cameras: tuple[Camera, Camera]) -> tuple[list[np.ndarray], float]:
    """The numbering of each view, and how far rotations then differ, in degrees (median)."""
    rotations = []
    for _, first, second in both:
        infrared, _ = pose(cameras[0], target.points[first.indices], first.pixels)
        rotations.append([
            pose(cameras[1], target.points[second.indices],
                 second.pixels[order] if len(target.orders) > 1 else second.pixels)[0]
            @ infrared.T for order in target.orders])
    best: tuple[float, list[int]] | None = None
    for candidate in (turn for each in rotations for turn in each):
        angles = np.array([[_angle_deg(candidate, turn) for turn in each] for each in rotations])
        cost = float(np.median(angles.min(axis=1))) + 1e-3 * _angle_deg(candidate, np.eye(3))
        if best is None or cost < best[0]:
            best = cost, list(angles.argmin(axis=1)), float(np.median(angles.min(axis=1)))
    return [target.orders[choice] for choice in best[1]], best[2]


def _mirrored_fits(target: Target, both: Sequence[tuple[str, Found, Found]],
                   cameras: tuple[Camera, Camera], apart: float) -> bool:
    width = cameras[0].size[0]
    matrix = cameras[0].matrix.copy()
    matrix[0, 2] = width - 1 - matrix[0, 2]
    mirrored = Camera(cameras[0].size, matrix, cameras[0].distortion)
    flipped = []
    for name, first, second in both:
        pixels = first.pixels.copy()
        pixels[:, 0] = width - 1 - pixels[:, 0]
        columns, rows = target.size
        if len(target.orders) > 1:
            pixels = pixels.reshape(rows, columns, 2)[:, ::-1].reshape(-1, 2)
        flipped.append((name, Found(first.indices, pixels), second))
    return _orders(target, flipped, (mirrored, cameras[1]))[1] < _MIRROR_GAIN * apart


def _angle_deg(first: np.ndarray, second: np.ndarray) -> float:
    cosine = (np.trace(first.T @ second) - 1) / 2
    return float(np.degrees(np.arccos(np.clip(cosine, -1, 1))))


def normals(camera: Camera, views: Sequence[View], side: int) -> np.ndarray:
    """Which way the boards face, N x 3."""
    return np.array([pose(camera, view.places, view.pixels[side])[0][:, 2] for view in views])


def coverage(size: Size, pixels: Sequence[np.ndarray]) -> np.ndarray:
    """Count corners in a 3 x 3 grid of the image."""
    points = np.concatenate(pixels)
    cells = np.clip((points / np.array(size) * 3).astype(int), 0, 2)
    grid = np.zeros((3, 3), int)
    np.add.at(grid, (cells[:, 1], cells[:, 0]), 1)
    return grid
