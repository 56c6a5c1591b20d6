"""What a camera sees that was knocked out of place."""

from collections.abc import Sequence

import cv2
import numpy as np

ALIGNED = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)


def misaligned(image: np.ndarray, homography: Sequence[float]) -> np.ndarray:
    """Show an image as a camera would that is out of place; what it lacks is mirrored in.

    :param image: H x W, uint8, uint16 or float32.
    :param homography: row-major 3 x 3, from the pixels of an aligned camera to this one's;
        `ALIGNED` gives `image` itself.
    """
    if tuple(homography) == ALIGNED:
        return image
    return cv2.warpPerspective(image, np.reshape(homography, (3, 3)).astype(np.float64),
                               image.shape[1::-1], borderMode=cv2.BORDER_REFLECT)
