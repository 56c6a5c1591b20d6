"""Brings infrared pixels to the visible frame through a homography, fixed or slowly corrected."""

from collections.abc import Sequence

import cv2
import numpy as np

from dig2dig_ros.errors import InputError
from dig2dig_ros.topics import CAMERAS

# Visible pixels around the frame for which the map is kept too: how far a correction may move it.
_MARGIN = 48
IDENTITY = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)


_Map = tuple[tuple[np.ndarray, np.ndarray], np.ndarray | None]


class Registration:
    """A homography from infrared to visible pixels, its sampling map cached per pair of sizes.

    Pixel coordinates are (column, row) of pixel centres, the centre of the top-left pixel being
    (0, 0), as in OpenCV's findHomography and warpPerspective and in sensor_msgs/CameraInfo.
    The identity stands for cameras that see the same field of view: with different resolutions
    infrared is scaled to fill the visible frame. Any other homography is taken to the letter,
    a difference of resolution included.

    Attributes:
        sizes: (width, height) of infrared and of visible that it is made for; None: any.
        origin: what these sizes come from, for errors.
    """

    sizes: tuple[tuple[int, int], tuple[int, int]] | None = None
    origin = 'the calibration'

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
        self._correction: np.ndarray | None = None
        self._sizes: tuple[int, ...] = ()
        self._base: tuple[np.ndarray, ...] = ()
        self._fixed: _Map | None = None
        self._moved: _Map | None = None

    def correct(self, correction: np.ndarray | None) -> None:
        """Move what was aligned by a further map, 3 x 3, of visible pixels; None: no more."""
        self._correction = correction
        self._moved = None

    def describe(self) -> str:
        """Tell what parallax remains, in a line; empty where that is not known."""
        return ''

    def check_sizes(self, infrared: tuple[int, int], visible: tuple[int, int]) -> None:
        """Check sizes (width, height) of images against those that this is made for.

        :raises InputError: where they are others.
        """
        for name, made, given in zip(CAMERAS, self.sizes or (), (infrared, visible), strict=False):
            if made != given:
                raise InputError(
                    f'{name} images are {given[0]}x{given[1]}, {self.origin} is for '
                    f'{made[0]}x{made[1]}; calibrate at the resolution that the camera sends')

    def apply(self, infrared: np.ndarray,
              visible: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Bring a pair into one frame, the visible one.

        :param infrared: uint8, h x w.
        :param visible: uint8, H x W or H x W x 3; not changed.
        :returns: as `align` does for the size of visible.
        """
        return self.align(infrared, *visible.shape[:2])

    def align(self, infrared: np.ndarray, height: int, width: int,
              corrected: bool = True) -> tuple[np.ndarray, np.ndarray | None]:
        """Resample infrared to the visible frame of height x width, bilinearly.

        :param infrared: h x w or h x w x 3, uint8, uint16 or float32.
        :param corrected: False leaves out what `correct` was given.
        :returns: the aligned image, 0 where infrared does not reach, and a bool H x W that is
            False there; None where it reaches everywhere. With the identity and equal sizes the
            image is `infrared` itself. The mask is the caller's own.
        :raises InputError: for sizes that this is not made for.
        """
        sizes = (*infrared.shape[:2], height, width)
        self.check_sizes(infrared.shape[1::-1], (width, height))
        corrected = corrected and self._correction is not None
        if self._is_identity and not corrected:
            return infrared if sizes[:2] == sizes[2:] else _scaled(infrared, height, width), None
        if sizes != self._sizes:
            self._prepare(*sizes)
        if corrected and self._moved is None:
            self._moved = self._make_map(np.linalg.inv(self._correction))
        pixels, valid = self._moved if corrected else self._fixed
        return cv2.remap(infrared, *pixels, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT,
                         borderValue=0), None if valid is None else valid.copy()

    def _prepare(self, infrared_height: int, infrared_width: int, height: int,
                 width: int) -> None:
        """Compute where each visible pixel lies in the infrared image, some around it too."""
        self._sizes = (infrared_height, infrared_width, height, width)
        columns, rows = np.meshgrid(np.arange(-_MARGIN, width + _MARGIN, dtype=np.float64),
                                    np.arange(-_MARGIN, height + _MARGIN, dtype=np.float64))
        self._base = self._source(columns, rows)
        self._fixed, self._moved = self._make_map(None), None

    def _make_map(self, before: np.ndarray | None) -> '_Map':
        """Make what cv2.remap takes, and where it is valid.

        :param before: 3 x 3 map of visible pixels to apply first.
        """
        infrared_height, infrared_width, height, width = self._sizes
        if before is None:
            inner = np.s_[_MARGIN:_MARGIN + height, _MARGIN:_MARGIN + width]
            x, y, in_front = (each[inner] for each in self._base)
        else:
            columns, rows = np.meshgrid(np.arange(width), np.arange(height))
            places = [(each + _MARGIN).astype(np.float32)
                      for each in _moved(before, columns, rows)[:2]]
            x, y, in_front = (cv2.remap(each.astype(np.float32), *places, cv2.INTER_LINEAR)
                              for each in self._base)
            in_front = in_front > 0.999
        valid = (in_front & (x >= -0.5) & (x <= infrared_width - 0.5)
                 & (y >= -0.5) & (y <= infrared_height - 0.5))
        # The outer half of a border pixel belongs to it: clamp, or it would blend with black.
        x = np.where(valid, x.clip(0, infrared_width - 1), -2)
        y = np.where(valid, y.clip(0, infrared_height - 1), -2)
        return (cv2.convertMaps(x.astype(np.float32), y.astype(np.float32), cv2.CV_16SC2),
                None if valid.all() else valid)

    def _source(self, columns: np.ndarray,
                rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Infrared x and y of visible pixels, and whether there is such a place."""
        infrared_height, infrared_width, height, width = self._sizes
        if self._is_identity:
            return ((columns + 0.5) * infrared_width / width - 0.5,
                    (rows + 0.5) * infrared_height / height - 0.5, np.ones(columns.shape, bool))
        x, y, depth = _moved(np.linalg.inv(self._homography), columns, rows)
        # Of a projective map only one side of the horizon is in front of the camera: the side
        # of the infrared centre.
        centre = self._homography[2] @ [infrared_width / 2, infrared_height / 2, 1]
        return x, y, depth * centre > 0


def _moved(matrix: np.ndarray, x: np.ndarray, y: np.ndarray
           ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Apply a homography; the third is the depth, where 0 leaves x and y without meaning."""
    x, y, depth = (row[0] * x + row[1] * y + row[2] for row in matrix)
    divisor = np.where(depth == 0, 1.0, depth)
    return x / divisor, y / divisor, depth


def _scaled(image: np.ndarray, height: int, width: int) -> np.ndarray:
    shrinks = height < image.shape[0] or width < image.shape[1]
    return cv2.resize(image, (width, height),
                      interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
