"""Two halves of one frame: what a single picture has to say for its own alignment.

Frames of a rig are told right by their even and odd ones agreeing. Of one frame the quadrants of
what both cameras see do it: top left with bottom right, and top right with bottom left. Each half
reaches both ends of either axis, so it knows scale and rotation; a map that only one side of the
picture holds to, as where perspective is more than a similarity, they do not share.

How far they differ does not tell alone: of a right frame with little structure on one side they
differ by as much, but fit hardly better for it.
"""

import cv2
import numpy as np

from dig2dig_ros.alignment.rig import Size

_GRID = 17


def quadrants(homography: np.ndarray, infrared: Size, visible: Size, size: Size
              ) -> tuple[np.ndarray, np.ndarray]:
    """Masks of the two halves.

    :param homography: 3 x 3, infrared to visible pixels.
    :param infrared: (width, height); `visible` likewise.
    :param size: (width, height) of the masks, which lie over the visible image.
    :returns: bool, height x width.
    """
    right, bottom = infrared[0] - 1.0, infrared[1] - 1.0
    corners = np.array([[[0, 0]], [[right, 0]], [[0, bottom]], [[right, bottom]]])
    seen = cv2.perspectiveTransform(corners, homography)[:, 0].clip(0, np.array(visible) - 1.0)
    middle = (seen.min(axis=0) + seen.max(axis=0)) / 2 * size / np.array(visible)
    left = np.arange(size[0]) < middle[0]
    first = left[None] == (np.arange(size[1]) < middle[1])[:, None]
    return first, ~first


def shared_distance(first: np.ndarray, second: np.ndarray, infrared: Size,
                    visible: Size) -> float:
    """Mean distance between where two homographies put what both cameras see, visible pixels.

    :param first: 3 x 3, infrared to visible pixels; `second` likewise.
    :param infrared: (width, height); `visible` likewise.
    :returns: the visible diagonal where they see nothing in common.
    """
    grid = np.stack(np.meshgrid(*(np.linspace(0, side - 1, _GRID) for side in infrared)), axis=-1)
    a, b = (cv2.perspectiveTransform(grid.reshape(-1, 1, 2), each)[:, 0]
            for each in (first, second))
    seen = ((b >= 0) & (b < visible)).all(axis=1)
    return float(np.linalg.norm(a - b, axis=1)[seen].mean() if seen.any() else np.hypot(*visible))
