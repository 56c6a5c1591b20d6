"""Gauss-Newton refinement of the map between two cameras, pooled over frames of one rig.

Minimises sum |q_m - a q_v|^2, q_m the infrared field moved by the map, q_v the visible
one, a the amplitude of what they share (inverse compositional: the visible field is linearised,
once).
"""

import dataclasses
from collections.abc import Sequence
from typing import Protocol

import cv2
import numpy as np

from dig2dig_ros.alignment.equations import Linearised, pool

_ITERATIONS = 12


class Motion(Protocol):
    """A map from infrared to visible pixels that four parameters move, see `Equations`."""

    @property
    def matrix(self) -> np.ndarray:
        """Of the map, 2 x 3 or 3 x 3."""

    def moved(self, parameters: np.ndarray, size: tuple[int, int]) -> 'Motion':
        """Move what arrives in a visible frame of (width, height)."""

    def rescaled(self, factor: float) -> 'Motion':
        """Express it in other pixels of both cameras, so many to an old one."""


@dataclasses.dataclass(frozen=True)
class Similarity:
    """Shift, scale and rotation: all that one knows of cameras that one knows nothing of."""

    matrix: np.ndarray

    def moved(self, parameters: np.ndarray, size: tuple[int, int]) -> 'Similarity':
        """See `Motion`."""
        return Similarity(correction(parameters, size)[:2] @ np.vstack([self.matrix, [0, 0, 1]]))

    def rescaled(self, factor: float) -> 'Similarity':
        """See `Motion`."""
        return Similarity(between_levels(self.matrix, (factor, factor), (factor, factor)))


def correction(parameters: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Make a similarity of visible pixels, 3 x 3, of the four parameters of `Equations`."""
    width, height = size
    reach = 0.5 * np.hypot(width, height)
    middle = np.array([(width - 1) / 2, (height - 1) / 2])
    grow, angle = parameters[2] / reach, parameters[3] / reach
    turn = (1 + grow) * np.array([[np.cos(angle), -np.sin(angle)],
                                  [np.sin(angle), np.cos(angle)]])
    matrix = np.eye(3)
    matrix[:2, :2] = turn
    matrix[:2, 2] = middle + parameters[:2] - turn @ middle
    return matrix


def blurred(field: np.ndarray, level: int, sigma: float = 2.0) -> np.ndarray:
    """Shrink a field 2^level times and blur it by sigma of its pixels then."""
    if level:
        field = cv2.resize(field, None, fx=0.5 ** level, fy=0.5 ** level,
                           interpolation=cv2.INTER_AREA)
    return cv2.GaussianBlur(field, (0, 0), sigma)


@dataclasses.dataclass(frozen=True)
class Refinement:
    """A refinement on one level, an iteration at a time; only `step` makes the next state.

    Attributes:
        frames: linearised visible field and infrared field of each frame.
        motion: infrared to visible pixels of this level, so far.
        ncc: there; 0 before the first step.
        rounds: iterations done.
        finished: whether another one would change nothing, or there were enough.
    """

    frames: Sequence[Linearised]
    motion: Motion
    ncc: float = 0.0
    rounds: int = 0
    finished: bool = False

    def step(self) -> 'Refinement':
        """Iterate once."""
        total = pool([frame.equations(field, self.motion.matrix) for frame, field in self.frames])
        parameters = total.step()
        largest = float(np.abs(parameters).sum())
        if largest > 2:
            parameters *= 2 / largest
        motion = self.motion.moved(parameters, self.frames[0][0].size)
        rounds = self.rounds + 1
        return Refinement(self.frames, motion, total.ncc, rounds,
                          largest < 0.01 or rounds == _ITERATIONS)


def refine_level(frames: Sequence[Linearised],
                 motion: Motion) -> tuple[Motion, float]:
    """Iterate on one level to convergence.

    :param motion: to start from, in pixels of this level.
    :returns: where it ends, and the NCC there.
    """
    state = Refinement(frames, motion)
    while not state.finished:
        state = state.step()
    return state.motion, state.ncc


def between_levels(moving: np.ndarray, infrared: Sequence[float],
                   visible: Sequence[float]) -> np.ndarray:
    """Express a 2 x 3 map in other pixels.

    :param infrared: new pixels to an old one, along x and y.
    :param visible: likewise.
    """
    matrix = resizing(visible) @ np.vstack([moving, [0, 0, 1]]) @ np.linalg.inv(resizing(infrared))
    return matrix[:2]


def resizing(factors: Sequence[float]) -> np.ndarray:
    """Return 3 x 3 of what cv2.resize does: x + 0.5 scales, x the centre of a pixel."""
    x, y = factors
    return np.array([[x, 0, 0.5 * x - 0.5], [0, y, 0.5 * y - 0.5], [0, 0, 1]])
