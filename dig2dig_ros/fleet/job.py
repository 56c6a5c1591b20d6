"""What is done by workers, and what became of it; no Ray here."""

import os
from collections.abc import Callable, Hashable
from typing import Any, NamedTuple, Protocol

from dig2dig_ros.errors import InputError


class Item(NamedTuple):
    """A piece of work.

    Attributes:
        key: tells it from all others of one run.
        content: what the job takes.
    """

    key: Hashable
    content: Any


class Outcome(NamedTuple):
    """What became of an item: a value, or why there is none."""

    key: Hashable
    value: Any = None
    error: str | None = None


class Job(Protocol):
    """Pickled to each worker.

    `open` is called once there, before the first item, and returns what does the work. What it
    raises then fails the item, not the run.
    """

    def open(self) -> Callable[[Any], Any]:
        """Load what all items need, such as an engine."""


class Bench:
    """One worker's side: opens its job when the first item comes, and turns errors to outcomes."""

    def __init__(self, job: Job, threads: int):
        """Take the job; open nothing yet."""
        self._job, self._threads = job, threads
        self._work: Callable[[Any], Any] | None = None

    def open(self) -> str | None:
        """Get ready ahead of the first item.

        :returns: why that cannot be.
        """
        try:
            self._ready()
        except Exception as error:  # noqa: BLE001 - whatever it is, the run must hear of it
            return reason(error)
        return None

    def do(self, item: Item) -> Outcome:
        """Do one item."""
        try:
            return Outcome(item.key, self._ready()(item.content))
        except Exception as error:  # noqa: BLE001 - one bad item must not end the run
            return Outcome(item.key, error=reason(error))

    def _ready(self) -> Callable[[Any], Any]:
        if self._work is None:
            use_threads(self._threads)
            self._work = self._job.open()
        return self._work


def use_threads(count: int) -> None:
    """Keep torch, OpenVINO (which asks torch) and OpenCV within so many threads."""
    import cv2
    import torch
    torch.set_num_threads(count)
    cv2.setNumThreads(count)


def reason(error: Exception) -> str:
    """Say in one line what went wrong."""
    if isinstance(error, InputError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        place = f'{error.filename}: ' if error.filename else ''
        return f'{place}{error.strerror}'
    return f'{type(error).__name__}: {" ".join(str(error).split())} (process {os.getpid()})'
