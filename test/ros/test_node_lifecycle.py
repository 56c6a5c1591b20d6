"""The managed node as a process: transitions, parameters, names, and how it ends."""

import signal

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray
from lifecycle_msgs.msg import Transition
from live import SECOND_NS, STAND_IN, image_message, stamp
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, Image


def test_transitions_by_hand(live):
    live.listen('fused/image')
    live.start_stand_in(parameters=['autostart:=false'])
    assert live.state() == 'unconfigured'
    for _ in range(2):
        assert live.change_state(Transition.TRANSITION_CONFIGURE)
        assert live.state() == 'inactive'
        assert live.change_state(Transition.TRANSITION_ACTIVATE)
        live.clear()
        live.warm_up()
        assert live.change_state(Transition.TRANSITION_DEACTIVATE)
        assert live.change_state(Transition.TRANSITION_CLEANUP)
        assert live.state() == 'unconfigured'
    assert live.change_state(Transition.TRANSITION_UNCONFIGURED_SHUTDOWN)
    assert live.state() == 'finalized'


def test_a_bad_start_says_why_and_can_be_mended(live):
    node = live.start_stand_in(parameters=['engine.steps:=0', 'engine.stepz:=9'])
    live.spin_until(lambda: live.levels.get('fusion_node: fusion') == 2, 'the failure')
    reason = 'engine.steps is 0; it must be an int from 1 to 1000'
    assert reason in live.messages['fusion_node: fusion']
    assert reason in node.log
    assert 'unknown parameter engine.stepz is ignored; did you mean engine.steps?' in node.log
    assert live.state() == 'unconfigured'
    assert live.set_parameters(engine__steps=8) == ''
    assert live.change_state(Transition.TRANSITION_CONFIGURE)


def test_parameters_are_validated(live):
    live.start_stand_in(parameters=['sync.slop_s:=1'])  # an int for a float
    live.wait_until_active()
    refusals = {
        'sync__slop_s': (-0.1, 'sync.slop_s out of range Min: 0.0, Max: 10.0, value: -0.1'),
        'engine__preset': ('papier', 'it must be one of paper, symmetric, live'),
        'engine__window': (4, 'Min: 1, max: 255, value: 4, step: 2'),
        'engine__t_max': (1000, 'engine.t_max out of range. Min: 1, Max: 999, value: 1000'),
        'engine__normalise': (1, 'engine.normalise is 1; it must be a bool, or preset'),
        'engine__precision': ('fp32', 'read when the node is configured'),
        'engine__temperature': ('hot', "engine.temperature is 'hot'; it must be a float"),
        'engine__mode': ('magic', 'it must be one of sample, one-pass, or preset'),
        'engine__interval': (30, 'interval is 30; it must be from 1 to steps (15)'),
        'registration__homography': ([0.0] * 9, 'invertible'),
        'thermal__low_percentile': (99.5, 'percentiles'),
        'queue': ('every', 'read when the node is configured'),
        'autostart': (False, ''),
    }
    for name, (value, reason) in refusals.items():
        before = live.get_parameter(name.replace('__', '.'))
        text = live.set_parameters(**{name: value})
        assert text, name
        assert reason in text
        assert live.get_parameter(name.replace('__', '.')) == before
    assert live.set_parameters(sync__slop_s=0, engine__mode='sample') == ''
    # One after the other the first is refused; together they fit.
    assert live.set_parameters(engine__interval=20) != ''
    assert live.set_parameters(atomically=True, engine__interval=20, engine__steps=20) == ''
    assert live.set_parameters(atomically=True, engine__interval=9, engine__steps=5) != ''
    assert (live.get_parameter('engine.interval'), live.get_parameter('engine.steps')) == (20, 20)


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_ends_cleanly_while_it_works(live, number):
    live.listen('fused/image')
    node = live.start_stand_in('--delay-s', '0.3')
    live.wait_until_active()
    live.warm_up()
    live.publish_pair(5 * SECOND_NS)
    assert node.end(number) == 0, node.log
    assert 'Traceback' not in node.log


@pytest.mark.parametrize('option', ['--load-s', '--delay-s'])
def test_ends_cleanly_while_it_cannot_be_interrupted(live, option):
    node = live.start_stand_in(option, '600', parameters=['lazy:=false'])
    if option == '--load-s':
        live.spin_until(lambda: 'loading the engine' in node.log)
    else:
        live.wait_until_active()
        live.publish_pair(SECOND_NS)
        live.spin_until(lambda: live.publish_pair(2 * SECOND_NS) or live.count('pairs in'))
    # `end` kills in the end, with another exit code.
    assert node.end() == 0
    assert 'Traceback' not in node.log


def test_wrong_arguments_are_one_line(live):
    node = live.start_stand_in(parameters=['no assignment'])
    assert node.wait() == 2
    assert 'Traceback' not in node.log
    assert 'error: failed to initialize rcl' in node.log


def test_two_instances_and_remapped_cameras(live):
    for side in ('left', 'right'):
        live.start(*STAND_IN, '--ros-args', '-r', f'__ns:=/{side}',
                   '-r', f'infrared/image_raw:=/{side}_cam/thermal/image',
                   '-r', 'visible/image_raw:=colour/image_rect')
        live.listen(f'{side}/fused/image')
    for side in ('left', 'right'):
        live.wait_until_active(f'{side}/fusion_node')

    def publish(side, seconds):
        live.publish(f'/{side}_cam/thermal/image', image_message(
            np.zeros((8, 8), np.uint8), 'mono8', seconds * SECOND_NS))
        live.publish(f'/{side}/colour/image_rect', image_message(
            np.zeros((8, 8, 3), np.uint8), 'bgr8', seconds * SECOND_NS))

    for seconds, side in enumerate(('left', 'right'), start=1):
        live.spin_until(lambda side=side, seconds=seconds: publish(side, seconds) or live.
                        heard[f'{side}/fused/image'], side)
    assert {stamp(m) // SECOND_NS for m in live.heard['left/fused/image']} == {1}
    assert {stamp(m) // SECOND_NS for m in live.heard['right/fused/image']} == {2}
    names = {'left/fusion_node: fusion', 'right/fusion_node: fusion'}
    live.spin_until(lambda: names <= set(live.messages), 'diagnostics of both')
    # camera_info is the sibling of the remapped image.
    live.publisher(CameraInfo, '/left/colour/camera_info')
    live.publisher(CameraInfo, '/right_cam/thermal/camera_info')


def test_an_incompatible_publisher_is_named(live):
    node = live.start_stand_in(parameters=[
        'qos_overrides./infrared/image_raw.subscription.reliability:=reliable'])
    live.wait_until_active()
    live.node.create_publisher(Image, 'infrared/image_raw', QoSProfile(
        depth=1, reliability=ReliabilityPolicy.BEST_EFFORT))
    live.spin_until(lambda: 'reliability' in live.messages.get('fusion_node: infrared camera', ''),
                    'the policy in diagnostics')
    assert 'a publisher of /infrared/image_raw is not heard: its reliability' in node.log


def test_waiting_is_said(live):
    node = live.start_stand_in()
    live.spin_until(lambda: 'waiting for /visible/image_raw: no publisher' in node.log)
    assert 'waiting for /infrared/image_raw: no publisher' in node.log


def test_it_answers_while_the_engine_loads(live):
    node = live.start_stand_in('--load-s', '600')
    live.spin_until(lambda: live.messages.get('fusion_node: fusion') == 'loading the engine',
                    'diagnostics')
    assert live.get_parameter('sync.slop_s') == 0.02
    assert live.state() == 'unconfigured'
    assert 'read when the node is configured' in live.set_parameters(queue='every')
    assert live.set_parameters(sync__slop_s=0.1) == ''
    assert node.end() == 0
    assert 'Traceback' not in node.log


def test_it_answers_while_a_service_has_the_engine_loaded(live, tmp_path):
    loaded = tmp_path / 'loaded'
    live.start_stand_in('--load-until', str(loaded), parameters=['autostart:=false'])
    assert live.state() == 'unconfigured'
    configured = live.change_state_later(Transition.TRANSITION_CONFIGURE)
    live.spin_until(lambda: live.messages.get('fusion_node: fusion') == 'loading the engine',
                    'diagnostics')
    assert live.set_parameters(output__encoding='mono8') == ''
    assert not configured.done()
    loaded.touch()
    live.spin_until(configured.done, 'the answer')
    assert configured.result().success
    assert live.state() == 'inactive'
    live.listen('fused/image')
    assert live.change_state(Transition.TRANSITION_ACTIVATE)
    live.warm_up()
    assert live.heard['fused/image'][0].encoding == 'mono8'


def test_the_diagnostics_bear_the_name_of_the_rig(live):
    names = set()
    live.node.create_subscription(
        DiagnosticArray, '/diagnostics',
        lambda message: names.update(status.hardware_id for status in message.status), 10)
    live.start_stand_in(parameters=['hardware_id:=mast'])
    live.spin_until(lambda: names, 'diagnostics')
    assert names == {'mast'}
