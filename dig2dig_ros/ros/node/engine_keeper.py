"""Keeps an engine at work: one whose GPU fails is made anew, after waits that double."""

import contextlib
import time
from collections.abc import Callable, Mapping
from typing import Any

from dig2dig_ros.ros.node.engine_session import EngineSession

FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 30.0
# After so many tries in a row, a minute and a half, it is given up.
TRIES = 8


def describe_error(error: Exception) -> str:
    """Type and first line: what CUDA adds in further lines is advice to its programmers."""
    return f'{type(error).__name__}: {error}'.splitlines()[0]


class EngineKeeper:
    """Has the engine session of a node.

    Belongs to the worker's thread; `trouble` may be read from elsewhere.

    Attributes:
        session: the engine; while there is `trouble`, a closed one that cannot fuse.
        tries: how often it was made anew since it last ran for a while.
        failure: why it will not come back; empty while it may.
    """

    def __init__(self, make_session: Callable[[Mapping[str, Any]], EngineSession],
                 values: Mapping[str, Any], clock_s: Callable[[], float] = time.monotonic) -> None:
        """Load the engine.

        :raises InputError: for values that cannot be used.
        """
        self._make_session = make_session
        self._clock_s = clock_s
        self._reason = ''
        self._next_s = 0.0
        self.session = make_session(values)
        self._works_since_s = clock_s()
        self.tries = 0
        self.failure = ''

    @property
    def trouble(self) -> str:
        """Why no pair can be fused at the moment; empty while all is well."""
        reason = self._reason
        if not reason or self.failure:
            return self.failure
        wait_s = max(0.0, self._next_s - self._clock_s())
        return (f'the GPU failed: {reason}; the engine is made anew in {wait_s:.1f} s '
                f'(try {self.tries + 1} of {TRIES})')

    def fuse(self, *arguments: Any) -> Any:
        """Have the session fuse a pair.

        After a CUDA error nothing works any more in that context but, with luck, a new engine:
        there is `trouble` then, and the error is raised as it came.
        """
        try:
            return self.session.fuse(*arguments)
        except RuntimeError as error:
            if self.session.on_gpu:
                self._lose(error)
            raise

    def revive(self, values: Mapping[str, Any]) -> bool:
        """Make a lost engine anew where that is due.

        :returns: whether there is an engine now.
        """
        if not self._reason:
            return True
        if self.failure or self._clock_s() < self._next_s:
            return False
        self.tries += 1
        try:
            self.session = self._make_session(values)
        except Exception as error:  # whatever a lost GPU raises
            self._lose(error)
            return False
        self._reason = ''
        self._works_since_s = self._clock_s()
        return True

    def close(self) -> None:
        """Free the engine, as far as a lost GPU lets it."""
        with contextlib.suppress(RuntimeError) if self.trouble else contextlib.nullcontext():
            self.session.close()

    def _lose(self, error: Exception) -> None:
        """Take it that the GPU failed; the engine is closed until its next try is due."""
        now_s = self._clock_s()
        if not self._reason and now_s - self._works_since_s > LONGEST_WAIT_S:
            self.tries = 0
        self._next_s = now_s + min(FIRST_WAIT_S * 2 ** self.tries, LONGEST_WAIT_S)
        self._reason = describe_error(error)
        if self.tries >= TRIES:
            self.failure = (f'the GPU failed, and again after {TRIES} new engines; deactivated. '
                            f'Start the process anew, or see to the GPU: {self._reason}')
        with contextlib.suppress(RuntimeError):  # freeing memory can meet the same error
            self.session.close()
