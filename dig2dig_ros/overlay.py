"""Pictures for people: who gave each pixel, what is hot, and whether the cameras agree.

Their purpose is the eye; a detector takes the fused image.
"""

import cv2
import numpy as np

from dig2dig_ros.camera.preparation import Prepared
from dig2dig_ros.images import in_colour

KINDS = ('weights', 'hot', 'checker')
# Infrared from this level on is shown in colour, fully so from the second one on.
_WARM, _HOT = 96.0, 192.0
_HOT_SHARE = 0.85
_SQUARES = 8


def overlay(kind: str, fused: np.ndarray, weights: np.ndarray, pair: Prepared) -> np.ndarray:
    """Draw one of `KINDS`.

    :param fused: uint8, H x W or H x W x 3 (BGR).
    :param weights: float32, 2 x H x W, summing to 1, infrared first.
    :param pair: what was fused; where a camera is missing, the weights are drawn.
    :returns: uint8, H x W x 3 (BGR).
    """
    if kind == 'weights' or pair.infrared is None or pair.visible is None:
        return weight_overlay(fused, weights)
    return hot_overlay(pair) if kind == 'hot' else checker(pair)


def hot_overlay(pair: Prepared) -> np.ndarray:
    """Lay what is hot over the visible image, in the colours of glowing iron.

    :returns: uint8, H x W x 3 (BGR): visible where infrared is in the lower part of its range or
        has no pixel.
    """
    table = np.interp(np.arange(256), (_WARM, _HOT), (0.0, _HOT_SHARE)).astype(np.float32)
    share = cv2.LUT(pair.infrared, table)
    if pair.valid is not None:
        share = share * pair.valid
    colours = cv2.applyColorMap(pair.infrared, cv2.COLORMAP_INFERNO)
    return cv2.blendLinear(colours, in_colour(pair.visible), share, 1 - share)


def checker(pair: Prepared, squares: int = _SQUARES) -> np.ndarray:
    """Show the two cameras in alternating squares: edges that go on across them are aligned.

    :param squares: in the height of the image.
    :returns: uint8, H x W x 3 (BGR); visible in the top left square, and where infrared has no
        pixel.
    """
    height, width = pair.visible.shape[:2]
    side = max(1, -(-height // squares))
    rows, columns = np.arange(height)[:, None] // side, np.arange(width) // side
    shown = (rows + columns) % 2 == 1
    if pair.valid is not None:
        shown &= pair.valid
    picture = in_colour(pair.visible).copy()
    return cv2.copyTo(in_colour(pair.infrared), shown.view(np.uint8), picture)


def weight_overlay(image: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Tint a fused image by which source each pixel came from.

    :param image: uint8, H x W or H x W x 3 (BGR).
    :param weights: float32, K x H x W, summing to 1.
    :returns: uint8, H x W x 3 (BGR): the luminance of the image, in the weighted mean of K hues;
        with two sources orange is the first (infrared) and blue the second (visible).
    """
    hues = _hues(len(weights))
    tint = cv2.transform(np.ascontiguousarray(np.moveaxis(weights, 0, -1)), hues.T)
    grey = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    # A quarter of the tint stays where the picture is black, so that weights show there too.
    shade = 0.25 + 0.75 * grey.astype(np.float32)[..., None] / 255
    return cv2.convertScaleAbs(tint * shade, alpha=255)


def _hues(count: int) -> np.ndarray:
    """Count evenly spaced colours from orange on, BGR in 0..1, count x 3."""
    degrees = (30 + 360 * np.arange(count) / count) % 360
    hsv = np.stack([degrees / 2, np.full(count, 200), np.full(count, 255)], axis=-1)
    bgr = cv2.cvtColor(hsv.astype(np.uint8)[None], cv2.COLOR_HSV2BGR)[0]
    return bgr.astype(np.float32) / 255
