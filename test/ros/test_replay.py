"""replay as a process over real DDS: every image, original spacing, /clock, loop, clean end."""

import os
import pty
import signal
import sys
import time
from collections import Counter

import numpy as np
import pytest
from live import pixels, stamp
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rosgraph_msgs.msg import Clock

from dig2dig_ros.bag import messages
from dig2dig_ros.bag.storage import TYPES, create_bag
from dig2dig_ros.cli import main

TOPICS = ('/infrared/image_raw', '/visible/image_raw')
REPLAY = [sys.executable, '-m', 'dig2dig_ros.cli', 'replay']
PERIOD_NS = 33_333_333
COUNT = 15
STAMPS = [1_000_000_000 + number * PERIOD_NS for number in range(COUNT)]
# On a busy machine best effort loses images of this size.
RELIABLE = QoSProfile(depth=200, reliability=ReliabilityPolicy.RELIABLE)
DEFINITION = 'uint8 x'


@pytest.fixture(scope='module')
def bag(tmp_path_factory):
    """Half a second of two cameras at VGA, and a recorded /clock that must not be played."""
    path = tmp_path_factory.mktemp('replay') / 'bag'
    with create_bag(path, 'mcap') as writer:
        topics = [messages.add_topic(writer, topic, messages.IMAGE) for topic in TOPICS]
        clock = messages.add_topic(writer, '/clock', 'rosgraph_msgs/msg/Clock')
        wrong = TYPES.types['rosgraph_msgs/msg/Clock'](
            TYPES.types['builtin_interfaces/msg/Time'](77, 0))
        own = writer.add_connection('/own', 'own_msgs/msg/Own', msgdef=DEFINITION,
                                    rihs01=_own_hash())
        for number, stamp_ns in enumerate(STAMPS):
            header = messages.header(stamp_ns, 'frame')
            messages.write(writer, clock, stamp_ns, wrong)
            writer.write(own, stamp_ns, b'\x00\x01\x00\x00\x07')
            for topic, shape, encoding in zip(topics, ((480, 640), (480, 640, 3)),
                                              ('mono8', 'bgr8'), strict=True):
                image = np.full(shape, number, np.uint8)
                messages.write(writer, topic, stamp_ns,
                               messages.image_message(image, encoding, header))
    return path


def _own_hash():
    from rosbags.typesys import Stores, get_types_from_msg, get_typestore
    store = get_typestore(Stores.ROS2_JAZZY)
    store.register(get_types_from_msg(DEFINITION, 'own_msgs/msg/Own'))
    return store.hash_rihs01('own_msgs/msg/Own')


@pytest.fixture
def live(live):
    live.listen(*TOPICS, qos=RELIABLE)
    live.listen('/clock', message_type=Clock, qos=RELIABLE)
    return live


def clock_times(live):
    return [message.clock.sec + message.clock.nanosec * 1e-9 for message in live.heard['/clock']]


def image_stamps(live):
    return [stamp(message) for message in live.heard[TOPICS[0]]]


def test_every_image_arrives_whole_and_in_order(live, bag):
    # Slowly: of a reader that falls ten images behind, the player waits for none.
    process = live.start(*REPLAY, str(bag), '--rate', '0.25', '--wait', '120')
    live.spin_until(lambda: all(len(live.heard[topic]) == COUNT for topic in TOPICS), 'images')
    assert process.wait() == 0
    for topic in TOPICS:
        assert [stamp(message) for message in live.heard[topic]] == STAMPS
        assert [int(pixels(message).mean()) for message in live.heard[topic]] == [*range(COUNT)]
    assert f'played {2 * COUNT} messages' in process.log
    assert 'not played: /own (own_msgs/msg/Own)' in process.log
    times = clock_times(live)
    assert times == sorted(times)
    assert times[0] >= 1.0
    assert times[-1] <= 1.0 + COUNT * PERIOD_NS * 1e-9 + 0.02
    between = np.setdiff1d(np.round(times, 3), np.round(np.array(STAMPS) * 1e-9, 3))
    assert len(between) > 3, '/clock runs between the frames too'


def test_a_loop_goes_on_until_ctrl_c_which_is_no_failure(live, bag):
    process = live.start(*REPLAY, str(bag), '--loop', '--rate', '4', '--wait', '120')
    # A slow consumer may lose some, so each image is waited for in any two passes.
    live.spin_until(lambda: [each for each, count in sorted(Counter(image_stamps(live)).items())
                             if count > 1] == STAMPS, 'each image twice')
    live.spin_until(lambda: any(np.diff(clock_times(live)) < -0.3),
                    '/clock to jump back with the stamps')
    assert process.end(signal.SIGINT) == 0
    assert 'Traceback' not in process.log
    assert 0 not in np.diff(image_stamps(live)), 'no image twice in a pass'


def test_sigterm_ends_it_as_cleanly(live, bag):
    process = live.start(*REPLAY, str(bag), '--loop', '--wait', '120')
    live.spin_until(lambda: live.heard[TOPICS[0]], 'the first image')
    assert process.end(signal.SIGTERM) == 0
    assert 'Traceback' not in process.log


def test_topics_can_be_chosen(live, bag):
    process = live.start(*REPLAY, str(bag), '--topics', TOPICS[1], '--rate', '8', '--wait', '120')
    live.spin_until(lambda: live.heard[TOPICS[1]] and process.process.poll() is not None,
                    'visible images and the end')
    assert process.wait() == 0
    assert live.heard[TOPICS[0]] == []


@pytest.mark.parametrize(('options', 'message'), [
    (['--topics', '/nothing'], 'no topic /nothing; it has /clock, /infrared/image_raw'),
    (['--topics', '/own'], 'no message that could be played')])
def test_wrong_topics_exit_with_2_and_a_reason(live, bag, options, message):
    process = live.start(*REPLAY, str(bag), *options)
    assert process.wait() == 2
    assert message in process.log
    assert 'Traceback' not in process.log


@pytest.mark.parametrize('rate', ['0', 'nan'])
def test_a_wrong_rate_is_refused_before_the_bag_is_read(capsys, rate):
    assert main(['replay', 'no/such/bag', '--rate', rate]) == 2
    assert capsys.readouterr().err == (
        f'dig2dig replay: error: --rate is {rate}; it must be above 0\n')


def test_space_pauses_where_there_is_a_terminal(live, bag):
    master, slave = pty.openpty()
    before = os.dup(0)
    try:
        os.dup2(slave, 0)
        process = live.start(*REPLAY, str(bag), '--loop', '--wait', '120')
    finally:
        os.dup2(before, 0)
    live.spin_until(lambda: live.heard[TOPICS[0]], 'the first image')
    os.write(master, b' ')
    quiet_since_s = [time.monotonic()]

    def stands_still():
        if any(live.heard.values()):
            live.clear()
            quiet_since_s[0] = time.monotonic()
        return time.monotonic() - quiet_since_s[0] > 1.0

    live.spin_until(stands_still, 'a pause')
    os.write(master, b' ')
    live.spin_until(lambda: live.heard[TOPICS[0]], 'images after the pause')
    assert process.end() == 0
