"""Waiting for the worker: in a callback, or without holding up the executor's thread."""

import concurrent.futures
from collections.abc import Awaitable, Callable
from concurrent.futures import Future as WorkerFuture
from typing import Any

from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from rclpy.task import Future


def finished(node: Node, working: WorkerFuture) -> Future:
    """Give what a callback can await while the worker is at it; its result is None."""
    future = Future(executor=node.executor)
    working.add_done_callback(lambda _: future.set_result(None))
    return future


def wait(node: Node, working: WorkerFuture) -> Any:
    """Wait for the worker in a callback, but no longer than the process is wanted."""
    while not concurrent.futures.wait([working], timeout=0.1).done:
        if not node.context.ok():
            raise ExternalShutdownException
    return working.result()


def prepare_configure(node: Node, prepare: Callable[[], Awaitable[None]]) -> None:
    """Have something awaited before `configure` is tried, when the service asks for it.

    rclpy's transitions cannot be awaited, and while one lasts no other callback of the node
    runs. Services go to a group of their own, since the default one would stay closed too.

    :param prepare: called with each request to configure; what it finds wrong is for
        `on_configure` to say.
    """
    group = ReentrantCallbackGroup()
    for service in node.services:
        service.callback_group = group
        group.add_entity(service)
    service = next(entry for entry in node.services if entry.srv_name.endswith('/change_state'))
    change_state = service.callback

    async def prepared(request: ChangeState.Request,
                       response: ChangeState.Response) -> ChangeState.Response:
        if (request.transition.label == 'configure'
                or request.transition.id == Transition.TRANSITION_CONFIGURE):
            await prepare()
        return change_state(request, response)

    service.callback = prepared
