"""The double-angle gradient field: what an infrared and a visible picture have in common.

Of an edge it keeps the direction, not the sign, so a contrast inversion leaves it as it is.
"""

import cv2
import numpy as np

from dig2dig_ros.errors import InputError

_GRADIENT_BLUR = 1.0
# Gradients are judged against those within about this share of the picture's diagonal.
_LOCAL_SHARE = 0.015
# Of 255 grey levels, a pixel; sensor noise below it makes no direction.
_NOISE_FLOOR = 0.25
_MIN_SPAN = 4
_ONE = 32767


def grey_levels(image: np.ndarray, name: str = 'image') -> np.ndarray:
    """Bring an image to float32 grey levels of about 0..255, its contrast stretched.

    :param image: H x W or H x W x 3 (BGR), uint8, uint16 or float32.
    :param name: what to call it in an error.
    :raises InputError: for a flat image, which says nothing of where things are.
    """
    grey = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    low, high = np.percentile(grey, (1, 99))
    least = _MIN_SPAN if grey.dtype != np.float32 else 1e-4 * max(1.0, abs(high))
    if not np.isfinite([low, high]).all() or high - low < least:
        raise InputError(f'{name} is flat (values {low:g} to {high:g}); a covered lens or a '
                         'closed shutter shows nothing to align')
    span = max(high - low, 1.0) if grey.dtype != np.float32 else high - low
    return (grey.astype(np.float32) - np.float32(low)) * np.float32(255 / span)


def gradient_field(grey: np.ndarray) -> np.ndarray:
    """Compute q = (gx^2 - gy^2, 2 gx gy) / |g|^2 * min(1, |g| / (2 mean |g| + floor)).

    :param grey: H x W float32 of about 0..255.
    :returns: H x W x 2 float32, each vector at most 1 long.
    """
    smooth = cv2.GaussianBlur(grey, (0, 0), _GRADIENT_BLUR)
    gx = cv2.Scharr(smooth, cv2.CV_32F, 1, 0, scale=1 / 32)
    gy = cv2.Scharr(smooth, cv2.CV_32F, 0, 1, scale=1 / 32)
    size = cv2.magnitude(gx, gy)
    box = 2 * round(_LOCAL_SHARE * np.hypot(*grey.shape) * 1.7) + 1
    local = cv2.blur(cv2.blur(size, (box, box)), (box, box))
    gain = np.minimum(1, size / (2 * local + _NOISE_FLOOR)) / np.maximum(size * size, 1e-12)
    field = np.empty((*grey.shape, 2), np.float32)
    field[..., 0] = (gx * gx - gy * gy) * gain
    field[..., 1] = 2 * gx * gy * gain
    return field


def paired_fields(infrared: np.ndarray, visible: np.ndarray, valid: np.ndarray | None,
                  size: tuple[int, int]) -> list[np.ndarray]:
    """Compute the fields of an aligned pair at another size, infrared first.

    :param infrared: H x W or H x W x 3, uint8, in the visible frame.
    :param visible: likewise.
    :param valid: bool H x W, where infrared is there; None: everywhere. The edge of that is no
        edge of the scene: the fields are 0 there and outside.
    :param size: (width, height) of the fields.
    :raises InputError: where an image is flat.
    """
    pair = [gradient_field(grey_levels(cv2.resize(image, size, interpolation=cv2.INTER_AREA)))
            for image in (infrared, visible)]
    if valid is None:
        return pair
    inside = cv2.erode(cv2.resize(valid.astype(np.uint8), size), np.ones((9, 9), np.uint8),
                       borderType=cv2.BORDER_CONSTANT, borderValue=1)
    return [field * inside[..., None] for field in pair]


def packed(field: np.ndarray) -> np.ndarray:
    """Halve the memory: int16 of values in [-1, 1]. Back it is ten times as fast as float16."""
    return np.rint(field * np.float32(_ONE)).astype(np.int16)


def unpacked(field: np.ndarray) -> np.ndarray:
    """Give float32 of a field that may be packed."""
    return field if field.dtype == np.float32 else field * np.float32(1 / _ONE)


def warp(image: np.ndarray, matrix: np.ndarray, size: tuple[int, int], flags: int) -> np.ndarray:
    """Move an image by a 2 x 3 or a 3 x 3 map, from its pixels to those of the result.

    :param size: (width, height) of the result, which is 0 where the image does not reach.
    :param flags: OpenCV's interpolation.
    """
    function = cv2.warpAffine if len(matrix) == 2 else cv2.warpPerspective
    return function(image, matrix, size, flags=flags)


def warp_field(field: np.ndarray, matrix: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Move a field: its places and, by twice the angle at its middle, its vectors.

    :param matrix: 2 x 3 or 3 x 3, near a similarity, from the field's pixels to those of the
        result.
    :param size: (width, height) of the result.
    :returns: height x width x 2 float32, 0 where the field does not reach.
    """
    angle = 2 * _angle(matrix, field.shape[1::-1])
    moved = warp(field, matrix, size, cv2.INTER_LINEAR)
    cosine, sine = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    return cv2.transform(moved, np.array([[cosine, -sine], [sine, cosine]]))


def _angle(matrix: np.ndarray, size: tuple[int, int]) -> float:
    """By how much a map turns a row at the middle of an image, radians from x towards y."""
    x, y = (side / 2 for side in size)
    places = matrix @ np.array([[x, x + 1], [y, y], [1, 1]])
    if len(matrix) == 3:
        places = places[:2] / places[2]
    return float(np.arctan2(*(places[:, 1] - places[:, 0])[::-1]))
