"""Pairs two camera streams by stamp: nearest partner, one-to-one, in order, no ROS.

Upstream's approximate policies take the first message within the slop, not the nearest, and do
not recover from stamps that run backwards (issue 3); here both are the point. Times are integer
nanoseconds, so that equality and an inclusive slop mean what they say.
"""

from collections import Counter, deque
from typing import Any, NamedTuple

from dig2dig_ros.topics import CAMERAS


class Pair(NamedTuple):
    """Two messages that belong together; skew_ns is infrared (offset added) minus visible."""

    infrared: Any
    visible: Any
    skew_ns: int


class _Entry(NamedTuple):
    stamp_ns: int
    stream: str
    arrival_ns: int
    message: Any


class NearestPairer:
    """Pairs each message with the nearest one of the other stream.

    The pairing is the greedy one: of all admissible pairs the closest is made first (the earlier
    one of two equals), then the closest left on either side of it, so that no message is used
    twice and no two pairs cross. A pair is handed out as soon as no later message can change it:
    at once when the stamps are equal or when the lagging stream, going by its recent gaps, has
    nothing to send that is nearer; else when that stream's next message has come or `max_wait_ns`
    has run out. Not thread-safe.

    Attributes:
        paired: count of pairs handed out.
        resets: count of jumps back in time (a looped bag), by more than the slop.
        dropped: count of messages lost, by reason: `unpaired` (no partner within the slop),
            `overflow` (`depth` messages waited and the other stream was silent or later still),
            `reset` (queued at a reset, or from before a jump back), `duplicate` (same stamp as
            the message before), `out_of_order` (older than the message before, by the slop at
            most), `zero_stamp` (a header that its driver did not fill: pair by arrival).
        last_miss_ns: skew, beyond the slop, between the last message left `unpaired` and what
            the other stream had then; years where the two cameras do not share a clock. None
            while there was none.
    """

    def __init__(self, slop_ns: int, offset_ns: int = 0, max_wait_ns: int = 50_000_000,
                 depth: int = 8, regularity: float = 0.8) -> None:
        """Make an empty pairer.

        :param slop_ns: largest |skew| of a pair, inclusive, >= 0.
        :param offset_ns: added to every infrared stamp.
        :param max_wait_ns: how long a pair that could still improve is held back, >= 0.
        :param depth: messages kept per stream, >= 1.
        :param regularity: a stream is trusted not to send two messages closer together than
            this fraction of its shortest recent gap; 0 trusts nothing: exact, but later.
        """
        self._slop_ns = slop_ns
        self._offset_ns = offset_ns
        self._max_wait_ns = max_wait_ns
        self._depth = depth
        self._regularity = regularity
        self._queues: dict[str, deque[_Entry]] = {name: deque() for name in CAMERAS}
        self._gaps: dict[str, deque[int]] = {name: deque(maxlen=16) for name in CAMERAS}
        self._last: dict[str, int | None] = dict.fromkeys(CAMERAS)
        self._before_reset: dict[str, int | None] = dict.fromkeys(CAMERAS)
        self._leftovers = 0
        self.paired = 0
        self.resets = 0
        self.dropped: Counter[str] = Counter()
        self.last_miss_ns: int | None = None

    def add(self, stream: str, stamp_ns: int, message: Any, now_ns: int) -> list[Pair]:
        """Take one message.

        :param stream: `infrared` or `visible`.
        :param stamp_ns: acquisition time, or the arrival time to pair by arrival.
        :param now_ns: of any monotonic clock, the same one in every call.
        :returns: the pairs that became certain, oldest first.
        """
        if stamp_ns <= 0:
            self._drop('zero_stamp')
            return []
        entry = _Entry(stamp_ns + self._offset_ns * (stream == 'infrared'), stream, now_ns,
                       message)
        pairs = self._start_over(stream) if self._jumped_back(entry) else []
        reason = self._refusal(entry)
        if reason:
            self._drop(reason)
            return pairs
        if self._last[stream] is not None:
            self._gaps[stream].append(entry.stamp_ns - self._last[stream])
        self._last[stream] = entry.stamp_ns
        self._queues[stream].append(entry)
        return pairs + self._settle(now_ns) + self._relieve(stream)

    def flush(self, now_ns: int) -> list[Pair]:
        """Give the pairs whose wait ran out; call it from a timer."""
        return self._settle(now_ns)

    def drain(self) -> list[Pair]:
        """Give all pairs there are, as at the end of a recording, and empty the queues."""
        return self._take(len(self._timeline()))

    def reset(self) -> None:
        """Forget what is queued and the stamps seen, as after a jump in time."""
        for stream, queue in self._queues.items():
            self._drop('reset', len(queue))
            queue.clear()
            self._gaps[stream].clear()
            self._before_reset[stream] = self._last[stream]
            self._last[stream] = None
        self._leftovers = self._depth

    def _drop(self, reason: str, count: int = 1) -> None:
        if count:
            self.dropped[reason] += count

    def _jumped_back(self, entry: _Entry) -> bool:
        last_ns = self._last[entry.stream]
        return last_ns is not None and entry.stamp_ns < last_ns - self._slop_ns

    def _start_over(self, stream: str) -> list[Pair]:
        """Give what was waiting, it cannot improve any more, and reset on this stream's jump."""
        pairs = self.drain()
        self.reset()
        self.resets += 1
        self._before_reset[stream] = None
        return pairs

    def _refusal(self, entry: _Entry) -> str | None:
        last_ns = self._last[entry.stream]
        if last_ns is None:
            return 'reset' if self._is_leftover(entry) else None
        if entry.stamp_ns == last_ns:
            return 'duplicate'
        return 'out_of_order' if entry.stamp_ns < last_ns else None

    def _is_leftover(self, entry: _Entry) -> bool:
        """Tell a message from before a jump back that arrives after the other stream jumped.

        It would make its stream look far ahead and cost the other one its first messages.
        """
        before_ns = self._before_reset[entry.stream]
        other_ns = self._last[_other(entry.stream)]
        if before_ns is None or other_ns is None or self._leftovers == 0:
            return False
        self._leftovers -= 1
        return entry.stamp_ns > max(before_ns, other_ns + self._slop_ns)

    def _timeline(self) -> list[_Entry]:
        return sorted([*self._queues['infrared'], *self._queues['visible']],
                      key=lambda entry: entry.stamp_ns)

    def _settle(self, now_ns: int) -> list[Pair]:
        """Decide everything up to the newest pair that is certain, then drop what is hopeless."""
        timeline = self._timeline()
        certain = [first for first in self._closest(timeline)
                   if self._is_certain(timeline[first], timeline[first + 1], now_ns)]
        pairs = self._take(certain[-1] + 2) if certain else []
        while self._drop_hopeless():
            pass
        return pairs

    def _relieve(self, stream: str) -> list[Pair]:
        """Keep a stream's queue within the depth, by deciding early or else by dropping."""
        pairs = []
        while len(self._queues[stream]) > self._depth:
            closest = self._closest(self._timeline())
            if closest:
                pairs += self._take(closest[0] + 2)
            else:
                self._queues[stream].popleft()
                self._drop('overflow')
        return pairs

    def _closest(self, timeline: list[_Entry]) -> list[int]:
        """Find the neighbours on the timeline that are nearer to each other than to others.

        The partner of a message is always its neighbour: anything between the two would be
        nearer to one of them.
        :returns: indices of the first of the two, ascending.
        """
        far_ns = self._slop_ns + 1
        gaps = [far_ns, *(
            second.stamp_ns - first.stamp_ns if first.stream != second.stream else far_ns
            for first, second in zip(timeline, timeline[1:], strict=False)), far_ns]
        return [index - 1 for index in range(1, len(gaps) - 1)
                if gaps[index] <= self._slop_ns
                and gaps[index - 1] > gaps[index] <= gaps[index + 1]]

    def _is_certain(self, first: _Entry, second: _Entry, now_ns: int) -> bool:
        """Tell whether nothing that is still to come can be nearer.

        The older one cannot be given a nearer partner, stamps only grow; the newer one can, by
        the older one's stream, until that stream has passed the older one's mirror image.
        """
        skew_ns = second.stamp_ns - first.stamp_ns
        waited_ns = now_ns - max(first.arrival_ns, second.arrival_ns)
        next_ns = self._last[first.stream] + self._least_gap_ns(first.stream)
        return next_ns >= second.stamp_ns + skew_ns or waited_ns >= self._max_wait_ns

    def _least_gap_ns(self, stream: str) -> int:
        gaps = self._gaps[stream]
        return int(self._regularity * min(gaps)) if len(gaps) >= 4 else 0

    def _take(self, count: int) -> list[Pair]:
        """Remove the first `count` messages of the timeline and pair them among themselves."""
        decided = self._timeline()[:count]
        for entry in decided:
            self._queues[entry.stream].popleft()
        pairs = self._pair_all(decided)
        self.paired += len(pairs)
        self._drop('unpaired', count - 2 * len(pairs))
        return pairs

    def _pair_all(self, timeline: list[_Entry]) -> list[Pair]:
        closest = self._closest(timeline)
        if not closest:
            return []
        first = closest[0]
        return (self._pair_all(timeline[:first]) + [_pair(*timeline[first:first + 2])]
                + self._pair_all(timeline[first + 2:]))

    def _drop_hopeless(self) -> bool:
        """Drop the oldest message if the other stream has left it behind."""
        oldest = next(iter(self._timeline()), None)
        if oldest is None:
            return False
        other = _other(oldest.stream)
        queue, last_ns = self._queues[other], self._last[other]
        limit_ns = oldest.stamp_ns + self._slop_ns
        hopeless = queue[0].stamp_ns > limit_ns if queue else (
            last_ns is not None and last_ns >= limit_ns)
        if hopeless:
            self._queues[oldest.stream].popleft()
            self._drop('unpaired')
            ahead_ns = (queue[0].stamp_ns if queue else last_ns) - oldest.stamp_ns
            self.last_miss_ns = -ahead_ns if oldest.stream == 'infrared' else ahead_ns
        return hopeless


def _other(stream: str) -> str:
    return 'visible' if stream == 'infrared' else 'infrared'


def _pair(first: _Entry, second: _Entry) -> Pair:
    infrared, visible = (first, second) if first.stream == 'infrared' else (second, first)
    return Pair(infrared.message, visible.message, infrared.stamp_ns - visible.stamp_ns)
