"""The equations of one Gauss-Newton step on frames of one rig, see `refine`."""

import copy
import dataclasses
from collections.abc import Sequence

import cv2
import numpy as np

from dig2dig_ros.alignment.field import packed, unpacked, warp, warp_field

_LEAST_AMPLITUDE = 0.2
_LEAST_COVER = 0.05


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
    """The visible field of a frame with its derivatives, for one blur.

    Of the derivatives only the gradient is kept, packed: 12 bytes a pixel in place of 40.
    """

    def __init__(self, visible: np.ndarray) -> None:
        """Differentiate.

        :param visible: field H x W x 2, blurred.
        """
        height, width = visible.shape[:2]
        self.size = (width, height)
        self.reach = 0.5 * float(np.hypot(width, height))
        self._inside: np.ndarray | None = None
        # Matches the central difference to the blur that Scharr applies across it.
        self._keep(visible, [cv2.Scharr(visible, cv2.CV_32F, *along, scale=1 / 32)
                             for along in ((1, 0), (0, 1))])

    def _keep(self, visible: np.ndarray, gradient: Sequence[np.ndarray]) -> None:
        (gx, gy), (x, y) = gradient, self._places()
        x, y = x[None, :, None], y[:, None, None]
        turned = np.stack([-visible[..., 1], visible[..., 0]], axis=-1)
        jacobian = np.stack([gx, gy, x * gx + y * gy, x * gy - y * gx - (2 / self.reach) * turned]
                            ).reshape(4, -1)
        self._matrix = (jacobian @ jacobian.T).astype(np.float64)
        self._visible, self._gradient = packed(visible), [packed(each) for each in gradient]

    def _places(self) -> list[np.ndarray]:
        """Of every column and of every row, from the middle, in shares of `reach`."""
        return [((np.arange(side, dtype=np.float32) - (side - 1) / 2) / self.reach)
                for side in self.size]

    def _sums(self, product: np.ndarray) -> tuple[float, float, float]:
        """Sum of a field, plain, and times x and y of each place."""
        x, y = self._places()
        # Not as products with vectors: on busy cores threads of BLAS make milliseconds of these.
        flat = product.reshape(len(y), -1)
        columns, rows = (cv2.reduce(flat, dim, cv2.REDUCE_SUM).ravel() for dim in (0, 1))
        return float(rows.sum()), float(columns.reshape(-1, 2).sum(axis=1) @ x), float(rows @ y)

    def part(self, inside: np.ndarray) -> 'LinearisedFrame':
        """Have only some of its pixels count; their derivatives are those of the whole.

        :param inside: bool H x W.
        """
        made = copy.copy(self)
        made._inside = inside.astype(np.uint8)
        visible, *gradient = (cv2.copyTo(unpacked(field), made._inside)
                              for field in (self._visible, *self._gradient))
        made._keep(visible, gradient)
        return made

    def equations(self, infrared: np.ndarray, moving: np.ndarray) -> Equations:
        """Compare with an infrared field moved by a map.

        :param infrared: field h x w x 2, blurred alike; may be packed.
        :param moving: 2 x 3 or 3 x 3, infrared to visible pixels of these fields.
        """
        moved, valid = self._moved(infrared, moving)
        there = unpacked(self._visible)
        visible = cv2.copyTo(there, valid)
        energies = np.array([np.vdot(moved, visible), np.vdot(moved, moved),
                             np.vdot(visible, visible)], np.float64)
        amplitude = max(energies[0] / max(energies[2], 1e-12), _LEAST_AMPLITUDE)
        error = moved / np.float32(amplitude) - visible
        # Only the vector decides where the steps end, so the matrix of the whole frame serves.
        counted = valid if self._inside is None else valid[self._inside > 0]
        cover = max(float(counted.mean()), _LEAST_COVER)
        return Equations(cover * self._matrix, self._vector(there, error), energies)

    def energies(self, infrared: np.ndarray, moving: np.ndarray,
                 middle: tuple[int, int]) -> np.ndarray:
        """Shared, of infrared, and of visible, as `Equations.energies`: of each quadrant.

        :param infrared: as for `equations`; `moving` likewise.
        :param middle: column and row of the visible field at which the quadrants meet.
        :returns: 3 x 4.
        """
        moved, valid = self._moved(infrared, moving)
        visible = cv2.copyTo(unpacked(self._visible), valid)
        column, row = middle
        quadrants = [(rows, columns) for rows in (slice(row), slice(row, None))
                     for columns in (slice(column), slice(column, None))]
        return np.array([[np.vdot(moved[at], visible[at]), np.vdot(moved[at], moved[at]),
                          np.vdot(visible[at], visible[at])] for at in quadrants], np.float64).T

    def _moved(self, infrared: np.ndarray, moving: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The infrared field moved, and where it is valid, uint8."""
        moved = warp_field(unpacked(infrared), moving, self.size)
        valid = warp(np.ones(infrared.shape[:2], np.uint8), moving, self.size, cv2.INTER_NEAREST)
        return moved if self._inside is None else cv2.copyTo(moved, self._inside), valid

    def _vector(self, visible: np.ndarray, error: np.ndarray) -> np.ndarray:
        """J^T e, by the sums over rows and columns of the gradient times e."""
        (gx, gx_x, gx_y), (gy, gy_x, gy_y) = (self._sums(unpacked(along) * error)
                                              for along in self._gradient)
        across = np.vdot(visible.view(np.complex64), error.view(np.complex64)).imag
        return np.array([gx, gy, gx_x + gy_y, gy_x - gx_y - 2 / self.reach * across], np.float64)


Linearised = tuple[LinearisedFrame, np.ndarray]
"""A frame on one level: its linearised visible field, and its infrared field."""


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
