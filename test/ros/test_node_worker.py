"""The worker thread and the mailbox before it."""

import threading

import pytest

from dig2dig_ros.ros.node.worker import Worker


class Gate:
    """A handler that waits to be let through."""

    def __init__(self):
        self.open = threading.Event()
        self.entered = threading.Event()
        self.handled = []

    def __call__(self, item):
        self.entered.set()
        assert self.open.wait(30)
        self.handled.append(item)


@pytest.mark.parametrize(('keep', 'limit', 'lost', 'handled'), [
    ('latest', 1, [None, 1, 2, 3], [0, 4]),
    ('every', 3, [None, None, None, 4], [0, 1, 2, 3]),
])
def test_the_mailbox_is_bounded(keep, limit, lost, handled):
    gate = Gate()
    worker = Worker(gate, limit, keep)
    assert worker.put(0) is None
    assert gate.entered.wait(30)
    assert [worker.put(item) for item in (1, 2, 3, 4)] == lost
    gate.open.set()
    done = threading.Event()
    while len(gate.handled) < len(handled):
        done.wait(0.01)
    assert gate.handled == handled
    assert worker.close(30)


def test_calls_go_before_items_and_give_their_errors():
    gate = Gate()
    worker = Worker(gate)
    worker.put('item')
    assert gate.entered.wait(30)
    worker.put('later')
    call = worker.submit(lambda: list(gate.handled))
    gate.open.set()
    assert call.result(30) == ['item']
    with pytest.raises(ZeroDivisionError):
        worker.submit(lambda: 1 / 0).result(30)
    assert worker.close(30)


def test_a_busy_worker_is_not_waited_for_long():
    gate = Gate()
    worker = Worker(gate)
    worker.put('item')
    assert gate.entered.wait(30)
    assert worker.close(0.01) is False
    gate.open.set()
    assert worker.close(30)
