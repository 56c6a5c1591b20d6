"""Maps raw thermal images (16-bit counts or floats) to the 8 bits that the fusion takes."""

import dataclasses
import math

import cv2
import numpy as np

from dig2dig_ros.camera.polarity import POLARITIES
from dig2dig_ros.errors import InputError
from dig2dig_ros.option import option

MODES = ('percentile', 'range', 'none')
_SAMPLES = 16_384
# A percentile range below this many counts, or this share of a float, is sensor noise; stretching
# it would fill a blank wall with grain.
_LEAST_SPAN_COUNTS = 16.0
_LEAST_SPAN_SHARE = 1e-4


@dataclasses.dataclass(frozen=True)
class ThermalSettings:
    """How the infrared image becomes 8 bits, hot as white."""

    agc: str = option(
        'percentile', 'automatic gain control of 16-bit and float infrared: percentile (of the '
        'frame, smoothed), range (fixed radiometric range) or none (the high byte)',
        choices=MODES)
    low_percentile: float = option(1.0, 'this percentile becomes black', bounds=(0.0, 100.0))
    high_percentile: float = option(99.0, 'this percentile becomes white', bounds=(0.0, 100.0))
    smoothing: float = option(
        0.9, 'share of the previous limits kept at each frame; 0: every frame by itself, which '
        'flickers', bounds=(0.0, 0.999))
    minimum: float = option(0.0, 'counts or degrees that become black, for agc range',
                            bounds=(-1e6, 1e6))
    maximum: float = option(65535.0, 'counts or degrees that become white, for agc range',
                            bounds=(-1e6, 1e6))
    crop_rows: int = option(
        0, 'rows of telemetry cut off the infrared image, at the bottom (positive) or top '
        '(negative)', bounds=(-1000, 1000))
    polarity: str = option(
        'white-hot', 'how the camera shows hot: white-hot, or black-hot, which is inverted; auto: '
        'judged by whether small spots are bright or dark, white-hot where in doubt',
        choices=POLARITIES)

    def gain_controls(self) -> tuple['GainControl', 'GainControl']:
        """Make those of the infrared and of the visible camera.

        A visible camera of 8 bits is left as it is; one of 10 to 16 has percentiles too.
        :raises InputError: where the values do not fit together.
        """
        percentiles = (self.low_percentile, self.high_percentile, self.smoothing)
        return (GainControl(self.agc, *percentiles, self.minimum, self.maximum),
                GainControl('percentile', *percentiles))


def without_telemetry(raw: np.ndarray, crop_rows: int) -> np.ndarray:
    """Cut rows off at the bottom (positive) or top (negative); a view.

    :raises InputError: where nothing would be left.
    """
    if crop_rows == 0:
        return raw
    _require(abs(crop_rows) < raw.shape[0], 'crop_rows', crop_rows,
             f'fewer than the {raw.shape[0]} rows of the image')
    return raw[:-crop_rows] if crop_rows > 0 else raw[-crop_rows:]


class GainControl:
    """Automatic gain control of one camera; it carries the range from frame to frame.

    `percentile`: the range between two percentiles of the frame becomes 0..255, smoothed over
    frames so that a hot object entering the view does not make the picture flicker. 8-bit
    frames are left as they are: their camera has a gain control of its own.
    `range`: `minimum`..`maximum`, in the image's units (counts, or the kelvin or degrees that a
    radiometric driver sends), becomes 0..255, for every depth.
    `none`: 8-bit frames as they are, of 16-bit ones the high byte; floats are refused.
    """

    def __init__(self, mode: str = 'percentile', low: float = 1.0, high: float = 99.0,
                 smoothing: float = 0.9, minimum: float | None = None,
                 maximum: float | None = None) -> None:
        """Make a gain control that has seen nothing yet.

        :param low: percentile that becomes 0, [0, high).
        :param high: percentile that becomes 255, (low, 100].
        :param smoothing: share of the range so far in the next one, [0, 1), per frame.
        :param minimum: value that becomes 0, for `range`.
        :param maximum: value that becomes 255, for `range`.
        :raises InputError: naming the parameter.
        """
        _require(mode in MODES, 'thermal mode', mode, f'one of {", ".join(MODES)}')
        _require(0 <= low < high <= 100, 'percentiles', (low, high),
                 'two rising numbers from 0 to 100')
        _require(0 <= smoothing < 1, 'smoothing', smoothing, 'at least 0 and below 1')
        if mode == 'range':
            _require(None not in (minimum, maximum) and math.isfinite(maximum - minimum)
                     and minimum < maximum, 'minimum, maximum', (minimum, maximum),
                     'two rising numbers')
        self._mode = mode
        self._percentiles = (low, high)
        self._smoothing = smoothing
        self._fixed = (minimum, maximum)
        self._smoothed: np.ndarray | None = None
        self._dtype: np.dtype | None = None

    def __call__(self, raw: np.ndarray) -> np.ndarray:
        """Map one frame.

        :param raw: H x W or H x W x 3, uint8, uint16 or float32. NaN comes out black, and
            neither it nor infinity counts for the percentiles.
        :returns: uint8 of the same shape; `raw` itself where it is left as it is.
        :raises InputError: on another dtype, or floats without a range.
        """
        if raw.dtype == np.uint8 and self._mode != 'range':
            return raw
        _require(raw.dtype in (np.uint8, np.uint16, np.float32), 'dtype of a thermal image',
                 str(raw.dtype), 'uint8, uint16 or float32')
        if self._mode == 'none':
            _require(raw.dtype == np.uint16, 'thermal mode', 'none',
                     'percentile or range for a 32FC1 image')
            return (raw >> 8).astype(np.uint8)
        return _stretch(raw, *(self._fixed if self._mode == 'range' else self._follow(raw)))

    def reset(self) -> None:
        """Forget the range so far, as after a jump in time."""
        self._smoothed = None

    @property
    def memory(self) -> tuple[str, tuple[float, ...]] | None:
        """What carries over to the next frame: dtype and range so far; None: nothing yet."""
        if self._smoothed is None:
            return None
        return str(self._dtype), tuple(map(float, self._smoothed))

    def recall(self, memory: tuple[str, tuple[float, ...]] | None) -> None:
        """Go on from the `memory` of a gain control with the same settings."""
        self._smoothed = None
        if memory is not None:
            self._dtype, self._smoothed = np.dtype(memory[0]), np.array(memory[1])

    def _follow(self, raw: np.ndarray) -> tuple[float, float]:
        """Move the smoothed range towards this frame's; the first frame sets it."""
        if raw.dtype != self._dtype:
            self.reset()
            self._dtype = raw.dtype
        stride = max(1, math.isqrt(raw.shape[0] * raw.shape[1] // _SAMPLES))
        sample = raw[::stride, ::stride]
        if raw.dtype == np.float32:
            sample = sample[np.isfinite(sample)]
        if sample.size:
            frame = np.percentile(sample, self._percentiles)
            if self._smoothed is None:
                self._smoothed = frame
            elif frame[1] > frame[0]:  # a flat frame is the shutter: it says nothing of the scene
                self._smoothed = self._smoothing * self._smoothed + (1 - self._smoothing) * frame
        if self._smoothed is None:
            return 0.0, 1.0
        low, high = map(float, self._smoothed)
        least = (_LEAST_SPAN_COUNTS if raw.dtype == np.uint16
                 else _LEAST_SPAN_SHARE * max(1.0, abs(high)))
        widen = max(0.0, least - (high - low)) / 2
        return low - widen, high + widen


def _stretch(raw: np.ndarray, low: float, high: float) -> np.ndarray:
    """Map low..high linearly to 0..255, clipped."""
    scale = 255.0 / (high - low)
    if raw.dtype != np.float32:
        raw = raw.astype(np.float32)
    clipped = np.clip(raw, np.float32(low), np.float32(high))
    cv2.patchNaNs(clipped, low)
    return cv2.convertScaleAbs(clipped, alpha=scale, beta=-low * scale)


def _require(holds: bool, name: str, value: object, allowed: str) -> None:
    if not holds:
        raise InputError(f'{name} is {value!r}; it must be {allowed}')
