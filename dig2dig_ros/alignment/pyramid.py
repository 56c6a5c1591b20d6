"""The gradient fields of a rig's frames at a common scale, full, half and quarter size."""

import math
from collections.abc import Sequence

import cv2
import numpy as np

from dig2dig_ros.alignment.equations import LinearisedFrame
from dig2dig_ros.alignment.field import gradient_field, grey_levels
from dig2dig_ros.alignment.refine import blurred, resizing

_WORK_PIXELS = 640 * 512
# Infrared is enlarged this much at most: there is nothing in between its pixels.
_MOST_ENLARGED = 2.0
_MULTIPLE = 8
LEVELS = (2, 1, 0)

Frame = tuple[np.ndarray, np.ndarray]
"""Infrared and visible image of one moment."""


class Pyramid:
    """Fields of pairs of frames, brought to a common scale by a nominal ratio of pixels."""

    def __init__(self, frames: Sequence[Frame], nominal_scale: float | None = None) -> None:
        """Compute the fields.

        :param frames: pairs of images, H x W or H x W x 3, uint8, uint16 or float32; sizes may
            differ between the cameras, not between frames.
        :param nominal_scale: visible pixels to an infrared pixel; by default that of cameras
            that see equally much.
        :raises InputError: where an image is flat.
        """
        (infrared, visible) = frames[0]
        area = {name: image.shape[0] * image.shape[1]
                for name, image in (('infrared', infrared), ('visible', visible))}
        nominal = nominal_scale or math.sqrt(area['visible'] / area['infrared'])
        shrink = min(1.0, math.sqrt(_WORK_PIXELS / area['visible']), _MOST_ENLARGED / nominal)
        self.to_work = []
        sides = []
        for side, factor in enumerate((nominal * shrink, shrink)):
            images = [_resized(grey_levels(pair[side], _name(index, side)), factor)
                      for index, pair in enumerate(frames)]
            height, width = frames[0][side].shape[:2]
            self.to_work.append(resizing([images[0].shape[1] / width,
                                          images[0].shape[0] / height]))
            sides.append([_cropped(image) for image in images])
        self._fields = [[gradient_field(image) for image in side] for side in sides]
        self._half = [[gradient_field(_resized(image, 0.5)) for image in side] for side in sides]
        self.size = self._fields[1][0].shape[1::-1]
        self._levels: dict[int, list[tuple[LinearisedFrame, np.ndarray]]] = {}

    def search_fields(self, level: int) -> list[list[np.ndarray]]:
        """Fields to correlate: of half size (1) or of quarter size (2); infrared first."""
        if level == 1:
            return self._half
        return [[cv2.resize(field, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
                 for field in side] for side in self._half]

    def level(self, level: int) -> list[tuple[LinearisedFrame, np.ndarray]]:
        """(Linearised visible field, infrared field) of each frame, blurred."""
        if level not in self._levels:
            self._levels[level] = [
                (LinearisedFrame(blurred(visible, level)), blurred(infrared, level))
                for infrared, visible in zip(*self._fields, strict=True)]
        return self._levels[level]

    def homography(self, moving: np.ndarray) -> np.ndarray:
        """Turn a 2 x 3 or 3 x 3 map in working pixels into 3 x 3, infrared to visible pixels."""
        moving = np.vstack([moving, [0, 0, 1]]) if len(moving) == 2 else moving
        matrix = np.linalg.inv(self.to_work[1]) @ moving @ self.to_work[0]
        return matrix / matrix[2, 2]


def _name(index: int, side: int) -> str:
    return f'{("infrared", "visible")[side]} frame {index + 1}'


def _resized(image: np.ndarray, factor: float) -> np.ndarray:
    if factor == 1:
        return image
    return cv2.resize(image, None, fx=factor, fy=factor,
                      interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC)


def _cropped(image: np.ndarray) -> np.ndarray:
    """Cut right and bottom, so that the levels below have whole pixels."""
    height, width = (side - side % _MULTIPLE if side >= _MULTIPLE else side
                     for side in image.shape[:2])
    return np.ascontiguousarray(image[:height, :width])
