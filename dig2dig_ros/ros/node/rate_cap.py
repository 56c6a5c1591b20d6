"""Holds a stream of events to a rate. No ROS here."""

# A camera that is early by this share of the period is not made to wait for its next frame.
EARLY = 0.25


class RateCap:
    """Tells which events of a jittery stream to let through."""

    def __init__(self) -> None:
        self._due_s = 0.0

    def admits(self, now_s: float, limit_hz: float) -> bool:
        """Tell whether an event at this time goes through; 0: all do.

        Over time no more than `limit_hz` do, and of a faster regular stream just as many.
        """
        if limit_hz <= 0:
            return True
        period_s = 1 / limit_hz
        if now_s < self._due_s - EARLY * period_s:
            return False
        late = now_s >= self._due_s + period_s
        self._due_s = (now_s if late else self._due_s) + period_s
        return True
