"""Flicker: what a fusion changes from frame to frame where the scene does not."""

from collections import defaultdict
from collections.abc import Callable, Sequence

import cv2
import numpy as np

from dig2dig_ros.engine import FusionResult
from dig2dig_ros.errors import InputError
from dig2dig_ros.evaluation.metrics import luminance

# A pixel is static where the 5 x 5 mean of no source changed by more than 4 grey levels: wide
# enough to average sensor noise of a few levels, and what the engine's stream takes for motion.
STATIC_WINDOW_PX = 5
STATIC_CHANGE = 4.0


class Flicker:
    """Measures the frames of one sequence, in order."""

    def __init__(self):
        """Start before the first frame."""
        self._before: tuple[np.ndarray, list[np.ndarray]] | None = None

    def next(self, fused: np.ndarray, sources: Sequence[np.ndarray]) -> float:
        """Flicker between the frame before and this one.

        On every static pixel, the change of the fused image minus the largest change of a
        source, both absolute and in grey levels; then the mean over the static pixels. Below 0
        the fused video is calmer than its sources. NaN for the first frame, and where nothing
        is static.

        :param fused: uint8, H x W or H x W x 3 (BGR).
        :param sources: K images of that size.
        :raises InputError: where the size differs from that of the frame before.
        """
        now = luminance(fused), [luminance(source) for source in sources]
        before, self._before = self._before, now
        if before is None:
            return float('nan')
        if before[0].shape != now[0].shape:
            raise InputError(f'a frame of {now[0].shape[1]}x{now[0].shape[0]} pixels follows one '
                             f'of {before[0].shape[1]}x{before[0].shape[0]}; the frames of a '
                             'sequence must have one size')
        changes = [source - earlier for source, earlier in zip(now[1], before[1], strict=True)]
        static = np.all([np.abs(_smooth(change)) <= STATIC_CHANGE for change in changes], axis=0)
        excess = np.abs(now[0] - before[0]) - np.abs(changes).max(axis=0)
        return float(excess[static].mean()) if static.any() else float('nan')


class StreamMeter:
    """Follows what a stream makes of its frames, in order."""

    def __init__(self, names: Sequence[str]):
        """Take the names of the K sources."""
        self._names = names
        self._flicker = Flicker()

    def next(self, result: FusionResult, sources: Sequence[np.ndarray]) -> dict[str, float]:
        """Flicker since the frame before (see `Flicker.next`), and each source's mean weight."""
        weights = {f'weight {name}': float(weight.mean())
                   for name, weight in zip(self._names, result.weights, strict=True)}
        return {'flicker': self._flicker.next(result.image, sources)} | weights


def flicker_scores() -> Callable[[str, np.ndarray, Sequence[np.ndarray]], dict[str, float]]:
    """A score for `evaluate`: {'flicker': ...}, each method with its own past."""
    meters: dict[str, Flicker] = defaultdict(Flicker)
    return lambda method, fused, sources: {'flicker': meters[method].next(fused, sources)}


def _smooth(change: np.ndarray) -> np.ndarray:
    return cv2.blur(change, (STATIC_WINDOW_PX, STATIC_WINDOW_PX), borderType=cv2.BORDER_REPLICATE)
