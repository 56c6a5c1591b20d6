"""Counters and latencies of the live path, written by two threads. No ROS here."""

import threading
import time
from collections import Counter, deque
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

WINDOW = 300
RATE_WINDOW_S = 5.0
PERCENTILES = (50, 90, 99)


class FrameRecord(NamedTuple):
    """One frame: when it was published, and how long it took.

    Attributes:
        done_s: of the steady clock.
        stamp_ms: visible stamp to publish, by the node's clock; None where the stamp is of
            another clock.
        receive_ms: arrival of the later image to publish.
        engine_ms: in the engine.
        skew_ms: between the two cameras.
    """

    done_s: float
    stamp_ms: float | None
    receive_ms: float
    engine_ms: float
    skew_ms: float


class Statistics:
    """What became of every image and pair.

    `pairs in` is the sum of `fused`, of all `pairs dropped: ...` and of what is in work.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._frames: deque[FrameRecord] = deque(maxlen=WINDOW)
        self._weights: tuple[float, float] | None = None
        self._error = ''

    def count(self, what: str, number: int = 1) -> None:
        """Count something."""
        if number:
            with self._lock:
                self._counts[what] += number

    def lose(self, is_pair: bool, reason: str, number: int = 1, error: str = '') -> None:
        """Count what is not fused, a pair or an image without partner, and why."""
        self.count(f'{"pairs" if is_pair else "single images"} dropped: {reason}', number)
        if error:
            self._error = error

    def fused(self, record: FrameRecord, mean_weights: Sequence[float]) -> None:
        """Count a fused pair."""
        with self._lock:
            self._counts['fused'] += 1
            self._frames.append(record)
            self._weights = tuple(mean_weights)

    @property
    def counts(self) -> Counter[str]:
        """A copy of the counters."""
        with self._lock:
            return self._counts.copy()

    @property
    def last_error(self) -> str:
        """Text of the last error, empty if there was none."""
        return self._error

    @property
    def mean_weights(self) -> tuple[float, float] | None:
        """Mean weight of infrared and visible in the last fused frame."""
        return self._weights

    def fps(self) -> float:
        """Fused frames per second over the last seconds."""
        now_s = time.monotonic()
        with self._lock:
            recent = [frame.done_s for frame in self._frames
                      if now_s - frame.done_s < RATE_WINDOW_S]
        if len(recent) < 2:
            return 0.0
        return (len(recent) - 1) / (recent[-1] - recent[0])

    def percentiles(self, field: str) -> tuple[float, ...] | None:
        """Return p50, p90 and p99 of a field of the last frames that have it; None without."""
        with self._lock:
            values = [value for frame in self._frames
                      if (value := getattr(frame, field)) is not None]
        return tuple(np.percentile(values, PERCENTILES)) if values else None
