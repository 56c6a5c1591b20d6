"""CUDA errors, injected by a stand-in engine: waits that double, recovery, or a clean end."""

import itertools

import pytest
from lifecycle_msgs.msg import Transition
from live import SECOND_NS
from test_node_robustness import start

from dig2dig_ros.ros.node.engine_keeper import (
    FIRST_WAIT_S,
    LONGEST_WAIT_S,
    TRIES,
    EngineKeeper,
)

FUSION = 'fusion_node: fusion'
ERROR = RuntimeError('CUDA error: unspecified launch failure\nCompile with TORCH_USE_CUDA_DSA')


class Session:
    """A session that fails while it is told to."""

    on_gpu = True
    failing = True
    made = 0

    def __init__(self, values):
        Session.made += 1
        self.closed = False

    def fuse(self):
        assert not self.closed
        if Session.failing:
            raise ERROR
        return 'fused'

    def close(self):
        self.closed = True
        raise ERROR


class Clock:
    now_s = 1000.0

    def __call__(self):
        return self.now_s


@pytest.fixture
def clock():
    Session.failing, Session.on_gpu, Session.made = True, True, 0
    return Clock()


def waits_until_given_up(keeper, clock):
    """Fuse as soon as there is an engine; return how long there was none, each time."""
    waits = []
    while not keeper.failure:
        with pytest.raises(RuntimeError, match='CUDA error'):
            keeper.fuse()
        start_s = clock.now_s
        while not keeper.failure and not keeper.revive({}):
            clock.now_s += 0.25
        waits.append(clock.now_s - start_s)
    return waits[:-1]  # after the last failure there was nothing to wait for


def test_waits_double_up_to_a_limit_and_then_it_is_given_up(clock):
    keeper = EngineKeeper(Session, {}, clock)
    assert keeper.trouble == ''
    waits = waits_until_given_up(keeper, clock)
    assert waits == [0.5, 1, 2, 4, 8, 16, 30, 30]
    assert (waits[0], waits[-1], len(waits)) == (FIRST_WAIT_S, LONGEST_WAIT_S, TRIES)
    assert Session.made == 1 + TRIES
    assert keeper.trouble == keeper.failure == (
        'the GPU failed, and again after 8 new engines; deactivated. Start the process anew, or '
        'see to the GPU: RuntimeError: CUDA error: unspecified launch failure')
    clock.now_s += 1000
    assert keeper.revive({}) is False
    keeper.close()  # raises nothing, though freeing memory fails as well


def test_an_engine_that_ran_for_a_while_is_forgiven(clock):
    keeper = EngineKeeper(Session, {}, clock)
    for wait_s in (0.5, 1, 2):
        with pytest.raises(RuntimeError):
            keeper.fuse()
        assert f'is made anew in {wait_s:.1f} s' in keeper.trouble
        clock.now_s += wait_s
        assert keeper.revive({}) is True
        assert keeper.trouble == ''
    Session.failing = False
    assert keeper.fuse() == 'fused'
    Session.failing = True
    clock.now_s += LONGEST_WAIT_S + 1
    with pytest.raises(RuntimeError):
        keeper.fuse()
    assert keeper.trouble == (
        'the GPU failed: RuntimeError: CUDA error: unspecified launch failure; the engine is '
        'made anew in 0.5 s (try 1 of 8)')


def test_an_error_on_a_cpu_leaves_the_engine_as_it_is(clock):
    Session.on_gpu = False
    keeper = EngineKeeper(Session, {}, clock)
    with pytest.raises(RuntimeError):
        keeper.fuse()
    assert (keeper.trouble, keeper.revive({}), keeper.session.closed) == ('', True, False)


def test_an_engine_that_cannot_be_made_counts_as_a_try(clock):
    keeper = EngineKeeper(Session, {}, clock)
    with pytest.raises(RuntimeError):
        keeper.fuse()
    keeper._make_session = lambda values: 1 / 0
    clock.now_s += 0.5
    assert keeper.revive({}) is False
    assert 'ZeroDivisionError: division by zero; the engine is made anew in 1.0 s (try 2 of 8)' \
        in keeper.trouble


def publish_until(live, condition, what):
    stamps = itertools.count(1)
    live.spin_until(
        lambda: live.publish_pair(next(stamps) * SECOND_NS) or condition(), what)


def test_a_node_recovers_from_cuda_errors(live):
    start(live, '--on-gpu', '--cuda-errors', '3', '--fail-loads', '3', '--first-wait-s', '0.1')
    publish_until(live, lambda: live.levels.get(FUSION) == 2, 'the error')
    assert live.messages[FUSION].startswith(
        'the GPU failed: RuntimeError: CUDA error: an illegal memory access was encountered; '
        'the engine is made anew in ')
    assert live.state() == 'active'
    publish_until(live, lambda: live.count('fused') > 0, 'recovery')
    publish_until(live, lambda: live.messages[FUSION] == 'fusing', 'the good word')
    assert live.levels[FUSION] == 0
    assert live.count('pairs dropped: engine error') == 3
    assert live.count('pairs dropped: no engine') > 0
    assert live.count('engine restarts') == 4  # the second could not be made


def test_a_node_whose_gpu_stays_lost_ends_inactive(live):
    """As nav2's manager would see it; it can be cleaned up, and does not pretend to be active."""
    node = start(live, '--on-gpu', '--cuda-errors', '1000', '--first-wait-s', '0.005')
    publish_until(live, lambda: 'deactivated' in live.messages.get(FUSION, ''), 'the reason')
    assert live.levels[FUSION] == 2
    assert live.state() == 'inactive'
    assert node.log.count('[ERROR]') == 2, 'the first failure, and that it is given up'
    assert 'Traceback' not in node.log
    assert live.change_state(Transition.TRANSITION_ACTIVATE) is False
    assert live.change_state(Transition.TRANSITION_CLEANUP) is True
    assert live.state() == 'unconfigured'
