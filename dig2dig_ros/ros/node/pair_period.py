"""How often pairs arrive, for a latency budget that follows the cameras."""

from collections import deque
from statistics import median

# Differences in the median: a second of a fast camera; one late pair does not move it.
REMEMBERED = 30
# Until so many are known, nothing is said.
LEAST = 5


class PairPeriod:
    """Median time between pairs as they arrive, fused or not. One thread notes, another reads."""

    def __init__(self) -> None:
        """Start without a pair."""
        self._arrivals_ns: deque[int] = deque(maxlen=REMEMBERED + 1)

    def note(self, received_ns: int) -> None:
        """A pair has come, at a time of the steady clock."""
        self._arrivals_ns.append(received_ns)

    @property
    def ms(self) -> float | None:
        """Milliseconds between two pairs; None before there were enough."""
        times = list(self._arrivals_ns)
        if len(times) <= LEAST:
            return None
        return 1e-6 * median(later - earlier for earlier, later in zip(times, times[1:],
                                                                       strict=False))
