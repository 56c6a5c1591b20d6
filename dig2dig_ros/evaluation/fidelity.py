"""Metrics of the fused image against its sources, from differences, correlation, information.

Every function takes H x W float64 arrays of grey levels in [0, 255]: the fused image and, in one
array, the K sources.
"""

import cv2
import numpy as np
from skimage.metrics import structural_similarity

PEAK = 255.0


def mean_squared_errors(fused: np.ndarray, sources: np.ndarray) -> np.ndarray:
    """Squared error of each source, averaged over pixels: K values."""
    return np.mean((sources - fused) ** 2, axis=(1, 2))


def mse(fused: np.ndarray, sources: np.ndarray) -> float:
    """MSE: mean over the sources, in grey levels squared."""
    return float(np.mean(mean_squared_errors(fused, sources)))


def psnr(fused: np.ndarray, sources: np.ndarray) -> float:
    """PSNR: 10 log10(255^2 / MSE_k) in dB, summed over the sources; infinite where the fused
    image equals a source."""
    with np.errstate(divide='ignore'):
        return float(np.sum(10 * np.log10(PEAK ** 2 / mean_squared_errors(fused, sources))))


def ssim(fused: np.ndarray, sources: np.ndarray) -> float:
    """SSIM: summed over the sources, Gaussian window of 11 x 11 pixels with sigma 1.5, the
    form of Wang et al. 2004."""
    return float(sum(structural_similarity(
        fused, source, data_range=PEAK, gaussian_weights=True, sigma=1.5,
        use_sample_covariance=False) for source in sources))


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Pearson correlation of two images, 0 where one of them is constant."""
    a, b = a - a.mean(), b - b.mean()
    norm = np.sqrt(np.sum(a ** 2) * np.sum(b ** 2))
    return float(np.sum(a * b) / norm) if norm > 0 else 0.0


def correlation_coefficient(fused: np.ndarray, sources: np.ndarray) -> float:
    """CC: Pearson correlation with each source, mean over the sources (Deshmukh 2010)."""
    return float(np.mean([correlation(fused, source) for source in sources]))


def sum_of_correlations_of_differences(fused: np.ndarray, sources: np.ndarray) -> float:
    """SCD: sum over k of the correlation of source k with what is left of the fused image
    without the other source (Aslantas and Bendes 2015); for K > 2, without their mean."""
    count = len(sources)
    total = sources.sum(axis=0)
    return sum(correlation(fused - (total - source) / max(count - 1, 1), source)
               for source in sources)


def mutual_information(fused: np.ndarray, sources: np.ndarray) -> float:
    """MI: mutual information of the 256-level histograms with each source, summed (Qu et al.
    2002). In nats, as the evaluators of VIFB and DDFM have it; divide by ln 2 for bits."""
    return sum(_mutual_information(fused, source) for source in sources)


def _mutual_information(a: np.ndarray, b: np.ndarray) -> float:
    pairs = a.astype(np.intp).ravel() * 256 + b.astype(np.intp).ravel()
    joint = np.bincount(pairs, minlength=256 * 256).reshape(256, 256) / pairs.size
    independent = np.outer(joint.sum(axis=1), joint.sum(axis=0))
    seen = joint > 0
    return float(np.sum(joint[seen] * np.log(joint[seen] / independent[seen])))


def visual_information_fidelity(fused: np.ndarray, sources: np.ndarray) -> float:
    """VIF: pixel-domain visual information fidelity with each source as the reference (Sheikh
    and Bovik 2006, four scales, noise variance 2), summed over the sources.

    The test holds it to torchmetrics' float64 figures. It is written out here because separable
    windows make it ten times faster, and because torchmetrics and piq import torchvision, which
    fails wherever its build is not that of torch.
    """
    return sum(_pixel_vif(source, fused) for source in sources)


def _pixel_vif(reference: np.ndarray, distorted: np.ndarray, noise: float = 2.0) -> float:
    kept = available = 0.0
    for side in (17, 9, 5, 3):
        if side < 17:
            reference = _window_mean(reference, side)[::2, ::2]
            distorted = _window_mean(distorted, side)[::2, ::2]
        variance, error, gain = _window_channel(reference, distorted, side)
        kept += np.sum(np.log1p(gain ** 2 * variance / (error + noise)))
        available += np.sum(np.log1p(variance / noise))
    return float(kept / available) if available > 0 else 1.0


def _window_channel(reference: np.ndarray, distorted: np.ndarray,
                     side: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Fit `distorted = gain * reference + error` in every window.

    :returns: variance of the reference, variance of the error, gain (not negative).
    """
    tiny = 1e-10
    mean_r, mean_d = _window_mean(reference, side), _window_mean(distorted, side)
    variance_r = np.maximum(_window_mean(reference ** 2, side) - mean_r ** 2, 0)
    variance_d = np.maximum(_window_mean(distorted ** 2, side) - mean_d ** 2, 0)
    covariance = _window_mean(reference * distorted, side) - mean_r * mean_d
    variance_r[variance_r < tiny] = 0
    gain = np.where(variance_d < tiny, 0, np.maximum(covariance, 0) / (variance_r + tiny))
    gain[variance_r == 0] = 0
    error = np.maximum(variance_d - gain * covariance, tiny)
    return variance_r, error, gain


def _window_mean(image: np.ndarray, side: int) -> np.ndarray:
    """Gaussian mean, sigma a fifth of the side, where the window lies inside the image."""
    kernel = cv2.getGaussianKernel(side, side / 5, cv2.CV_64F)
    half = side // 2
    return cv2.sepFilter2D(image, cv2.CV_64F, kernel, kernel)[half:-half, half:-half]
