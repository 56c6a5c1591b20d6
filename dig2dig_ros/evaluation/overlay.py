"""Pictures of weight maps, for people."""

import cv2
import numpy as np


def weight_overlay(image: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Tint a fused image by which source each pixel came from.

    :param image: uint8, H x W or H x W x 3 (BGR).
    :param weights: float32, K x H x W, summing to 1.
    :returns: uint8, H x W x 3 (BGR): the luminance of the image, in the weighted mean of K hues;
        with two sources orange is the first (infrared) and blue the second (visible).
    """
    hues = _hues(len(weights))
    tint = np.tensordot(weights, hues, axes=(0, 0))
    grey = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    # A quarter of the tint stays where the picture is black, so that weights show there too.
    shade = 0.25 + 0.75 * grey.astype(np.float32)[..., None] / 255
    return (255 * tint * shade).round().clip(0, 255).astype(np.uint8)


def _hues(count: int) -> np.ndarray:
    """Count evenly spaced colours from orange on, BGR in 0..1, count x 3."""
    degrees = (30 + 360 * np.arange(count) / count) % 360
    hsv = np.stack([degrees / 2, np.full(count, 200), np.full(count, 255)], axis=-1)
    bgr = cv2.cvtColor(hsv.astype(np.uint8)[None], cv2.COLOR_HSV2BGR)[0]
    return bgr.astype(np.float32) / 255
