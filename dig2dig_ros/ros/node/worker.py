"""The one thread that owns the engine, and the mailbox in front of it. No ROS here."""

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any


class Worker:
    """Runs calls in order and, between them, hands the items of its mailbox to a handler.

    A bounded mailbox is what keeps latency from growing with load: with one place, an item that
    is still there when the next one comes is displaced by it.
    """

    def __init__(self, handle: Callable[[Any], None], limit: int = 1,
                 keep: str = 'latest') -> None:
        """Start the thread.

        :param handle: called with each item, on the worker's thread; must not raise.
        :param limit: items that can wait.
        :param keep: when it is full, `latest` displaces the oldest item, `every` refuses the new
            one: what is handled is then without gaps up to there.
        """
        self._handle = handle
        self._limit = limit
        self._keep = keep
        self._items: deque[Any] = deque()
        self._calls: deque[tuple[Callable[[], Any], Future]] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name='fusion', daemon=True)
        self._thread.start()

    def put(self, item: Any) -> Any | None:
        """Leave an item; return the one that is lost by it, if any."""
        with self._changed:
            lost = None
            if len(self._items) >= self._limit:
                if self._keep == 'every':
                    return item
                lost = self._items.popleft()
            self._items.append(item)
            self._changed.notify()
        return lost

    def submit(self, function: Callable[[], Any]) -> Future:
        """Run a function on the worker's thread, ahead of the items."""
        future: Future = Future()
        with self._changed:
            self._calls.append((function, future))
            self._changed.notify()
        return future

    def clear(self) -> list[Any]:
        """Empty the mailbox; return what is lost by it."""
        with self._changed:
            lost = list(self._items)
            self._items.clear()
        return lost

    def close(self, timeout_s: float) -> bool:
        """Finish the calls that wait, drop the items and end the thread.

        :returns: False if it is still busy, as in a forward pass, which nothing can interrupt.
        """
        with self._changed:
            self._closed = True
            self._items.clear()
            self._changed.notify()
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._calls or self._items or self._closed)
                call = self._calls.popleft() if self._calls else None
                if call is None and self._closed:
                    return
                item = None if call else self._items.popleft()
            if call:
                self._call(*call)
            else:
                self._handle(item)

    @staticmethod
    def _call(function: Callable[[], Any], future: Future) -> None:
        try:
            future.set_result(function())
        except BaseException as error:  # noqa: BLE001  the caller's result() raises it
            future.set_exception(error)
