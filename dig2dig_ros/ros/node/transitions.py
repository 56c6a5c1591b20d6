"""Lifecycle transitions that say why they fail: rclpy swallows the exceptions in them."""

import functools
import traceback
from collections.abc import Callable
from typing import Protocol

from rclpy.executors import ExternalShutdownException
from rclpy.lifecycle import LifecycleState, TransitionCallbackReturn

from dig2dig_ros.errors import InputError


class FailingNode(Protocol):
    """A node that can say what went wrong."""

    failure: str

    def fail(self, reason: str) -> None:
        """Say it in the log and in /diagnostics."""


def reported(transition: Callable[[FailingNode, LifecycleState], None]
             ) -> Callable[[FailingNode, LifecycleState], TransitionCallbackReturn]:
    """Turn a method that raises into a transition callback that reports."""
    @functools.wraps(transition)
    def callback(node: FailingNode, state: LifecycleState) -> TransitionCallbackReturn:
        try:
            node.failure = ''
            transition(node, state)
            return TransitionCallbackReturn.SUCCESS
        except InputError as error:
            node.fail(f'{transition.__name__} failed: {error}')
        except ExternalShutdownException:
            pass  # the process is ending
        except Exception:
            node.fail(f'{transition.__name__} failed: {traceback.format_exc()}')
        return TransitionCallbackReturn.FAILURE

    return callback
