"""How the fusion does: a level and one line, judged by what became of the last seconds. No ROS."""

from collections import Counter, deque
from collections.abc import Mapping, Sequence

from dig2dig_ros.topics import CAMERAS

OK, WARN, ERROR = 0, 1, 2
WINDOW_S = 5.0
PAIRS_DROPPED = 'pairs dropped: '
# Reasons that are somebody's choice.
CHOSEN = tuple(PAIRS_DROPPED + reason for reason in (
    'no subscriber', 'temperature only', 'rate limit'))
# Fewer images than this, of either camera, are no sign that pairs do not form.
ENOUGH_IMAGES = 3
FAILURES = (f'{PAIRS_DROPPED}engine error', f'{PAIRS_DROPPED}bad input')
Verdict = tuple[int, str]


class Recent:
    """What counters grew by in the last seconds."""

    def __init__(self, window_s: float = WINDOW_S) -> None:
        self._window_s = window_s
        self._snapshots: deque[tuple[float, Counter[str]]] = deque()

    def note(self, now_s: float, counts: Mapping[str, int]) -> None:
        """Take the counters as they are."""
        self._snapshots.append((now_s, Counter(counts)))
        while len(self._snapshots) > 2 and now_s - self._snapshots[1][0] >= self._window_s:
            self._snapshots.popleft()

    def growth(self) -> Counter[str]:
        """Give what each counter grew by."""
        if not self._snapshots:
            return Counter()
        return self._snapshots[-1][1] - self._snapshots[0][1]

    @property
    def span_s(self) -> float:
        """Time over which that was."""
        return self._snapshots[-1][0] - self._snapshots[0][0] if self._snapshots else 0.0

    def clear(self) -> None:
        """Forget what was."""
        self._snapshots.clear()


def judge(recent: Recent, silent: Sequence[str], wanted: bool, last_error: str,
          last_miss_ms: float | None) -> Verdict:
    """Judge a node that runs.

    :param recent: of the counters of `Statistics`, and of the images of each camera, as `images
        infrared`.
    :param silent: cameras that send nothing.
    :param wanted: whether anybody is to get a result.
    :param last_error: text of the last error.
    :param last_miss_ms: by how much the last unpaired image missed, if any did.
    """
    if silent:
        return WARN, f'no images from: {", ".join(silent)}'
    if not wanted:
        return OK, 'idle: nobody subscribes'
    growth = recent.growth()
    if growth['pairs in'] == 0:
        if min(growth[f'images {camera}'] for camera in CAMERAS) < ENOUGH_IMAGES:
            return OK, 'waiting for images'
        off = '' if last_miss_ms is None else (
            f': the last one was {abs(last_miss_ms):.1f} ms from the other camera')
        return WARN, f'both cameras deliver, but no images pair{off}'
    return _judge_pairs(growth, recent.span_s, last_error)


def _judge_pairs(growth: Counter[str], span_s: float, last_error: str) -> Verdict:
    fused = growth['fused']
    failed = sum(growth[reason] for reason in FAILURES)
    stale = growth[f'{PAIRS_DROPPED}stale']
    if fused == failed == 0 and growth[f'{PAIRS_DROPPED}temperature only']:
        return OK, 'measuring temperature; nobody subscribes to the fusion'
    if failed:
        if fused == 0 and failed >= 2:
            return ERROR, f'every pair fails: {last_error}'
        return WARN, f'{failed} of {failed + fused} pairs fail: {last_error}'
    if stale:
        share = 'every pair is' if fused == 0 else f'{stale} of {stale + fused} pairs are'
        return WARN, f'{share} older than sync.max_age_s'
    unfinished = growth['pairs in'] - sum(growth[reason] for reason in CHOSEN)
    if fused == 0 and unfinished > 0 and span_s >= WINDOW_S:
        return WARN, f'no pair was finished in the last {span_s:.0f} s'
    return OK, 'fusing'
