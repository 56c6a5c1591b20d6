"""registration.refine and a change of registration.calibration in the live node, over DDS."""

import importlib.util
import itertools

import numpy as np
import pytest
from live import SECOND_NS, image_message, pixels
from sensor_msgs.msg import CameraInfo

from dig2dig_ros.alignment.rig import Camera, CameraRig, HomographyRig, write_rig
from dig2dig_ros.synthetic.street import StreetScene

NAME = 'fusion_node: alignment'
SIZE = (320, 256)
KNOCK = (1.0, 0.0, 5.0, 0.0, 1.0, 3.0, 0.0, 0.0, 1.0)


@pytest.fixture(scope='module')
def knocked():
    """Moments of the street by a rig knocked 5.8 px off."""
    scene = StreetScene(*SIZE, seed=3, infrared_homography=KNOCK)
    return [scene.render(1.3 * index, index) for index in range(12)]


@pytest.fixture
def street(live, knocked):
    """Publishes moments, each 15 times: the node looks at every fifteenth pair."""
    frames = itertools.count(15)

    def publish():
        frame = next(frames)
        stamp_ns, moment = frame * SECOND_NS, knocked[frame // 15 % len(knocked)]
        live.publish_pair(stamp_ns, image_message(moment.infrared, 'mono16', stamp_ns),
                          image_message(moment.visible, 'bgr8', stamp_ns))
        return False

    return publish


def off_px(live):
    text = live.values.get(NAME, {}).get('misalignment (px)', 'unknown')
    return None if text == 'unknown' else float(text)


def test_monitor_warns_and_slow_brings_it_back(live, street):
    live.listen('fused/image')
    live.start_stand_in(parameters=['registration.refine:=monitor'])
    live.wait_until_active()
    live.spin_until(lambda: street() or live.levels.get(NAME) == 1, 'the warning')
    assert off_px(live) == pytest.approx(5.83, abs=1.5)
    assert 'set registration.refine to slow' in live.messages[NAME]
    assert live.set_parameters(registration__refine='slow') == ''
    live.spin_until(lambda: street() or (off_px(live) or 9) < 1, 'the correction')
    live.spin_until(lambda: street() or live.levels[NAME] == 0, 'the end of the warning')
    correction = np.array(next(value for key, value in live.values[NAME].items()
                               if key.startswith('correction')).split(), float).reshape(3, 3)
    corner_px = (correction @ np.reshape(KNOCK, (3, 3)))[:2, 2]
    assert np.hypot(*corner_px) < 2


def test_a_bad_calibration_leaves_the_map_and_says_why(live, tmp_path):
    bad, other = tmp_path / 'bad.yaml', tmp_path / 'other.yaml'
    shift = np.array([[1.0, 0, 8], [0, 1, 0], [0, 0, 1]])
    write_rig(bad, HomographyRig(((24, 16), (24, 16)), shift * np.nan), {})
    write_rig(other, HomographyRig(((640, 512), (24, 16)), shift), {})
    good = tmp_path / 'good.yaml'
    write_rig(good, HomographyRig(((24, 16), (24, 16)), shift), {})
    live.listen('fused/weights/infrared')
    node = live.start_stand_in(parameters=[f'registration.calibration:={good}'])
    live.wait_until_active()
    stamps = itertools.count(1)

    def weights():
        live.clear()
        live.spin_until(lambda: live.publish_pair(next(stamps) * SECOND_NS)
                        or live.heard['fused/weights/infrared'], 'weights')
        return pixels(live.heard['fused/weights/infrared'][-1])

    expected = np.full((16, 24), 0.5, np.float32)
    expected[:, :8] = 0
    np.testing.assert_array_equal(weights(), expected)
    if importlib.util.find_spec('tf2_ros') is None:
        assert 'needs tf2_ros' in live.set_parameters(registration__source='tf')
        assert live.get_parameter('registration.source') == 'file'
    assert 'finite' in live.set_parameters(registration__calibration=str(bad))
    np.testing.assert_array_equal(weights(), expected)
    assert live.get_parameter('registration.calibration') == str(good)
    assert live.set_parameters(registration__calibration=str(other)) == ''
    live.spin_until(lambda: live.publish_pair(next(stamps) * SECOND_NS)
                    or 'is for 640x512' in node.log, 'the reason')
    assert 'the map stays as it was' in node.log
    live.spin_until(lambda: 'is for 640x512' in live.messages.get(NAME, ''), 'the diagnostics')
    assert live.levels[NAME] == 1
    np.testing.assert_array_equal(weights(), expected)


def test_lenses_from_camera_info_and_the_info_of_the_fused_image(live, tmp_path):
    """A pose without baseline: what a camera of twice the focal length sees is the middle half."""
    def lens(focal_px):
        return Camera((24, 16), np.array([[focal_px, 0, 11.5], [0, focal_px, 7.5], [0, 0, 1]]),
                      np.zeros(5))

    def info(focal_px, width=24):
        return CameraInfo(width=width, height=16, distortion_model='plumb_bob', d=[0.0] * 5,
                          k=lens(focal_px).matrix.ravel().tolist())

    path = tmp_path / 'rig.yaml'
    write_rig(path, CameraRig(lens(20.0), lens(30.0), np.eye(3), np.zeros(3)), {})
    live.listen('fused/weights/infrared')
    live.listen('fused/camera_info', message_type=CameraInfo)
    node = live.start_stand_in(parameters=[
        f'registration.calibration:={path}', 'registration.source:=camera_info',
        'registration.refine:=monitor'])
    live.wait_until_active()
    stamps = itertools.count(1)

    def publish():
        live.publish_pair(next(stamps) * SECOND_NS)

    def covered(columns):
        heard = live.heard['fused/weights/infrared']
        return heard and (pixels(heard[-1]) > 0)[8].sum() == columns

    # Without camera_info the file's lenses hold, and the fused image's info is the file's.
    live.spin_until(lambda: publish() or covered(24), 'the map of the file')
    live.spin_until(lambda: publish() or live.heard['fused/camera_info'], 'camera_info')
    made = live.heard['fused/camera_info'][-1]
    assert (made.width, made.height, made.k[0], made.p[0]) == (24, 16, 30.0, 30.0)
    assert made.header.frame_id == 'visible_frame'
    live.spin_until(lambda: publish() or 'no camera_info of infrared and visible has come'
                    in node.log, 'the warning')

    def send(infrared, visible):
        live.publish('infrared/camera_info', infrared)
        live.publish('visible/camera_info', visible)
        publish()

    live.spin_until(lambda: send(info(40.0), info(20.0)) or covered(12), 'the map of the lenses')
    live.spin_until(lambda: live.levels.get(NAME) == 0, 'the end of the warning')
    # Those of the file's lenses may still be on their way.
    live.spin_until(lambda: publish() or any(
        message.k[0] == 20.0 for message in live.heard['fused/camera_info']), 'camera_info')
    # Neither NaN nor another resolution changes the map; the log and diagnostics say why.
    for bad, reason in ((info(float('nan')), 'finite'), (info(40.0, 48), 'is for 48x16')):
        live.spin_until(lambda bad=bad, reason=reason: send(bad, info(20.0))
                        or reason in live.messages.get(NAME, '') and reason in node.log, reason)
        assert live.levels[NAME] == 1
        live.clear()
        live.spin_until(lambda: publish() or live.heard['fused/weights/infrared'], 'weights')
        assert covered(12)
