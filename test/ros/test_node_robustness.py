"""The node under load, with failing parts, lost cameras and jumping time, over real DDS."""

import itertools

import numpy as np
from live import SECOND_NS, image_message, pixels, stamp
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, CompressedImage

MS = 1_000_000
# A burst is no camera: let the node's readers keep all of it, and its writer what comes of it.
# That the standard parameters for this work is tested by the way.
DEEP = [f'qos_overrides./{camera}/image_raw.subscription.{policy}'
        for camera in ('infrared', 'visible')
        for policy in ('depth:=200', 'reliability:=reliable')] + [
            'qos_overrides./fused/image.publisher.depth:=200', 'sync.depth:=200']


def start(live, *options, parameters=()):
    live.listen('fused/image', qos=400)
    node = live.start_stand_in(*options, parameters=['silent_timeout_s:=60.0', *parameters])
    live.wait_until_active()
    return node


def settled(live, pairs):
    """Tell whether the node has dealt with that many pairs."""
    lost = sum(int(value) for key, value in live.diagnostics.items()
               if key.startswith('pairs dropped'))
    return live.count('pairs in') == pairs == live.count('fused') + lost


def heard_stamps(live):
    return [stamp(message) for message in live.heard['fused/image']]


def test_a_slow_engine_gets_the_newest_pair(live):
    start(live, '--delay-s', '0.2', parameters=DEEP)
    for number in range(1, 41):
        live.publish_pair(number * 33 * MS)
    live.spin_until(lambda: settled(live, 40), '40 pairs to be dealt with')
    assert live.count('pairs dropped: superseded') == 40 - live.count('fused') > 0
    live.spin_until(lambda: heard_stamps(live)[-1:] == [40 * 33 * MS], 'the newest pair')
    assert heard_stamps(live) == sorted(heard_stamps(live))


def test_a_looped_bag_gives_every_pair_each_time(live):
    start(live, parameters=['queue:=every', *DEEP])
    stamps = [SECOND_NS + number * 33 * MS for number in range(150)]
    for turn in (1, 2, 3):
        for stamp_ns in stamps:
            live.publish_pair(stamp_ns)
        live.spin_until(lambda turn=turn: len(live.heard['fused/image']) >= 150 * turn,
                        f'150 pairs in turn {turn}')
    assert heard_stamps(live) == stamps * 3


def test_an_engine_error_does_not_stop_later_frames(live):
    start(live, '--fail-every', '3', parameters=['queue:=every', *DEEP])
    for number in range(1, 10):
        live.publish_pair(number * SECOND_NS)
    live.spin_until(lambda: settled(live, 9), '9 pairs')
    assert live.count('pairs dropped: engine error') == 3
    assert heard_stamps(live) == [n * SECOND_NS for n in range(1, 10) if n % 3]
    assert 'told to fail' in live.diagnostics['last error']


def test_a_camera_that_stops_and_comes_back(live):
    start(live, parameters=['silent_timeout_s:=0.5'])

    def publish_one(camera, seconds):
        made = {'infrared': (np.full((16, 24), 100, np.uint8), 'mono8'),
                'visible': (np.full((16, 24, 3), 50, np.uint8), 'bgr8')}[camera]
        live.publish(f'{camera}/image_raw', image_message(*made, seconds * SECOND_NS, camera))

    def until_passed_through(camera, seconds, value):
        live.clear()
        live.spin_until(lambda: publish_one(camera, seconds) or any(
            np.all(pixels(message) == value) for message in live.heard['fused/image']),
            f'{camera} alone')

    def pairs_again(seconds):
        live.clear()
        live.spin_until(lambda: live.publish_pair(seconds * SECOND_NS) or any(
            stamp(message) == seconds * SECOND_NS and np.all(pixels(message) == 75)
            for message in live.heard['fused/image']), 'pairs')

    pairs_again(1)
    until_passed_through('visible', 2, 50)
    other = 'no images from: infrared'
    live.spin_until(lambda: publish_one('visible', 3) or live.messages.get(
        'fusion_node: fusion') == other, 'the warning')
    assert live.levels['fusion_node: infrared camera'] == 1

    pairs_again(4)
    until_passed_through('infrared', 5, 100)
    assert live.heard['fused/image'][-1].header.frame_id == 'visible_frame'

    assert live.set_parameters(on_silent='hold') == ''
    pairs_again(6)
    live.clear()
    live.spin_until(lambda: publish_one('visible', 7) or (
        live.count('held') > 0 and live.heard['fused/image']), 'holding')
    assert set(heard_stamps(live)) == {6 * SECOND_NS}

    assert live.set_parameters(on_silent='stop') == ''
    live.spin_until(lambda: publish_one('visible', 8) or live.count(
        'single images dropped: partner camera silent') > 0, 'stopping')
    assert 8 * SECOND_NS not in heard_stamps(live)
    pairs_again(9)


def test_without_subscribers_nothing_is_computed_unless_asked(live):
    live.start_stand_in(parameters=DEEP)
    live.wait_until_active()
    for number in range(1, 4):
        live.publish_pair(number * SECOND_NS)
    live.spin_until(lambda: live.count('pairs dropped: no subscriber') == 3, 'the count')
    assert live.set_parameters(lazy=False) == ''
    live.publish_pair(5 * SECOND_NS)
    live.spin_until(lambda: live.count('fused') == 1, 'a fused pair')


def test_a_backward_clock_starts_over(live):
    start(live, parameters=['use_sim_time:=true', 'sync.max_age_s:=1.0'])
    clock = live.publisher(Clock, '/clock')

    def tick(seconds):
        message = Clock()
        message.clock.sec = seconds
        clock.publish(message)

    def fused_at(seconds):
        live.clear()
        live.spin_until(lambda: tick(seconds) or live.publish_pair(seconds * SECOND_NS)
                        or seconds * SECOND_NS in heard_stamps(live), f'a pair at {seconds} s')

    fused_at(100)
    fused_at(50)
    assert 'time jumped back' in live._processes[0].log
    # A pair that is older than sync.max_age_s is dropped as stale.
    live.spin_until(lambda: live.publish_pair(10 * SECOND_NS) or live.count(
        'pairs dropped: stale') > 0, 'a stale pair')


def level_and_text(live):
    return live.levels.get('fusion_node: fusion'), live.messages.get('fusion_node: fusion', '')


def test_cameras_that_never_pair_are_a_warning(live):
    start(live)
    stamps = itertools.count(SECOND_NS, 200 * MS)

    def publish():
        stamp_ns = next(stamps)
        live.publish_pair(stamp_ns, visible=image_message(
            np.zeros((16, 24, 3), np.uint8), 'bgr8', stamp_ns + 80 * MS))

    live.spin_until(lambda: publish() or level_and_text(live)[0] == 1, 'the warning')
    assert level_and_text(live)[1] == (
        'both cameras deliver, but no images pair: the last one was 80.0 ms from the other camera')
    assert live.count('pairs in') == 0


def test_an_engine_that_always_fails_is_an_error(live):
    start(live, '--fail-every', '1')
    stamps = itertools.count(SECOND_NS, 100 * MS)
    live.spin_until(lambda: live.publish_pair(next(stamps)) or level_and_text(live)[0] == 2,
                    'the error')
    assert level_and_text(live)[1] == (
        'every pair fails: RuntimeError: the stand-in was told to fail')
    assert live.state() == 'active'


def test_nobody_listening_is_no_fault(live):
    live.start_stand_in()
    live.wait_until_active()
    live.spin_until(lambda: live.publish_pair(SECOND_NS) or level_and_text(live) == (
        0, 'idle: nobody subscribes'), 'idle')


def test_holding_repeats_every_output(live):
    live.listen('fused/weights/infrared')
    live.listen('fused/image/compressed', message_type=CompressedImage)
    live.listen('fused/camera_info', message_type=CameraInfo)
    start(live, parameters=['silent_timeout_s:=0.5', 'on_silent:=hold', 'output.compressed:=jpeg'])
    stamps = itertools.count(SECOND_NS, 50_000_000)

    def published():
        # Again and again: what is sent before both ends know each other is lost.
        live.publish('visible/camera_info', CameraInfo(width=24, height=16))
        live.publish_pair(next(stamps))
        return all(live.heard.values())

    live.spin_until(published, 'all outputs')
    visible = image_message(np.zeros((16, 24, 3), np.uint8), 'bgr8', 1000 * SECOND_NS)
    live.spin_until(lambda: live.publish('visible/image_raw', visible) or live.count('held'),
                    'holding')
    newest = max(stamp(message) for message in live.heard['fused/image'])
    live.clear()
    live.spin_until(lambda: live.publish('visible/image_raw', visible) or all(
        live.heard.values()), 'all outputs, held')
    assert {stamp(message) for messages in live.heard.values() for message in messages} == {
        newest}


def test_stamps_of_another_clock_are_no_latency(live):
    start(live, parameters=DEEP)
    live.publish_pair(5 * SECOND_NS)
    live.spin_until(lambda: settled(live, 1), 'a fused pair')
    assert live.diagnostics['latency stamp to publish p50/p90/p99 (ms)'] == 'none yet'
    received = live.diagnostics['latency receive to publish p50/p90/p99 (ms)']
    assert 0 < float(received.split(' / ')[0]) < 60_000
