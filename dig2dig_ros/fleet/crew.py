"""A crew of Ray actors that do the items of one job.

Ray places the actors, restarts those that die and gives them their item again. Here is only who
gets the next item: whoever has room for it.
"""

import contextlib
import os
import socket
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from dig2dig_ros.errors import InputError
from dig2dig_ros.fleet.job import Bench, Item, Job, Outcome
from dig2dig_ros.fleet.options import LOCAL, RayOptions

# One item waits at each worker while it does another: no pause between two.
IN_FLIGHT = 2
RETRIES = 1
# Pixels stay with the workers; Ray's own store carries file names and figures.
OBJECT_STORE_BYTES = 100_000_000
START_TIMEOUT_S = 600

Follow = Callable[[Outcome], Iterable[Item]]
"""From what became of an item to what there is to do now."""


@contextlib.contextmanager
def crew(job: Job, options: RayOptions, device: str, items: int) -> Iterator['Crew']:
    """Workers for one job, let go at the end.

    :param device: auto, cpu or cuda: what the workers compute on.
    :param items: how many there are; more workers than that would have nothing to do.
    :raises InputError: where Ray is not installed, its cluster is not there or has no room, or
        the job cannot be opened.
    """
    ray = _ray()
    _connect(ray, options)
    try:
        gpus = gpu_share(ray, options, device)
        count = min(items, _worker_count(ray, options, gpus))
        remote = ray.remote(num_cpus=options.threads, num_gpus=gpus, max_restarts=-1,
                            max_task_retries=RETRIES)(Bench)
        actors = [remote.remote(job, options.threads) for _ in range(count)]
        members = Crew(ray, actors)
        members.gather()
        yield members
    finally:
        ray.shutdown()


class Crew:
    """The workers of one job."""

    def __init__(self, ray: Any, actors: list):
        """Take actors that may still be starting."""
        self._ray = ray
        self._starting = {actor.open.remote(): actor for actor in actors}
        self._actors: list = []
        self.count = len(actors)

    def gather(self) -> None:
        """Wait for the first worker; the others join while work goes on.

        :raises InputError: where it cannot open its job, or none starts.
        """
        ready, _ = self._ray.wait(list(self._starting), num_returns=1, timeout=START_TIMEOUT_S)
        if not ready:
            raise InputError(f'no worker has started within {START_TIMEOUT_S} s; is the cluster '
                             'in use by others?')
        refusal = self._welcome(ready[0])
        if refusal:
            raise InputError(refusal)

    def work(self, items: Iterable[Item], follow: Follow = lambda outcome: (),
             ) -> Iterator[Outcome]:
        """Do all items, in whatever order they are done.

        An item whose worker dies again and again is tried once more with nothing else in that
        worker's queue, so that it takes no other with it.

        :param follow: called with each outcome; what it returns is done as well.
        """
        lost: list[Item] = []
        for in_flight in (IN_FLIGHT, 1):
            again, lost = lost, []
            for outcome, item in self._round(again or items, follow, in_flight):
                if item is not None and in_flight > 1:
                    lost.append(item)
                else:
                    yield outcome
            if not lost:
                break

    def _round(self, items: Iterable[Item], follow: Follow,
               in_flight: int) -> Iterator[tuple[Outcome, Item | None]]:
        """Give outcomes; with the item where it was lost with its worker."""
        waiting, more = iter(items), []
        free, given = self._actors * in_flight, {}
        while True:
            free += self._late() * in_flight
            while free and (item := more.pop() if more else next(waiting, None)) is not None:
                actor = free.pop(0)
                given[actor.do.remote(item)] = actor, item
            if not given:
                return
            (reference, *_), _ = self._ray.wait(list(given))
            actor, item = given.pop(reference)
            free.append(actor)
            try:
                outcome, item = self._ray.get(reference), None
            except self._ray.exceptions.RayError as error:
                outcome = Outcome(item.key, error=_death(error))
            if item is None or in_flight == 1:
                more.extend(reversed(list(follow(outcome))))
            yield outcome, item

    def _late(self) -> list:
        """The workers that have got ready since."""
        if not self._starting:
            return []
        before = len(self._actors)
        ready, _ = self._ray.wait(
            list(self._starting), num_returns=len(self._starting), timeout=0)
        for reference in ready:
            refusal = self._welcome(reference)
            if refusal:
                print(f'one worker less: {refusal}', file=sys.stderr)
        return self._actors[before:]

    def _welcome(self, reference: Any) -> str | None:
        """Take a worker that has opened its job; else say why it could not."""
        actor = self._starting.pop(reference)
        try:
            refusal = self._ray.get(reference)
        except self._ray.exceptions.RayError as error:
            refusal = f'a worker died when it started: {" ".join(str(error).split())}'
        if refusal:
            self._ray.kill(actor)
        else:
            self._actors.append(actor)
        return refusal


def _death(error: Exception) -> str:
    first = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return f'its worker died each time (killed, or out of memory): {first}'


def _ray() -> Any:
    # Nothing is reported to anyone.
    os.environ.setdefault('RAY_USAGE_STATS_ENABLED', '0')
    try:
        import ray
    except ModuleNotFoundError:
        raise InputError('--ray needs the Python package ray; '
                         'pip install "dig2dig[cluster]" brings it') from None
    return ray


def _connect(ray: Any, options: RayOptions) -> None:
    quiet = {'log_to_driver': False, 'logging_level': 'ERROR', 'configure_logging': True}
    try:
        _require_there(options.address)
        if options.address == LOCAL:
            cores = len(os.sched_getaffinity(0)) if sys.platform == 'linux' else os.cpu_count()
            ray.init(LOCAL, num_cpus=max(cores, options.threads), include_dashboard=False,
                     object_store_memory=OBJECT_STORE_BYTES, **quiet)
        else:
            ray.init(options.address, **quiet)
    except (OSError, ValueError, RuntimeError) as error:
        raise InputError(f'--ray {options.address}: {" ".join(str(error).split())}') from None


def _require_there(address: str) -> None:
    """Ask before Ray does, which tries for minutes; OSError where nobody answers."""
    host, _, port = address.removeprefix('ray://').rpartition(':')
    if host and port.isdigit():
        socket.create_connection((host, int(port)), timeout=10).close()


def gpu_share(ray: Any, options: RayOptions, device: str) -> float:
    """Share of a GPU for each worker; 0 where they compute on CPUs.

    :raises InputError: for a device that the cluster cannot give.
    """
    if device not in ('auto', 'cpu', 'cuda'):
        raise InputError(f'--device is {device}; with --ray it is auto, cpu or cuda: Ray chooses '
                         'the GPU')
    there = ray.cluster_resources().get('GPU', 0)
    if device == 'cuda' and not there:
        raise InputError('--device is cuda, but the Ray cluster has no GPU')
    return options.gpus if there and device != 'cpu' else 0


def _worker_count(ray: Any, options: RayOptions, gpus: float) -> int:
    """As many as fit on the nodes, or as wanted.

    :raises InputError: where not even one fits.
    """
    room = 0
    for node in ray.nodes():
        if node['Alive']:
            have = node['Resources']
            fit = have.get('CPU', 0) // options.threads
            if gpus:
                # Workers with a fraction each share one GPU; more than one GPU is not split.
                per_gpu = int(1 / gpus) if gpus <= 1 else 1 / gpus
                fit = min(fit, have.get('GPU', 0) * per_gpu)
            room += int(fit)
    if not room:
        raise InputError(f'no machine of the Ray cluster has {options.threads} CPUs'
                         + (f' and {gpus:g} GPUs' if gpus else '') + ' for a worker')
    return min(room, options.workers or room)
