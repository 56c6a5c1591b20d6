"""The options of every command that can spread its work over Ray's workers."""

import argparse
import dataclasses

from dig2dig_ros.errors import InputError

LOCAL = 'local'


@dataclasses.dataclass(frozen=True)
class RayOptions:
    """How to use Ray.

    Attributes:
        address: of a running cluster (`auto` finds this machine's), or `local` for one of our own.
        workers: how many; None for as many as there is room for.
        threads: CPU threads of each worker.
        gpus: share of a GPU that each worker takes, where it computes on one.
    """

    address: str = LOCAL
    workers: int | None = None
    threads: int = 1
    gpus: float = 1.0


def add_ray_options(parser: argparse.ArgumentParser) -> argparse._ArgumentGroup:
    """Add --ray and how it shares the machines.

    :returns: their group, for what a command has beside.
    """
    group = parser.add_argument_group('many workers (Ray)')
    group.add_argument('--ray', nargs='?', const=LOCAL, metavar='ADDRESS',
                       help='spread the work over Ray, and go on where an earlier run stopped; '
                            "without an address on this machine's cores alone")
    group.add_argument('--ray-workers', type=int, metavar='N',
                       help='how many, each with its own engine; left out: as many as fit')
    group.add_argument('--ray-threads', type=int, default=RayOptions.threads, metavar='N',
                       help='CPU threads of each worker')
    group.add_argument('--ray-gpus', type=float, default=RayOptions.gpus, metavar='SHARE',
                       help='of a GPU that each worker takes, where there are GPUs and --device '
                            'is not cpu; 0.5: two workers a GPU')
    return group


def ray_options(arguments: argparse.Namespace) -> RayOptions | None:
    """What the options say; None without --ray.

    :raises InputError: for a value out of range.
    """
    if arguments.ray is None:
        return None
    for name in ('ray_workers', 'ray_threads', 'ray_gpus'):
        value = getattr(arguments, name)
        if value is not None and not value > 0:
            raise InputError(f'--{name.replace("_", "-")} is {value}; it must be above 0')
    return RayOptions(arguments.ray, arguments.ray_workers, arguments.ray_threads,
                      arguments.ray_gpus)
