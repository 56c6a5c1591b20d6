"""Runs a node as a process, or within a command: a clean end at SIGINT and SIGTERM."""

import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

import rclpy
from rclpy.exceptions import ParameterException
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from dig2dig_ros.errors import InputError
from dig2dig_ros.ros.fast_dds import use_image_profile

SIGNAL_SETTLING_S = 2.0


class ClosableNode(Protocol):
    """A node that ends on request."""

    def close(self) -> bool:
        """End its threads and free everything; False if one cannot be ended in time."""


def run(make_node: Callable[[], ClosableNode], args: Sequence[str] | None = None) -> int:
    """Spin a node until the process is told to end.

    :returns: the exit code: 0, or 2 where the command line is wrong.
    """
    problem = use_image_profile()
    try:
        rclpy.init(args=args)
    except Exception as error:  # RCLError, UnknownROSArgsError: no base but Exception
        print(f'error: {error}', file=sys.stderr)
        return 2
    node = None
    finished = True
    try:
        node = make_node()
        if problem:
            node.get_logger().warning(problem)
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        executor.spin()
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    except (InputError, ImportError, ParameterException):
        raise  # what the user gave, or has not installed: no shutdown raises these
    except Exception:
        # A callback that was under way when the context went down fails in its own way, and can
        # do so a moment before the context says that it is down.
        with contextlib.suppress(KeyboardInterrupt):
            end_s = time.monotonic() + SIGNAL_SETTLING_S
            while rclpy.ok() and time.monotonic() < end_s:
                time.sleep(0.02)
        if rclpy.ok():
            raise
    finally:
        # launch and the terminal both send SIGINT; the second must not break the ending.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if node is not None:
            finished = node.close()
        with contextlib.suppress(RuntimeError):  # RCLError
            # rclpy's signal thread may be shutting the same context down.
            rclpy.try_shutdown()
    if not finished:
        # A forward pass of seconds cannot be interrupted, and the exit would wait for it.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)
    return 0


@contextlib.contextmanager
def command_node(name: str) -> Iterator[Node]:
    """Have a node whose end by SIGINT or SIGTERM is a KeyboardInterrupt, and nothing else."""
    problem = use_image_profile()
    rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        node = Node(name, start_parameter_services=False)
        if problem:
            node.get_logger().warning(problem)
        try:
            yield node
        finally:
            node.destroy_node()
    finally:
        signal.signal(signal.SIGTERM, before)
        rclpy.try_shutdown()
