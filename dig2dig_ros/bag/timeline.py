"""When the messages of a recording are due: original spacing, rate and pause."""


class Timeline:
    """Maps between recorded time and a running monotonic clock, both in nanoseconds."""

    def __init__(self, recorded_ns: int, now_ns: int, rate: float = 1.0) -> None:
        """Start at a recorded time, now.

        :param rate: recorded seconds per second, > 0.
        """
        self._recorded_ns = recorded_ns
        self._started_ns = now_ns
        self._rate = rate
        self._paused_ns: int | None = None

    @property
    def paused(self) -> bool:
        """Tell whether time stands still."""
        return self._paused_ns is not None

    def toggle_pause(self, now_ns: int) -> None:
        """Stop recorded time, or let it go on from where it stopped."""
        if self._paused_ns is None:
            self._paused_ns = now_ns
        else:
            self._started_ns += now_ns - self._paused_ns
            self._paused_ns = None

    def due_ns(self, recorded_ns: int) -> int:
        """Clock time at which a recorded time comes, unless there is a pause before it."""
        return self._started_ns + round((recorded_ns - self._recorded_ns) / self._rate)

    def recorded_ns(self, now_ns: int) -> int:
        """Recorded time now."""
        until_ns = now_ns if self._paused_ns is None else self._paused_ns
        return self._recorded_ns + round((until_ns - self._started_ns) * self._rate)
