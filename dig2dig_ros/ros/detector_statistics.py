"""Counts and times of the detector node, and its status. Locked: two threads use them."""

import threading
import time
from collections import Counter, deque

import numpy as np
from diagnostic_msgs.msg import DiagnosticStatus

WINDOW = 300  # images
SILENT_S = 2.0  # without an image


class DetectorStatistics:
    """Every image that comes in is shown to the detector or counted as dropped, by reason."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._times_ms: deque[float] = deque(maxlen=WINDOW)
        self._ends_s: deque[float] = deque(maxlen=WINDOW)
        self._received_s = time.monotonic()
        self._last_error = ''
        self._failing = False

    def received(self) -> None:
        """Count an image that came in."""
        with self._lock:
            self._counts['images in'] += 1
            self._received_s = time.monotonic()

    def detected(self, objects: int, start_s: float) -> None:
        """Count an image that was shown to the detector, since a monotonic time."""
        with self._lock:
            now_s = time.monotonic()
            self._counts['images detected in'] += 1
            self._counts['objects'] += objects
            self._times_ms.append(1e3 * (now_s - start_s))
            self._ends_s.append(now_s)
            self._failing = False

    def drop(self, reason: str, error: str = '') -> bool:
        """Count an image that was not; tell whether this is a new error."""
        with self._lock:
            self._counts[f'images dropped: {reason}'] += 1
            new = bool(error) and error != self._last_error
            self._last_error = error or self._last_error
            self._failing = self._failing or bool(error)
        return new

    def values(self) -> dict[str, str]:
        """Figures for /diagnostics."""
        with self._lock:
            values = {name: str(self._counts[name])
                      for name in ('images in', 'images detected in', 'objects')}
            values |= {name: str(count) for name, count in sorted(self._counts.items())
                       if name not in values}
            span_s = self._ends_s[-1] - self._ends_s[0] if len(self._ends_s) > 1 else 0.0
            # Of the newest images; an input that fell silent counts as time without any.
            span_s += max(0.0, time.monotonic() - self._ends_s[-1] - SILENT_S) if span_s else 0.0
            values['fps'] = f'{(len(self._ends_s) - 1) / span_s:.2f}' if span_s else '0.00'
            if self._times_ms:
                values['time p50/p90/p99 (ms)'] = ' / '.join(
                    f'{value:.1f}' for value in np.percentile(self._times_ms, (50, 90, 99)))
            if self._last_error:
                values['last error'] = self._last_error
        return values

    def level(self, wanted: bool) -> tuple[bytes, str]:
        """How the node does.

        :param wanted: whether anybody subscribes.
        """
        with self._lock:
            silent_s = time.monotonic() - self._received_s
            if silent_s > SILENT_S:
                return DiagnosticStatus.WARN, f'no image for {silent_s:.1f} s'
            if self._failing:
                return DiagnosticStatus.ERROR, self._last_error
        return DiagnosticStatus.OK, 'detecting' if wanted else 'idle: nobody subscribes'
