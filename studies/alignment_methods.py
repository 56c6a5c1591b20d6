"""Ways of aligning one pair that studies/alignment.py compares."""

from collections.abc import Callable

import cv2
import numpy as np

from dig2dig_ros.alignment.align import align
from dig2dig_ros.images import in_grey

Method = Callable[[np.ndarray, np.ndarray], 'np.ndarray | None']


def magnitude(image: np.ndarray) -> np.ndarray:
    """Gradient magnitude as 8 bits, which infrared and visible share more of than grey."""
    smooth = cv2.GaussianBlur(in_grey(image).astype(np.float32), (0, 0), 1.5)
    size = cv2.magnitude(cv2.Sobel(smooth, cv2.CV_32F, 1, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 1))
    return (255 * np.clip(size / np.percentile(size, 99), 0, 1)).astype(np.uint8)


def ours(infrared: np.ndarray, visible: np.ndarray) -> np.ndarray | None:
    """Return the homography of dig2dig align, accepted or not."""
    return align([(infrared, visible)]).homography


def ecc(infrared: np.ndarray, visible: np.ndarray) -> np.ndarray | None:
    """OpenCV's ECC on gradient magnitudes."""
    try:
        _, warp = cv2.findTransformECC(
            magnitude(visible), magnitude(infrared), np.eye(2, 3, dtype=np.float32),
            cv2.MOTION_EUCLIDEAN, (3, 100, 1e-5), None, 5)
    except cv2.error:
        return None
    return np.linalg.inv(np.vstack([warp, [0, 0, 1]]))


def sift(infrared: np.ndarray, visible: np.ndarray) -> np.ndarray | None:
    """SIFT on gradient magnitudes, ratio test, RANSAC similarity."""
    finder = cv2.SIFT_create(3000)
    (first, a), (second, b) = (finder.detectAndCompute(magnitude(image), None)
                               for image in (infrared, visible))
    if a is None or b is None or min(len(a), len(b)) < 8:
        return None
    matches = [m for m, n in cv2.BFMatcher().knnMatch(a, b, k=2) if m.distance < 0.85 * n.distance]
    if len(matches) < 6:
        return None
    warp, _ = cv2.estimateAffinePartial2D(
        np.float32([first[m.queryIdx].pt for m in matches]),
        np.float32([second[m.trainIdx].pt for m in matches]), ransacReprojThreshold=4)
    return None if warp is None else np.vstack([warp, [0, 0, 1]])


METHODS = (('dig2dig align', ours), ('SIFT', sift), ('ECC', ecc))
