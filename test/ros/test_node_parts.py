"""Parts of the node that need no second process."""

import importlib.util
import os
import subprocess
import sys

import numpy as np
import pytest
import rclpy
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from dig2dig_ros.camera.encodings import read_pixels
from dig2dig_ros.camera.preparation import Prepared
from dig2dig_ros.errors import InputError
from dig2dig_ros.ros.messages import ImageWriter, cv_bridge_reader
from dig2dig_ros.ros.node.engine_session import EngineSession
from dig2dig_ros.ros.node.outputs import Frame, Outputs
from dig2dig_ros.ros.node.pair_period import PairPeriod
from dig2dig_ros.ros.node.parameters import AUTO_BUDGET, PARAMETERS
from dig2dig_ros.ros.node.rate_cap import RateCap
from dig2dig_ros.ros.node.statistics import FrameRecord, Statistics
from dig2dig_ros.ros.node.synchronisation import (
    ApproximateSynchroniser,
    ApproximateTimeSynchronizer,
)
from dig2dig_ros.ros.parameter_table import Parameter
from dig2dig_ros.ros.qos import UnsupportedEventTypeError, made_with_events

DEFAULTS = {row.name: row.default for row in PARAMETERS}


@pytest.mark.parametrize(('row', 'given', 'expected'), [
    (Parameter('p', 0.5, 'x', bounds=(0.0, 1.0)), 1, 1.0),
    (Parameter('p', 5, 'x', bounds=(1, 9)), 9, 9),
    (Parameter('p', [1.0, 2.0], 'x', length=2), (3, 4.5), [3.0, 4.5]),
    (Parameter('p', 'a', 'x', choices=('a', 'b')), 'b', 'b'),
    (Parameter('p', True, 'x'), False, False),
])
def test_good_values_are_taken_in_the_type_of_the_row(row, given, expected):
    value = row.validated(given)
    assert value == expected
    assert type(value) is type(row.default)


@pytest.mark.parametrize(('row', 'given', 'words'), [
    (Parameter('p', 0.5, 'x', bounds=(0.0, 1.0)), 1.01, 'p is 1.01; it must be a float from 0'),
    (Parameter('p', 0.5, 'x'), float('nan'), 'a float'),
    (Parameter('p', 0.5, 'x'), True, 'a float'),
    (Parameter('p', 5, 'x', bounds=(1, 9)), 5.0, 'an int from 1 to 9'),
    (Parameter('p', [1.0, 2.0], 'x', length=2), [1.0], '2 floats'),
    (Parameter('p', [1.0, 2.0], 'x', length=2), 'ab', '2 floats'),
    (Parameter('p', [1.0, 2.0], 'x', length=2), [1.0, 'b'], '2 floats'),
    (Parameter('p', 'a', 'x', choices=('a', 'b')), 'c', 'one of a, b'),
    (Parameter('p', True, 'x'), 1, 'a bool'),
    (Parameter('p', 'a', 'x'), None, 'a string'),
])
def test_bad_values_are_refused_with_what_is_allowed(row, given, words):
    with pytest.raises(InputError, match='it must be') as refused:
        row.validated(given)
    assert words in str(refused.value)


def test_reading_shares_memory_with_the_message():
    message = ImageWriter().write(np.zeros((8, 8, 3), np.uint8), 'bgr8', Header())
    image = read_pixels(message)
    assert np.shares_memory(image, np.frombuffer(message.data, np.uint8))


@pytest.mark.parametrize('check', ['', '1'])
def test_writing_a_large_image_takes_one_copy(check):
    """A step per element takes 400 ms for these 3.9 MB, whatever the machine."""
    code = '''
import time, numpy as np
from std_msgs.msg import Header
from dig2dig_ros.ros.messages import ImageWriter
writer, image, times = ImageWriter(), np.ones((1024, 1280, 3), np.uint8), []
for _ in range(20):
    start = time.thread_time()
    message = writer.write(image, 'bgr8', Header())
    times.append(time.thread_time() - start)
assert len(message.data) == image.nbytes and message.data[-1] == 1
print(min(times))
'''
    environment = {**os.environ, 'ROS_PYTHON_CHECK_FIELDS': check}
    output = subprocess.run([sys.executable, '-c', code], env=environment, check=True,
                            capture_output=True, text=True).stdout
    assert float(output) < 0.02


def test_the_writer_follows_size_and_encoding():
    writer = ImageWriter()
    for shape, encoding, step in (((4, 6, 3), 'bgr8', 18), ((5, 7), 'mono8', 7),
                                  ((4, 6), 'rgb8', 18)):
        image = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)
        message = writer.write(image, encoding, Header())
        assert (message.height, message.width) == shape[:2]
        assert (message.step, message.encoding) == (step, encoding)
        read = read_pixels(message)
        assert np.array_equal(read if read.ndim == image.ndim else read[..., 0], image)
    weights = np.linspace(0, 1, 20, dtype=np.float32).reshape(4, 5)
    assert np.array_equal(read_pixels(writer.write(weights, '32FC1', Header())), weights)


def message(image, encoding):
    return ImageWriter().write(image, encoding, Header(frame_id=encoding))


def test_cv_bridge_agrees_or_is_refused_with_one_clear_line():
    if importlib.util.find_spec('cv_bridge') is None:
        with pytest.raises(InputError, match='use own'):
            cv_bridge_reader()
        return
    reader = cv_bridge_reader()
    image = np.random.default_rng(0).integers(0, 255, (8, 10, 3), np.uint8)
    for encoding in ('bgr8', 'rgb8'):
        made = message(image, encoding)
        assert np.array_equal(reader(made), read_pixels(made))
    with pytest.raises(InputError):
        reader(Image(height=4, width=4, step=4, encoding='mono8'))


def test_upstreams_policy_where_it_is_installed():
    if ApproximateTimeSynchronizer is None:
        with pytest.raises(InputError, match='message_filters is not installed'):
            ApproximateSynchroniser(DEFAULTS, lambda: 0)
        return
    synchroniser = ApproximateSynchroniser(DEFAULTS, lambda: 0)
    pairs = []
    synchroniser.registerCallback(lambda *pair: pairs.append(pair))
    for _ in range(2):  # a looped bag
        for number in range(1, 51):
            for camera in ('infrared', 'visible'):
                made = message(np.zeros((2, 2), np.uint8), 'mono8')
                made.header.stamp.sec = number
                synchroniser.add(camera, made, number)
    assert len(pairs) == 100
    assert synchroniser.dropped == {'unpaired': 0}


def test_statistics_give_rate_and_percentiles():
    statistics = Statistics()
    assert statistics.percentiles('engine_ms') is None
    assert statistics.fps() == 0
    for number in range(100):
        statistics.fused(FrameRecord(number * 1e-9, 0, 0, number, 0), (0.25, 0.75))
    assert statistics.percentiles('engine_ms') == pytest.approx((49.5, 89.1, 98.01))
    assert statistics.mean_weights == (0.25, 0.75)
    assert statistics.counts['fused'] == 100
    # A stamp of another clock has no age.
    statistics.fused(FrameRecord(1.0, None, 0, 50, 0), (0.25, 0.75))
    assert statistics.percentiles('stamp_ms') == (0, 0, 0)


@pytest.mark.parametrize('supported', [['both', 'one'], ['one'], []])
def test_events_that_the_middleware_lacks_are_left_out(supported):
    def make(events):
        if events is not None and events not in supported:
            raise UnsupportedEventTypeError('not supported')
        return events

    assert made_with_events(make, ['both', 'one']) == next(iter(supported), None)


@pytest.fixture
def node(domain):
    context = Context()
    rclpy.init(context=context, domain_id=domain)
    made = Node('fusion_node', context=context)
    yield made
    made.destroy_node()
    rclpy.try_shutdown(context=context)


def frame(image, header=None, info=None):
    return Frame(header or Header(), image, np.stack([image, image]), info,
                 Prepared(image, image, None))


def test_nothing_is_made_that_nobody_subscribes_to(node):
    # Pixels that no encoding takes: making a message of them would fail.
    nonsense = np.zeros((4, 4), np.complex64)
    Outputs(node, DEFAULTS).publish(frame(nonsense))
    with pytest.raises(InputError):
        ImageWriter().write(nonsense, 'bgr8', Header())


def test_camera_info_is_published_as_a_copy(node):
    outputs, heard = Outputs(node, DEFAULTS), []
    node.create_subscription(CameraInfo, 'fused/camera_info', heard.append, 1)
    image = np.zeros((4, 4), np.uint8)
    given = CameraInfo(header=Header(frame_id='as it came'), width=4)
    executor = SingleThreadedExecutor(context=node.context)
    executor.add_node(node)
    while not heard:
        outputs.publish(frame(image, Header(frame_id='fused'), given))
        executor.spin_once(timeout_sec=0.1)
    executor.shutdown()
    assert (heard[0].header.frame_id, heard[0].width) == ('fused', 4)
    assert given.header.frame_id == 'as it came'


@pytest.mark.parametrize(('camera_hz', 'limit_hz', 'passed'), [
    (30, 0, 300), (30, 15, 150), (30, 10, 100), (30, 40, 300), (25, 10, 100)])
def test_the_rate_cap_lets_just_as_many_through(camera_hz, limit_hz, passed):
    cap, jitter = RateCap(), np.random.default_rng(0).uniform(-0.004, 0.004, 10 * camera_hz)
    admitted = [cap.admits(1000 + number / camera_hz + jitter[number], limit_hz)
                for number in range(10 * camera_hz)]
    assert abs(sum(admitted) - passed) <= 1


def test_after_a_pause_the_rate_cap_does_not_let_a_burst_through():
    cap = RateCap()
    assert [cap.admits(5000 + now_s, 1.0) for now_s in (0, 0.1, 100, 100.1, 100.2, 101)] == [
        True, False, True, False, False, True]


def test_the_period_of_pairs_is_their_median_and_takes_a_few():
    period = PairPeriod()
    for index in range(5):
        period.note(1000 + index * 40_000_000)
    assert period.ms is None
    period.note(1000 + 5 * 40_000_000)
    assert period.ms == pytest.approx(40)
    period.note(1000 + 30 * 40_000_000)  # a gap
    assert period.ms == pytest.approx(40)
    last = 1000 + 30 * 40_000_000
    for index in range(1, 40):
        period.note(last + index * 100_000_000)
    assert period.ms == pytest.approx(100)


def test_the_budget_auto_takes_its_share_of_the_period():
    session = EngineSession(DEFAULTS | {
        'engine.latency_budget_ms': AUTO_BUDGET, 'engine.device': 'cpu', 'engine.mode': 'sample',
        'engine.checkpoint': 'tiny', 'engine.warm_up_size': [64, 48]})
    pair = np.full((48, 64), 90, np.uint8), np.full((48, 64, 3), 30, np.uint8)
    session.fuse(*pair, None)
    assert session.describe()['running'].startswith('DIG-')
    session.hold(1e-3)
    session.fuse(*pair, None)
    assert session.describe()['running'].startswith('one-pass')


def test_what_is_fused_to_warm_up_leaves_no_trace():
    session = EngineSession(DEFAULTS | {
        'engine.device': 'cpu', 'engine.checkpoint': 'tiny', 'engine.warm_up_size': [128, 96]})
    assert session.describe()['running'] == 'nothing yet'
    noise = np.random.default_rng(0).normal(128, 10, (96, 128, 3)).astype(np.uint8)
    session.fuse(noise[..., 0], noise, None)
    assert session.describe()['running'].endswith('cold')
    session.fuse(noise[..., 0], noise, None)
    assert session.describe()['running'].endswith('warm')
