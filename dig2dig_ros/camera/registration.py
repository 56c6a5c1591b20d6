"""Brings infrared pixels to the visible frame through a fixed homography."""

import dataclasses
from collections.abc import Sequence

import cv2
import numpy as np

from dig2dig_ros.errors import InputError
from dig2dig_ros.option import option

IDENTITY = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)


@dataclasses.dataclass(frozen=True)
class RegistrationSettings:
    """How infrared pixels come to lie on visible ones."""

    homography: tuple[float, ...] = option(
        IDENTITY, 'row-major 3x3 homography from infrared pixels to visible pixels; the '
        'identity stretches the infrared image over the visible one', bounds=(-1e6, 1e6))

    def build(self) -> 'Registration':
        """Make what they describe.

        :raises InputError: for a homography that cannot be inverted.
        """
        return Registration(self.homography)


class Registration:
    """A homography from infrared to visible pixels, its sampling map cached per pair of sizes.

    Pixel coordinates are (column, row) of pixel centres, the centre of the top-left pixel being
    (0, 0), as in OpenCV's findHomography and warpPerspective and in sensor_msgs/CameraInfo.
    The identity stands for cameras that see the same field of view: with different resolutions
    infrared is scaled to fill the visible frame. Any other homography is taken to the letter,
    a difference of resolution included.
    """

    def __init__(self, homography: Sequence[float] | np.ndarray = IDENTITY) -> None:
        """Check and keep the homography.

        :param homography: 3 x 3 row-major, infrared px -> visible px.
        :raises InputError: where it is not nine finite numbers or cannot be inverted.
        """
        try:
            matrix = np.asarray(homography, np.float64).reshape(3, 3)
        except (ValueError, TypeError):
            raise InputError(f'homography is {homography}; it must be 9 numbers, a row-major '
                             '3 x 3 from infrared to visible pixels') from None
        if not np.isfinite(matrix).all():
            raise InputError(f'homography is {matrix.ravel().tolist()}; its numbers must be '
                             'finite')
        if np.linalg.cond(matrix) > 1e12:
            raise InputError(f'homography is {matrix.ravel().tolist()}; it must be invertible')
        self._homography = matrix
        self._is_identity = np.allclose(matrix / matrix[2, 2], np.eye(3), rtol=0, atol=1e-12
                                        ) if matrix[2, 2] else False
        self._sizes: tuple[int, ...] = ()
        self._map: tuple[np.ndarray, np.ndarray] | None = None
        self._valid: np.ndarray | None = None

    def apply(self, infrared: np.ndarray,
              visible: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Bring a pair into one frame, the visible one.

        :param infrared: uint8, h x w.
        :param visible: uint8, H x W or H x W x 3; not changed.
        :returns: as `align` does for the size of visible.
        """
        return self.align(infrared, *visible.shape[:2])

    def align(self, infrared: np.ndarray, height: int,
              width: int) -> tuple[np.ndarray, np.ndarray | None]:
        """Resample infrared to the visible frame of height x width, bilinearly.

        :param infrared: h x w or h x w x 3, uint8, uint16 or float32.
        :returns: the aligned image, 0 where infrared does not reach, and a bool H x W that is
            False there; None where it reaches everywhere. With the identity and equal sizes the
            image is `infrared` itself. The mask is shared between calls and read-only.
        """
        sizes = (*infrared.shape[:2], height, width)
        if self._is_identity:
            return infrared if sizes[:2] == sizes[2:] else _scaled(infrared, height, width), None
        if sizes != self._sizes:
            self._prepare(*sizes)
        return cv2.remap(infrared, *self._map, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT,
                         borderValue=0), self._valid

    def _prepare(self, infrared_height: int, infrared_width: int, height: int,
                 width: int) -> None:
        """Compute where each visible pixel lies in the infrared image, and whether it does."""
        columns, rows = np.meshgrid(np.arange(width), np.arange(height))
        points = np.stack([columns, rows, np.ones_like(rows)]).reshape(3, -1).astype(np.float64)
        x, y, depth = (np.linalg.inv(self._homography) @ points).reshape(3, height, width)
        # Of a projective map only one side of the horizon is in front of the camera: the side
        # of the infrared centre.
        centre = self._homography[2] @ [infrared_width / 2, infrared_height / 2, 1]
        in_front = depth * centre > 0
        depth = np.where(in_front, depth, 1.0)
        x, y = x / depth, y / depth
        valid = (in_front & (x >= -0.5) & (x <= infrared_width - 0.5)
                 & (y >= -0.5) & (y <= infrared_height - 0.5))
        # The outer half of a border pixel belongs to it: clamp, or it would blend with black.
        x = np.where(valid, x.clip(0, infrared_width - 1), -2)
        y = np.where(valid, y.clip(0, infrared_height - 1), -2)
        self._map = cv2.convertMaps(x.astype(np.float32), y.astype(np.float32), cv2.CV_16SC2)
        valid.flags.writeable = False
        self._valid = None if valid.all() else valid
        self._sizes = (infrared_height, infrared_width, height, width)


def _scaled(image: np.ndarray, height: int, width: int) -> np.ndarray:
    shrinks = height < image.shape[0] or width < image.shape[1]
    return cv2.resize(image, (width, height),
                      interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
