"""Metrics of the fused image alone: how much contrast and detail it shows.

Noise raises all of them, so none says on its own that a fusion is good. Every function takes an
H x W array of grey levels in [0, 255].
"""

import cv2
import numpy as np
from skimage.measure import shannon_entropy


def entropy(image: np.ndarray) -> float:
    """EN: Shannon entropy of the histogram of grey levels, in bits, 0..8 (Roberts et al. 2008)."""
    return float(shannon_entropy(image, base=2))


def standard_deviation(image: np.ndarray) -> float:
    """SD: standard deviation of the grey levels (Rao 1997)."""
    return float(np.std(image))


def spatial_frequency(image: np.ndarray) -> float:
    """SF: sqrt(RF^2 + CF^2), RF and CF the root mean square of the differences between
    neighbours in a row and in a column (Eskicioglu and Fisher 1995)."""
    return float(np.sqrt(np.mean(np.diff(image, axis=1) ** 2)
                         + np.mean(np.diff(image, axis=0) ** 2)))


def average_gradient(image: np.ndarray) -> float:
    """AG: mean of sqrt((dx^2 + dy^2) / 2) with central differences, one-sided at the border
    (Cui et al. 2015)."""
    dy, dx = np.gradient(image)
    return float(np.mean(np.sqrt((dx ** 2 + dy ** 2) / 2)))


def edge_intensity(image: np.ndarray) -> float:
    """EI: mean magnitude of the 3 x 3 Sobel gradient, border replicated (Rajalingam and Priya
    2018, as in the VIFB benchmark)."""
    dx = cv2.Sobel(image, cv2.CV_64F, 1, 0, borderType=cv2.BORDER_REPLICATE)
    dy = cv2.Sobel(image, cv2.CV_64F, 0, 1, borderType=cv2.BORDER_REPLICATE)
    return float(np.mean(np.hypot(dx, dy)))
