"""fused/temperature, its diagnostics and its alarm, and fused/overlay, over real DDS."""

import itertools

import numpy as np
import pytest
from live import SECOND_NS, image_message, pixels, stamp

NAME = 'fusion_node: temperature'
COLD_C = 20
SHIFT = [1.0, 0.0, 8.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]


@pytest.fixture
def scene(live):
    """Publishes pairs, infrared in centikelvin with one pixel as hot as is asked for."""
    stamps = itertools.count(1)

    def publish(hottest_c=COLD_C):
        publish.stamp_ns = stamp_ns = next(stamps) * SECOND_NS
        counts = np.full((16, 24), 27315 + 100 * COLD_C, np.uint16)
        counts[5, 7] = 27315 + 100 * hottest_c
        live.publish_pair(stamp_ns, image_message(counts, 'mono16', stamp_ns))

    return publish


def test_temperatures_are_in_the_visible_frame_without_the_engine(live, scene):
    live.listen('fused/temperature')
    live.start_stand_in('--fail-every', '1', parameters=[
        'thermal.scale:=0.01', f'registration.homography:={SHIFT}'])
    live.wait_until_active()
    live.spin_until(lambda: scene(90) or live.heard['fused/temperature'], 'temperatures')
    message = live.heard['fused/temperature'][-1]
    assert (message.encoding, message.header.frame_id) == ('32FC1', 'visible_frame')
    expected = np.full((16, 24), np.nan)
    expected[:, 8:] = COLD_C
    expected[5, 15] = 90
    np.testing.assert_allclose(pixels(message), expected, atol=0.01)
    live.spin_until(lambda: live.messages.get(NAME) == 'measuring', 'diagnostics')
    assert live.values[NAME] == {
        'unit': 'celsius', 'minimum': '20.00', 'mean': f'{COLD_C + 70 / 256:.2f}',
        'maximum': '90.00', 'hottest pixel (column, row)': '15, 5'}
    live.spin_until(lambda: live.count('pairs dropped: temperature only') > 0, 'the reason')
    assert live.count('pairs dropped: engine error') == 0
    assert live.set_parameters(thermal__unit='kelvin') == ''
    live.clear()
    live.spin_until(lambda: scene(90) or any(
        pixels(heard)[5, 15] > 300 for heard in live.heard['fused/temperature']), 'kelvin')


def test_an_alarm_is_raised_without_subscribers_and_held_until_it_is_set_again(live, scene):
    live.start_stand_in(parameters=['thermal.scale:=0.01', 'thermal.alarm:=80.0'])
    live.wait_until_active()
    live.spin_until(lambda: scene(30) or live.levels.get(NAME) == 0, 'no alarm')
    live.spin_until(lambda: scene(95) or live.levels.get(NAME) == 2, 'the alarm')
    live.spin_until(lambda: scene(30) or live.values[NAME]['maximum'] == '30.00', 'cooling')
    assert live.levels[NAME] == 2
    assert live.messages[NAME] == ('alarm: 95.0 celsius at column 7, row 5; thermal.alarm is 80, '
                                   'set it to clear this')
    assert live.set_parameters(thermal__alarm=80.0) == ''
    live.spin_until(lambda: scene(30) or live.levels[NAME] == 0, 'the end of the alarm')


def test_a_camera_that_is_not_radiometric_says_so_once(live, scene):
    live.listen('fused/temperature')
    node = live.start_stand_in()
    live.wait_until_active()
    live.spin_until(lambda: scene() or 'thermal.scale is 0' in node.log, 'the warning')
    live.spin_until(lambda: scene() or live.count('pairs in') > 3, 'more pairs')
    assert node.log.count('thermal.scale is 0') == 1
    assert live.heard['fused/temperature'] == []
    assert NAME not in live.levels


def test_the_overlay_can_be_changed_live(live, scene):
    live.listen('fused/overlay')
    live.start_stand_in(parameters=['thermal.agc:=range', 'thermal.minimum:=29315.0',
                                    'thermal.maximum:=30315.0'])
    live.wait_until_active()
    seen = {}
    for kind in ('weights', 'hot', 'checker'):
        assert live.set_parameters(output__overlay=kind) == ''
        scene(30)
        first_ns = scene.stamp_ns  # what comes of the pairs before may still be of another kind
        live.spin_until(lambda first_ns=first_ns: scene(30) or any(
            stamp(message) >= first_ns for message in live.heard['fused/overlay']), kind)
        message = live.heard['fused/overlay'][-1]
        assert (message.encoding, message.header.frame_id) == ('bgr8', 'visible_frame')
        seen[kind] = pixels(message).copy()
    visible = np.full((16, 24, 3), 50, np.uint8)
    cold = np.ones((16, 24), bool)
    cold[5, 7] = False
    np.testing.assert_array_equal(seen['hot'][cold], visible[cold])
    assert seen['hot'][5, 7].max() > 200
    # Squares of two pixels: the hot one, 5 and 7, is in row 2 and column 3, shown by infrared.
    assert np.all(seen['checker'][5, 7] == 255)
    assert np.all(seen['checker'][0, 0] == 50)
    assert np.all(seen['checker'][0, 2] == 0)
    # Equal weights of orange and blue are grey: what shows is the fused image.
    assert seen['weights'][5, 7].min() > seen['weights'][0, 0].max() > 0


def test_a_rate_cap_drops_pairs_before_any_work(live, scene):
    live.listen('fused/image')
    live.start_stand_in(parameters=['output.max_fps:=0.001'])
    live.wait_until_active()
    live.spin_until(lambda: scene() or live.count('pairs dropped: rate limit') > 2, 'drops')
    assert live.count('fused') <= 1
    assert len({stamp(message) for message in live.heard['fused/image']}) <= 1
    live.spin_until(lambda: live.count('pairs in') == live.count('fused') + sum(
        int(value) for key, value in live.diagnostics.items()
        if key.startswith('pairs dropped')), 'an account of every pair')
