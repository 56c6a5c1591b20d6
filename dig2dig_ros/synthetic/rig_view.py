"""The rendered street as two cameras with lenses and a baseline see it, with known K, D, R, t.

The street is drawn as a picture of an ideal camera at the visible one's place. Each of its things
has a depth: the ground and the houses by where they stand on the ground, whatever moves one plane
each. So what the infrared camera sees of it is known to the digit.
"""

from collections.abc import Callable

import cv2
import numpy as np

from dig2dig_ros.alignment.lens import project, ray_grid
from dig2dig_ros.alignment.rig import Camera, CameraRig
from dig2dig_ros.synthetic.backdrop import END_FACADE, HORIZON, LEFT_FACADE, RIGHT_FACADE

CAMERA_HEIGHT_M = 1.7
SMOKE_M = 9.0
_SKY_M = 500.0
_ITERATIONS = 12


def ideal_matrix(width: int, height: int) -> np.ndarray:
    """K of the camera that the street is drawn for: 60 degrees across."""
    focal = 0.866 * width
    return np.array([[focal, 0, (width - 1) / 2], [0, focal, (height - 1) / 2], [0, 0, 1]])


def street_rig(width: int, height: int, baseline_m: float) -> CameraRig:
    """A rig for the street: the infrared lens beside the visible one, narrower, and turned."""
    ideal = ideal_matrix(width, height)
    narrower = ideal * [[1.06], [1.06], [1]]
    narrower[:2, 2] = ideal[:2, 2] + [0.006 * width, -0.004 * height]
    size = (width, height)
    return CameraRig(Camera(size, narrower, np.array([-0.19, 0.05, 4e-4, -3e-4, 0.0])),
                     Camera(size, ideal, np.array([-0.06, 0.02, -2e-4, 3e-4, 0.0])),
                     cv2.Rodrigues(np.radians([0.3, -0.5, 0.4]))[0],
                     np.array([baseline_m, 0.15 * baseline_m, 0.0]))


class RigView:
    """What a rig sees of pictures of the ideal camera.

    Attributes:
        rig: both cameras.
    """

    def __init__(self, rig: CameraRig) -> None:
        """Compute what does not depend on depth."""
        self.rig = rig
        width, height = rig.visible.size
        self._ideal = ideal_matrix(width, height)
        self._horizon = HORIZON * height
        rays = _rays(rig.visible)
        self._visible_map = [self._ideal[axis, axis] * rays[..., axis] + self._ideal[axis, 2]
                             for axis in range(2)]
        turned = _rays(rig.infrared) @ rig.rotation[:, :2].T + rig.rotation[:, 2]
        self._turned = turned[..., :2] / turned[..., 2:]
        self._backdrop_map = self._find_backdrop(self._inverse_depth())

    def depth_m(self, row: float) -> float:
        """Depth of what stands on the ground at a row of the ideal picture."""
        return float(self._ideal[0, 0] * CAMERA_HEIGHT_M / max(row - self._horizon, 1e-3))

    def visible(self, picture: np.ndarray) -> np.ndarray:
        """See a picture through the visible lens."""
        return _sampled(picture, self._visible_map)

    def backdrop(self, picture: np.ndarray) -> np.ndarray:
        """See the still part from the infrared camera, each pixel at its depth."""
        return _sampled(picture, self._backdrop_map)

    def lay(self, infrared: np.ndarray, draw: Callable[[np.ndarray], None],
            depth_m: float) -> None:
        """Draw a thing at a depth into what the infrared camera sees.

        :param infrared: h x w float32, changed.
        :param draw: draws it into a picture of the ideal camera.
        """
        # Drawn over 0 and over 1 it tells its colour and how much of the ground it covers.
        over = [np.full(self.rig.visible.size[::-1], base, np.float32) for base in (0, 1)]
        for picture in over:
            draw(picture)
        places = self._map(1 / depth_m)
        colour, both = (_sampled(picture, places, border) for border, picture in enumerate(over))
        infrared *= both - colour
        infrared += colour

    def box(self, corners: np.ndarray) -> np.ndarray:
        """Left, top, right, bottom in the visible image of corners in the ideal picture, N x 2."""
        rays = (corners - self._ideal[:2, 2]) / self._ideal[[0, 1], [0, 1]]
        seen = project(self.rig.visible, rays)
        return np.concatenate([seen.min(axis=0), seen.max(axis=0)])

    def _map(self, inverse_depth: np.ndarray | float) -> list[np.ndarray]:
        """Ideal column and row of each infrared pixel whose thing is at a depth."""
        shift = self.rig.translation
        return [self._ideal[axis, axis] * (
            self._turned[..., axis] - inverse_depth * (shift[2] * self._turned[..., axis]
                                                       - shift[axis])) + self._ideal[axis, 2]
                for axis in range(2)]

    def _find_backdrop(self, inverse_depth: np.ndarray) -> list[np.ndarray]:
        """Which pixel of the backdrop lies on the ray of each infrared pixel."""
        places = self._map(0.0)
        for _ in range(_ITERATIONS):
            places = self._map(_sampled(inverse_depth, places))
        return places

    def _inverse_depth(self) -> np.ndarray:
        """Of the backdrop: ground, houses, and sky."""
        width, height = self.rig.visible.size
        columns, rows = np.meshgrid(np.arange(width) / width, np.arange(height) / height)
        per_row = height / (self._ideal[0, 0] * CAMERA_HEIGHT_M)
        inverse = np.clip((rows - HORIZON) * per_row, 1 / _SKY_M, None)
        for left_top, right_top, right_bottom, left_bottom in (END_FACADE, LEFT_FACADE,
                                                               RIGHT_FACADE):
            share = (columns - left_top[0]) / (right_top[0] - left_top[0])
            top, bottom = (first[1] + share * (second[1] - first[1]) for first, second in (
                (left_top, right_top), (left_bottom, right_bottom)))
            house = (share >= 0) & (share <= 1) & (rows >= top) & (rows <= bottom)
            inverse = np.where(house, (bottom - HORIZON) * per_row, inverse)
        return inverse.astype(np.float32)


def _rays(camera: Camera) -> np.ndarray:
    width, height = camera.size
    return ray_grid(camera, np.arange(width), np.arange(height))


def _sampled(picture: np.ndarray, places: list[np.ndarray],
             border: int | None = None) -> np.ndarray:
    """Look up places; beyond the picture it is mirrored, or has a value."""
    return cv2.remap(picture, *(each.astype(np.float32) for each in places), cv2.INTER_LINEAR,
                     borderMode=cv2.BORDER_REFLECT if border is None else cv2.BORDER_CONSTANT,
                     borderValue=border or 0)
