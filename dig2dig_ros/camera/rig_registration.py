"""Brings infrared pixels to the visible frame through two lenses and a plane at a distance."""

import math

import cv2
import numpy as np

from dig2dig_ros.alignment.lens import project, ray_grid, widest_ray
from dig2dig_ros.alignment.rig import CameraRig
from dig2dig_ros.camera.registration import Registration


class RigRegistration(Registration):
    """Undistort, map by a plane across the optical axis, distort: in one cached remap.

    For visible rays r, the plane z = d of the visible frame has the points d r; in the infrared
    frame they are R^T (d r - t), which is the inverse of K_v (R + t n^T / d) K_i^-1 without the
    pixels. What lies nearer or farther than d is off by the parallax.
    """

    def __init__(self, rig: CameraRig, distance_m: float) -> None:
        """Keep the rig.

        :param distance_m: of the plane from the visible camera, > 0.
        """
        super().__init__()
        self._is_identity = False
        self.rig = rig
        self._distance_m = distance_m
        self._widest = widest_ray(rig.infrared)
        self.sizes = rig.sizes

    def describe(self) -> str:
        """Tell what parallax remains, in a line."""
        if not self.rig.translation.any():
            return 'aligned at far things; the rig file has no baseline, so what is near is off'
        near, far = parallax_range(self.rig, self._distance_m)
        return (f'aligned at {self._distance_m:g} m; parallax is under 2 px from {near:.1f} m to '
                + (f'{far:.1f} m' if far < 1e4 else 'infinity'))

    def sources(self, columns: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Infrared pixels of a grid of visible columns and rows, N x 2; NaN where there is none.

        :param columns: rising.
        :param rows: rising.
        """
        x, y, there = self._source(*np.meshgrid(columns, rows))
        return np.where(there[..., None], np.stack([x, y], axis=-1), np.nan).reshape(-1, 2)

    def _source(self, columns: np.ndarray,
                rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Infrared x and y of a regular grid of visible pixels, and whether there is one."""
        rig = self.rig
        rays = ray_grid(rig.visible, columns[0], rows[:, 0]).reshape(-1, 2)
        # In metres of the plane's distance, for one product with [x, y, 1].
        away = rig.rotation[2] - rig.translation @ rig.rotation / self._distance_m
        points = cv2.transform(rays[None], np.column_stack([rig.rotation[:2].T, away]))[0]
        ahead = points[:, 2] > 1e-6
        rays = points[:, :2] / np.where(ahead, points[:, 2], 1.0)[:, None]
        ahead &= np.einsum('ij,ij->i', rays, rays) < self._widest ** 2
        rays[~ahead] = 0.0
        pixels = project(rig.infrared, rays)
        return (*(pixels[:, axis].reshape(columns.shape) for axis in range(2)),
                ahead.reshape(columns.shape))


def parallax_range(rig: CameraRig, distance_m: float, most_px: float = 2.0
                   ) -> tuple[float, float]:
    """Nearest and farthest distance in metres at which parallax is below so many visible px.

    Parallax is f b |1/Z - 1/d|, b the baseline across the optical axis.
    """
    baseline_m = max(float(np.hypot(*rig.translation[:2])), 1e-9)
    reach = most_px / (rig.visible.matrix[0, 0] * baseline_m)
    far = 1 / distance_m - reach
    return 1 / (1 / distance_m + reach), 1 / far if far > 0 else math.inf
