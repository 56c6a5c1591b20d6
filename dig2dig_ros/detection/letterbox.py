"""Bringing a picture to a network's input, and boxes back."""

import dataclasses

import cv2
import numpy as np

from dig2dig_ros.images import in_colour

GREY = 114  # what the YOLO families fill the border with


@dataclasses.dataclass(frozen=True)
class Placement:
    """Where the picture lies in the network's input: input = pixel * scale + offset, (x, y)."""

    scale: tuple[float, float]
    offset: tuple[float, float]

    def back(self, boxes: np.ndarray) -> np.ndarray:
        """Boxes n x 4 (x, y, width, height) from input to image pixels."""
        scale, offset = np.tile(self.scale, 2), np.array([*self.offset, 0, 0])
        return (boxes - offset) / scale


def place(image: np.ndarray, height: int, width: int,
          fit: str) -> tuple[np.ndarray, Placement]:
    """Resize a picture to the input of a network.

    :param image: uint8, H x W or H x W x 3 (BGR).
    :param fit: stretch; top-left or centre: aspect kept, the rest filled with grey 114.
    :returns: uint8, height x width x 3 (BGR), and where the picture lies in it.
    """
    picture = in_colour(image)
    rows, columns = picture.shape[:2]
    if fit == 'stretch':
        resized = cv2.resize(picture, (width, height), interpolation=cv2.INTER_LINEAR)
        return resized, Placement((width / columns, height / rows), (0, 0))
    scale = min(width / columns, height / rows)
    new_w, new_h = max(1, round(columns * scale)), max(1, round(rows * scale))
    left, top = ((width - new_w) // 2, (height - new_h) // 2) if fit == 'centre' else (0, 0)
    canvas = np.full((height, width, 3), GREY, np.uint8)
    canvas[top:top + new_h, left:left + new_w] = cv2.resize(
        picture, (new_w, new_h), interpolation=cv2.INTER_LINEAR)
    return canvas, Placement((new_w / columns, new_h / rows), (left, top))
