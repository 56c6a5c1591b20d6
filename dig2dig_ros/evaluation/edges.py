"""Edge metrics of Xydeas and Petrovic: what of the sources' edges the fused image keeps (Qabf),
and which edges it made up (Nabf).

Every function takes H x W float64 arrays of grey levels in [0, 255]: the fused image and, in one
array, the K sources.
"""

import cv2
import numpy as np


def qabf(fused: np.ndarray, sources: np.ndarray) -> float:
    """Qabf: preserved edge information, 0..1 (Xydeas and Petrovic 2000): for each source the
    product of strength and orientation preservation, weighted by the strength of its edges.
    Where no source has an edge there is nothing to lose: 1."""
    strength_f, angle_f = _edges(fused, 1.0, cv2.BORDER_CONSTANT)
    preserved = total = 0.0
    for source in sources:
        strength, angle = _edges(source, 1.0, cv2.BORDER_CONSTANT)
        kept_strength = _sigmoid(_ratio(strength, strength_f), 0.9994, 15, 0.5)
        kept_angle = _sigmoid(1 - np.abs(angle - angle_f) / (np.pi / 2), 0.9879, 22, 0.8)
        preserved += np.sum(kept_strength * kept_angle * strength)
        total += np.sum(strength)
    return float(preserved / total) if total > 0 else 1.0


def nabf(fused: np.ndarray, sources: np.ndarray) -> float:
    """Nabf: fusion artifacts, 0..1, lower is better (Petrovic and Xydeas 2005, as modified by
    Shreyamsha Kumar 2013): what is not preserved of the sources' edges, where the fused edge is
    stronger than that of every source."""
    strength_f, angle_f = _edges(fused, 1 / 8, cv2.BORDER_REFLECT_101)
    made_up = np.ones(fused.shape, bool)
    lost = np.zeros(fused.shape)
    total = 0.0
    for source in sources:
        strength, angle = _edges(source, 1 / 8, cv2.BORDER_REFLECT_101)
        ratio = np.where(np.minimum(strength, strength_f) == 0, 0, _ratio(strength, strength_f))
        alignment = np.abs(np.abs(angle - angle_f) - np.pi / 2) / (np.pi / 2)
        kept = np.sqrt(_sigmoid(ratio, 0.9999, 19, 0.5) * _sigmoid(alignment, 0.9995, 22, 0.5))
        weight = np.where(strength >= 2, strength ** 1.5, 0.001)
        lost += (1 - kept) * weight
        total += np.sum(weight)
        made_up &= strength_f > strength
    return float(np.sum(lost[made_up]) / total)


def _edges(image: np.ndarray, scale: float, border: int) -> tuple[np.ndarray, np.ndarray]:
    """Strength and orientation, in (-pi/2, pi/2], of the 3 x 3 Sobel gradient."""
    dx = cv2.Sobel(image, cv2.CV_64F, 1, 0, scale=scale, borderType=border)
    dy = cv2.Sobel(image, cv2.CV_64F, 0, 1, scale=-scale, borderType=border)
    with np.errstate(divide='ignore', invalid='ignore'):
        angle = np.where(dx == 0, np.pi / 2, np.arctan(dy / dx))
    return np.hypot(dx, dy), angle


def _ratio(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The smaller of two strengths over the larger, 1 where both are zero."""
    larger = np.maximum(a, b)
    return np.divide(np.minimum(a, b), larger, out=np.ones_like(a), where=larger > 0)


def _sigmoid(x: np.ndarray, limit: float, slope: float, centre: float) -> np.ndarray:
    return limit / (1 + np.exp(-slope * (x - centre)))
