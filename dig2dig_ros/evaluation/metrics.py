"""All fusion metrics of one image, by the names of the papers."""

from collections.abc import Callable, Sequence

import cv2
import numpy as np

from dig2dig_ros.errors import InputError
from dig2dig_ros.evaluation import edges, fidelity, no_reference

AGAINST_SOURCES: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {
    'PSNR': fidelity.psnr,
    'SSIM': fidelity.ssim,
    'MSE': fidelity.mse,
    'CC': fidelity.correlation_coefficient,
    'Nabf': edges.nabf,
    'Qabf': edges.qabf,
    'VIF': fidelity.visual_information_fidelity,
    'SCD': fidelity.sum_of_correlations_of_differences,
    'MI': fidelity.mutual_information,
}
NO_REFERENCE: dict[str, Callable[[np.ndarray], float]] = {
    'EN': no_reference.entropy,
    'SD': no_reference.standard_deviation,
    'SF': no_reference.spatial_frequency,
    'AG': no_reference.average_gradient,
    'EI': no_reference.edge_intensity,
}
LOWER_IS_BETTER = frozenset({'MSE', 'Nabf', 'LPIPS', 'flicker', 'ms', 'network_calls'})
SMALLEST_SIDE_PX = 41  # of an image: below it the coarsest scale of VIF has no whole window


def measure(fused: np.ndarray, sources: Sequence[np.ndarray]) -> dict[str, float]:
    """Measure one fused image against its K >= 1 sources, on 8-bit BT.601 luminance.

    :param fused: uint8, H x W or H x W x 3 (BGR).
    :param sources: K arrays of the same H x W, each uint8, H x W or H x W x 3 (BGR).
    :returns: value by metric name. PSNR, SSIM, VIF, SCD and MI are sums over the sources, MSE
        and CC means.
    :raises InputError: where an image is no 8-bit image, too small, or of another size.
    """
    fused_y = luminance(fused)
    if not len(sources):
        raise InputError('there are no sources; a fused image is measured against its sources')
    check_size(fused_y)
    sources_y = [luminance(source) for source in sources]
    for number, source in enumerate(sources_y, 1):
        if source.shape != fused_y.shape:
            raise InputError(f'source {number} is {_size(source)} pixels and the fused image '
                             f'{_size(fused_y)}; they must be of one size')
    stack = np.stack(sources_y)
    values = {name: metric(fused_y, stack) for name, metric in AGAINST_SOURCES.items()}
    return values | {name: metric(fused_y) for name, metric in NO_REFERENCE.items()}


def check_size(image: np.ndarray) -> None:
    """Refuse an image, H x W or H x W x 3, that is too small for the metrics.

    :raises InputError: naming its size and the smallest.
    """
    if min(image.shape[:2]) < SMALLEST_SIDE_PX:
        raise InputError(f'the image is {_size(image)} pixels; to be measured, both sides must '
                         f'be {SMALLEST_SIDE_PX} at least')


def luminance(image: np.ndarray) -> np.ndarray:
    """BT.601 luminance, rounded to whole grey levels: float64, H x W, [0, 255].

    :raises InputError: where the image is not uint8, H x W or H x W x 3.
    """
    if image.dtype != np.uint8 or image.ndim not in (2, 3) or image.shape[2:] not in ((), (3,)):
        raise InputError(f'an image is {image.dtype} of shape {image.shape}; it must be uint8, '
                         'H x W or H x W x 3 (BGR)')
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY) if image.ndim == 3 else image
    return grey.astype(np.float64)


def _size(image: np.ndarray) -> str:
    return f'{image.shape[1]}x{image.shape[0]}'
