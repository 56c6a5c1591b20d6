"""Runs a command's items on a crew, with a journal and a progress bar."""

import contextlib
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tqdm import tqdm

from dig2dig_ros.fleet.crew import crew
from dig2dig_ros.fleet.job import Item, Job, Outcome
from dig2dig_ros.fleet.journal import journal
from dig2dig_ros.fleet.options import RayOptions


class Task(NamedTuple):
    """An item, and what goes into it.

    Attributes:
        signature: JSON; where it is the one of an earlier run, the item need not be done again.
    """

    key: str
    content: Any
    signature: Any


def finish_all(job: Job, tasks: Sequence[Task], options: RayOptions, device: str,
               folder: Path | None, kind: str, way: Mapping[str, Any], unit: str = 'image',
               is_there: Callable[[Task], bool] = lambda task: True) -> dict[str, Outcome]:
    """Do what no earlier run has done.

    :param device: that the workers compute on; auto, cpu or cuda.
    :param folder: where the journal lies; None: nothing is kept for another run.
    :param kind: of work, see `Journal`.
    :param way: all that the values depend on beside the tasks' signatures.
    :param is_there: whether the output of a task that is done is still there.
    :returns: every task's outcome by its key, in the tasks' order.
    :raises InputError: where no worker can start.
    """
    with _kept(folder) as place, journal(place, kind, way) as done:
        outcomes: dict[str, Outcome] = {}
        for task in tasks:
            value = done.get(task.key, task.signature)
            if value is not None and is_there(task):
                outcomes[task.key] = Outcome(task.key, value)
        left = [task for task in tasks if task.key not in outcomes]
        if left:
            signatures = {task.key: task.signature for task in left}
            with crew(job, options, device, len(left)) as workers, tqdm(
                    total=len(tasks), initial=len(outcomes), desc=f'{workers.count} workers',
                    unit=unit, disable=None) as bar:
                for outcome in workers.work(Item(task.key, task.content) for task in left):
                    outcomes[outcome.key] = outcome
                    if outcome.error is None:
                        done.add(outcome.key, signatures[outcome.key], outcome.value)
                    bar.update()
    if skipped := len(tasks) - len(left):
        print(f'{skipped} of {len(tasks)} were done already', file=sys.stderr)
    return {task.key: outcomes[task.key] for task in tasks}


@contextlib.contextmanager
def _kept(folder: Path | None) -> Iterator[Path]:
    if folder is not None:
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix='dig2dig-journal-') as place:
        yield Path(place)
