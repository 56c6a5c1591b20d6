"""The one seam to message_filters: it carries the pairing where it is installed."""

from collections.abc import Callable
from typing import Any

from dig2dig_ros.camera.pairing import NearestPairer
from dig2dig_ros.camera.stamps import stamp_ns
from dig2dig_ros.errors import InputError
from dig2dig_ros.topics import CAMERAS

try:
    from message_filters import ApproximateTimeSynchronizer, SimpleFilter, Subscriber
except ImportError:
    ApproximateTimeSynchronizer = None

    class SimpleFilter:
        """What is used of message_filters.SimpleFilter."""

        def __init__(self) -> None:
            self.callbacks: list[Callable] = []

        def registerCallback(self, callback: Callable) -> None:  # noqa: N802  upstream's name
            """Have a callback called with the output."""
            self.callbacks.append(callback)

        def signalMessage(self, *messages: Any) -> None:  # noqa: N802  upstream's name
            """Give messages to the callbacks."""
            for callback in self.callbacks:
                callback(*messages)

    class Subscriber(SimpleFilter):
        """What is used of message_filters.Subscriber."""

        def __init__(self, node: Any, message_type: type, topic: str, **options: Any) -> None:
            super().__init__()
            self.sub = node.create_subscription(
                message_type, topic, self.signalMessage, **options)

APPROXIMATE_QUEUE = 10

# Both synchronisers give their callbacks infrared, visible, the arrival of the later one on the
# steady clock, and the skew, infrared minus visible, in nanoseconds.


class NearestSynchroniser(SimpleFilter):
    """Carries our own policy, `NearestPairer`."""

    def __init__(self, values: dict[str, Any], clock_ns: Callable[[], int]) -> None:
        """Make it from the node's parameters.

        :param clock_ns: time that stands in for stamps: when pairing by arrival, and for
            drivers that leave the stamp 0.
        """
        super().__init__()
        self._by_arrival = values['sync.by'] == 'arrival'
        self._clock_ns = clock_ns
        self._counted: dict[str, int] = {}
        self.unstamped = 0
        self.apply(values)

    def apply(self, values: dict[str, Any]) -> None:
        """Take changed slop, offset and wait; what is queued is let go."""
        before = getattr(self, '_pairer', None)
        if before is not None:
            before.reset()
            self._counted = self.dropped
        self._pairer = NearestPairer(
            *(round(values[f'sync.{name}_s'] * 1e9) for name in ('slop', 'offset', 'max_wait')),
            depth=values['sync.depth'])

    @property
    def dropped(self) -> dict[str, int]:
        """Images lost before they were in a pair, by reason."""
        reasons = {*self._counted, *self._pairer.dropped}
        return {reason: self._counted.get(reason, 0) + self._pairer.dropped[reason]
                for reason in reasons}

    @property
    def last_miss_ns(self) -> int | None:
        """How far the last unpaired image was from its nearest, infrared minus visible."""
        return self._pairer.last_miss_ns

    def add(self, camera: str, message: Any, arrival_ns: int) -> None:
        """Take one image."""
        key_ns = 0 if self._by_arrival else stamp_ns(message)
        if key_ns == 0:
            self.unstamped += not self._by_arrival
            key_ns = self._clock_ns()
        self._emit(self._pairer.add(camera, key_ns, (message, arrival_ns), arrival_ns))

    def flush(self, now_ns: int) -> None:
        """Let go the pairs that waited long enough for something nearer."""
        self._emit(self._pairer.flush(now_ns))

    def reset(self) -> None:
        """Start over after a jump in time."""
        self._pairer.reset()

    def _emit(self, pairs: list) -> None:
        for (infrared, first_ns), (visible, second_ns), skew_ns in pairs:
            self.signalMessage(infrared, visible, max(first_ns, second_ns), skew_ns)


class ApproximateSynchroniser(SimpleFilter):
    """Carries upstream's policy, made anew at every jump back, which it does not survive."""

    unstamped = 0
    last_miss_ns = None

    def __init__(self, values: dict[str, Any], clock_ns: Callable[[], int]) -> None:
        super().__init__()
        if ApproximateTimeSynchronizer is None:
            raise InputError('sync.policy is approximate, but the package message_filters is not '
                             'installed; use nearest, or install ros-$ROS_DISTRO-message-filters')
        self._policy = None
        self._taken = 0
        self.apply(values)

    def apply(self, values: dict[str, Any]) -> None:
        """Take a changed slop."""
        self._slop_s = values['sync.slop_s']
        self.reset()

    @property
    def dropped(self) -> dict[str, int]:
        """Images that upstream let fall out of its queues; it does not count them itself."""
        return {'unpaired': self._taken - sum(map(len, self._policy.queues))}

    def add(self, camera: str, message: Any, arrival_ns: int) -> None:
        """Take one image."""
        key_ns = stamp_ns(message)
        if key_ns < self._last_ns[camera]:
            self.reset()
        self._last_ns[camera] = key_ns
        self._taken += 1
        self._arrival_ns = arrival_ns
        self._inputs[camera].signalMessage(message)

    def flush(self, now_ns: int) -> None:
        """Nothing waits here."""

    def reset(self) -> None:
        """Start over after a jump in time."""
        self._last_ns = dict.fromkeys(CAMERAS, 0)
        self._inputs = {camera: SimpleFilter() for camera in self._last_ns}
        self._policy = ApproximateTimeSynchronizer(
            list(self._inputs.values()), APPROXIMATE_QUEUE, self._slop_s)
        self._policy.registerCallback(self._paired)

    def _paired(self, infrared: Any, visible: Any) -> None:
        self._taken -= 2
        self.signalMessage(infrared, visible, self._arrival_ns,
                           stamp_ns(infrared) - stamp_ns(visible))


SYNCHRONISERS = {'nearest': NearestSynchroniser, 'approximate': ApproximateSynchroniser}
