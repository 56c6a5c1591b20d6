"""The processes of one training that work on the same batch: one a device, one of them leads.

Each draws the whole batch from the same seed and takes its share, so the batch of a step does not
depend on how many there are; DistributedDataParallel averages their gradients.
"""

import contextlib
import gc
import importlib
import os
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import distributed, multiprocessing, nn
from torch.nn.parallel import DistributedDataParallel

from dig2dig_ros.errors import InputError

INTERRUPTED = 130
# DistributedDataParallel imports it, and its functions take the process group that there is at
# that time for a default argument: it would outlive its destruction.
_BEFORE_MEETING = 'torch.distributed.nn'


class Team:
    """One process's view of all; the leader alone writes files and speaks.

    Attributes:
        rank: number of this process, 0 for the leader.
        size: how many there are.
    """

    def __init__(self, rank: int = 0, size: int = 1):
        """Make a team of one, unless told otherwise."""
        self.rank, self.size = rank, size
        self._interrupted = False

    @property
    def leads(self) -> bool:
        """Whether this is the process that writes files and speaks."""
        return self.rank == 0

    def share(self, count: int) -> slice:
        """This process's part of a batch.

        :raises InputError: where the batch does not go evenly round.
        """
        if count % self.size:
            raise InputError(f'--batch is {count}; it must be a multiple of the {self.size} '
                             'processes')
        part = count // self.size
        return slice(self.rank * part, (self.rank + 1) * part)

    def join(self, network: nn.Module) -> nn.Module:
        """The same network, whose gradients are those of all; it starts from the leader's."""
        if self.size == 1:
            return network
        device = next(network.parameters()).device
        return DistributedDataParallel(
            network, device_ids=[device] if device.type == 'cuda' else None)

    def mean(self, value: torch.Tensor) -> torch.Tensor:
        """Mean over the processes."""
        if self.size > 1:
            value = value.clone()
            distributed.all_reduce(value)
            value /= self.size
        return value

    def from_leader(self, value: Any) -> Any:
        """What the leader has; plain containers and tensors."""
        held = [value]
        if self.size > 1:
            distributed.broadcast_object_list(held)
        return held[0]

    def agree(self, seconds: float) -> tuple[float, bool]:
        """The leader's clock, and whether any process was interrupted."""
        if self.size == 1:
            return seconds, False
        both = torch.tensor([seconds if self.leads else 0.0, float(self._interrupted)],
                            dtype=torch.float64)
        distributed.all_reduce(both)
        return float(both[0]), bool(both[1])

    @contextlib.contextmanager
    def assembled(self, start: str = 'env://', signals: Sequence[int] = (signal.SIGINT,),
                  ) -> Iterator['Team']:
        """Meet the other processes, and part from them in the end.

        What `join` gave must be out of reach by then, as the local names of a function are that
        has returned or raised.

        :param start: where they meet, of `torch.distributed.init_process_group`.
        :param signals: those that from then on stop all processes at the end of one step.
        """
        importlib.import_module(_BEFORE_MEETING)
        backend = 'cpu:gloo,cuda:nccl' if torch.cuda.is_available() else 'gloo'
        distributed.init_process_group(
            backend, init_method=start, rank=self.rank, world_size=self.size)
        distributed.barrier()  # one that fails at once must not break off the others' greeting
        for number in signals:
            signal.signal(number, self._interrupt)
        try:
            yield self
        except BaseException as error:
            traceback.clear_frames(error.__traceback__)  # they hold what `join` gave
            if isinstance(error, KeyboardInterrupt):
                distributed.barrier()  # the leader may still be writing
            raise
        finally:
            _part()

    def _interrupt(self, number: int, frame: object) -> None:
        self._interrupted = True


def _part() -> None:
    """Destroy the process group and end its threads.

    They free tensors, for which they need the interpreter: one that still does so while Python
    shuts down aborts the process (pytorch/pytorch#190489). They end with the last reference to
    the group, one of which is DistributedDataParallel's.
    """
    gc.collect()
    distributed.destroy_process_group()


def torchrun_team() -> Team | None:
    """The team that `torchrun` has made this process a member of, if any."""
    size = int(os.environ.get('WORLD_SIZE', 1))
    return Team(int(os.environ['RANK']), size) if size > 1 and 'RANK' in os.environ else None


def run_team(size: int, work: Callable[[Any, Team], int], arguments: Any) -> int:
    """Do the work in so many new processes of this machine.

    :param work: a module's function, called with the arguments and the team in each process.
    :raises InputError: the first that any of them raised.
    """
    context = multiprocessing.get_context('forkserver')
    # Imports torch once, not in each process.
    context.set_forkserver_preload([work.__module__, _BEFORE_MEETING])
    refusals = context.SimpleQueue()
    with tempfile.TemporaryDirectory(prefix='dig2dig-team-') as folder:
        meeting = (Path(folder) / 'meeting').as_uri()
        members = multiprocessing.start_processes(
            _member, (size, meeting, refusals, work, arguments), nprocs=size, join=False,
            start_method='forkserver')
        while True:
            try:
                while not members.join():
                    pass
                return 0
            except KeyboardInterrupt:
                for process in members.processes:
                    if process.is_alive():
                        os.kill(process.pid, signal.SIGINT)
            except (multiprocessing.ProcessExitedException,
                    multiprocessing.ProcessRaisedException) as end:
                if not refusals.empty():
                    raise InputError(refusals.get()) from None
                if getattr(end, 'exit_code', None) == INTERRUPTED:
                    raise KeyboardInterrupt from None
                raise


def _member(rank: int, size: int, meeting: str, refusals: Any,
            work: Callable[[Any, Team], int], arguments: Any) -> None:
    # Two processes with all the cores' threads each would fight for them.
    torch.set_num_threads(max(1, torch.get_num_threads() // size))
    if sys.platform == 'linux':
        # All are on this machine, whatever its name resolves to.
        os.environ.setdefault('GLOO_SOCKET_IFNAME', 'lo')
    try:
        with Team(rank, size).assembled(meeting) as team:
            work(arguments, team)
    except InputError as error:
        refusals.put(str(error))
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
