"""Gauss-Newton refinement of the map between two cameras, pooled over frames of one rig.

Minimises sum |q_m - a q_v|^2, q_m the infrared field moved by the map, q_v the visible
one, a the amplitude of what they share (inverse compositional: the visible field is linearised,
once).
"""

import copy
import dataclasses
from collections.abc import Sequence
from typing import Protocol

import cv2
import numpy as np

from dig2dig_ros.alignment.field import warp, warp_field

_ITERATIONS = 12
_LEAST_AMPLITUDE = 0.2
_LEAST_COVER = 0.05


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


@dataclasses.dataclass(frozen=True)
class Equations:
    """Normal equations of one or more frames: J^T J and J^T e, and the three energies of NCC.

    Parameters are shift x, shift y, scale - 1 and angle about the centre of the visible frame,
    the last two in pixels at `reach` from that centre.
    """

    matrix: np.ndarray
    vector: np.ndarray
    energies: np.ndarray

    def __add__(self, other: 'Equations') -> 'Equations':
        return Equations(self.matrix + other.matrix, self.vector + other.vector,
                         self.energies + other.energies)

    def scaled(self, factor: float) -> 'Equations':
        """Weigh them."""
        return Equations(factor * self.matrix, factor * self.vector, factor * self.energies)

    @property
    def ncc(self) -> float:
        """Normalised cross-correlation of the fields, [-1, 1]."""
        shared, moved, visible = self.energies
        return float(shared / max(np.sqrt(moved * visible), 1e-12))

    def step(self) -> np.ndarray:
        """Solve for the four parameters."""
        damped = self.matrix + 1e-3 * np.trace(self.matrix) / 4 * np.eye(4)
        return np.linalg.solve(damped, self.vector)


class LinearisedFrame:
    """The visible field of a frame with its derivatives, for one blur."""

    def __init__(self, visible: np.ndarray) -> None:
        """Differentiate.

        :param visible: field H x W x 2, blurred.
        """
        height, width = visible.shape[:2]
        self.size = (width, height)
        self.reach = 0.5 * float(np.hypot(width, height))
        self._visible = visible
        # Matches the central difference to the blur that Scharr applies across it.
        gx = cv2.Scharr(visible, cv2.CV_32F, 1, 0, scale=1 / 32)
        gy = cv2.Scharr(visible, cv2.CV_32F, 0, 1, scale=1 / 32)
        x = ((np.arange(width, dtype=np.float32) - (width - 1) / 2) / self.reach)[None, :, None]
        y = ((np.arange(height, dtype=np.float32) - (height - 1) / 2) / self.reach)[:, None, None]
        turned = np.stack([-visible[..., 1], visible[..., 0]], axis=-1)
        self._jacobian = np.stack([
            gx, gy, x * gx + y * gy, x * gy - y * gx - (2 / self.reach) * turned]).reshape(4, -1)
        self._matrix = (self._jacobian @ self._jacobian.T).astype(np.float64)
        self._ones: np.ndarray | None = None
        self._inside: np.ndarray | None = None

    def part(self, inside: np.ndarray) -> 'LinearisedFrame':
        """Have only some of its pixels count; their derivatives are those of the whole.

        :param inside: bool H x W.
        """
        made = copy.copy(self)
        both = np.repeat(inside, 2).astype(np.float32)
        made._inside = inside
        made._visible = self._visible * both.reshape(self._visible.shape)
        made._jacobian = self._jacobian * both
        made._matrix = (made._jacobian @ made._jacobian.T).astype(np.float64)
        return made

    def equations(self, infrared: np.ndarray, moving: np.ndarray) -> Equations:
        """Compare with an infrared field moved by a map.

        :param infrared: field h x w x 2, blurred alike.
        :param moving: 2 x 3 or 3 x 3, infrared to visible pixels of these fields.
        """
        if self._ones is None or self._ones.shape != infrared.shape[:2]:
            self._ones = np.ones(infrared.shape[:2], np.float32)
        moved = warp_field(infrared, moving, self.size)
        valid = warp(self._ones, moving, self.size, cv2.INTER_NEAREST)
        if self._inside is not None:
            moved = moved * self._inside[..., None]
        visible = (self._visible * valid[..., None]).ravel()
        moved = moved.ravel()
        energies = np.array([moved @ visible, moved @ moved, visible @ visible], np.float64)
        amplitude = max(energies[0] / max(energies[2], 1e-12), _LEAST_AMPLITUDE)
        error = moved / np.float32(amplitude) - visible
        # Only the vector decides where the steps end, so the matrix of the whole frame serves.
        counted = valid if self._inside is None else valid[self._inside]
        cover = max(float(counted.mean()), _LEAST_COVER)
        return Equations(cover * self._matrix, (self._jacobian @ error).astype(np.float64),
                         energies)


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


Linearised = tuple[LinearisedFrame, np.ndarray]
"""A frame on one level: its linearised visible field, and its infrared field."""


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

    frames: Sequence[tuple[LinearisedFrame, np.ndarray]]
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


def refine_level(frames: Sequence[tuple[LinearisedFrame, np.ndarray]],
                 motion: Motion) -> tuple[Motion, float]:
    """Iterate on one level to convergence.

    :param motion: to start from, in pixels of this level.
    :returns: where it ends, and the NCC there.
    """
    state = Refinement(frames, motion)
    while not state.finished:
        state = state.step()
    return state.motion, state.ncc


def pool(equations: Sequence[Equations]) -> Equations:
    """Add up frames, all weighing the same but those that want to go elsewhere, which weigh less.

    Two frames of one rig differ by pixels where the cameras do not expose at once, or where the
    nearest things are: the frame with the strongest edges is no better than the others.
    """
    equal = [each.scaled(1 / max(float(np.trace(each.matrix)), 1e-12)) for each in equations]
    weights = np.ones(len(equal))
    if len(equal) > 2:
        steps = np.array([np.linalg.solve(each.matrix + 0.0125 * np.eye(4), each.vector)
                          for each in equal])
        apart = np.linalg.norm(steps - np.median(steps, axis=0), axis=1)
        weights = 1 / (1 + (apart / (1.5 * np.median(apart) + 1e-6)) ** 2)
    total = equal[0].scaled(weights[0])
    for each, weight in zip(equal[1:], weights[1:], strict=True):
        total = total + each.scaled(weight)
    return total


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
