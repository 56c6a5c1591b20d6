"""The synthetic cameras as a process over real DDS: how they publish, and what they refuse."""

import signal
import sys

import cv2
import numpy as np
import pytest
from live import SECOND_NS, pixels, stamp
from sensor_msgs.msg import CameraInfo

from dig2dig_ros.alignment.camera_info import camera_of
from dig2dig_ros.alignment.rig import read_rig
from dig2dig_ros.ros.ground_truth import MESSAGE_TYPE
from dig2dig_ros.synthetic.rig_view import street_rig

CAMERAS = [sys.executable, '-m', 'dig2dig_ros.ros.synthetic_cameras', '--ros-args']


@pytest.fixture
def live(live):
    live.listen('infrared/image_raw', 'visible/image_raw')
    return live


def start(live, *parameters):
    arguments = [word for text in parameters for word in ('-p', text)]
    return live.start(*CAMERAS, '-p', 'width:=64', '-p', 'height:=64', *arguments)


def test_publishes_images_calibration_and_truth(live):
    live.listen('visible/camera_info', message_type=CameraInfo)
    live.listen('ground_truth/boxes', message_type=MESSAGE_TYPE)
    process = start(live, 'rate_hz:=30.0', 'infrared_offset_s:=2.0', 'jitter_s:=0.002')
    live.spin_until(lambda: all(len(messages) > 15 for messages in live.heard.values()))
    infrared, visible = (live.heard[f'{camera}/image_raw'] for camera in ('infrared', 'visible'))
    assert (infrared[0].encoding, visible[0].encoding) == ('mono16', 'bgr8')
    assert pixels(visible[0]).shape == (64, 64, 3)
    first = max(stamp(infrared[0]) - 2 * SECOND_NS, stamp(visible[0]))
    skews = [min(abs(stamp(one) - 2 * SECOND_NS - stamp(other)) for other in visible)
             for one in infrared[:-3] if stamp(one) - 2 * SECOND_NS >= first]
    assert 0 < np.median(skews) < 0.01 * SECOND_NS
    info = live.heard['visible/camera_info'][0]
    assert (info.width, info.height) == (64, 64)
    assert process.end(signal.SIGINT) == 0
    assert 'Traceback' not in process.log


def test_a_rig_publishes_its_lenses_and_writes_its_pose(live, tmp_path):
    live.listen('infrared/camera_info', 'visible/camera_info', message_type=CameraInfo)
    start(live, 'baseline_m:=0.2', f'rig_file:={tmp_path / "rig.yaml"}')
    live.spin_until(lambda: all(live.heard[f'{camera}/camera_info']
                                for camera in ('infrared', 'visible')), 'camera_info')
    rig, truth = read_rig(tmp_path / 'rig.yaml'), street_rig(64, 64, 0.2)
    for name, camera in (('infrared', truth.infrared), ('visible', truth.visible)):
        read = camera_of(live.heard[f'{name}/camera_info'][0], name)
        np.testing.assert_allclose(read.matrix, camera.matrix)
        np.testing.assert_allclose(read.distortion, camera.distortion)
    np.testing.assert_allclose(rig.translation, truth.translation)
    np.testing.assert_allclose(rig.rotation, truth.rotation)


def test_drops_images_and_stops_a_camera(live):
    start(live, 'rate_hz:=50.0', 'dropout:=0.5')

    def counts():
        """How many images each camera gave since both were heard."""
        heard = [[stamp(message) for message in messages] for messages in live.heard.values()]
        first = max(stamps[0] if stamps else np.inf for stamps in heard)
        return [sum(each >= first for each in stamps) for stamps in heard]

    live.spin_until(lambda: max(counts()) > 80, '80 images of a camera')
    assert min(counts()) > 20
    for messages in live.heard.values():  # half of them on average; more than 3/4: one in 10^7
        span_ns = stamp(messages[-1]) - stamp(messages[0])
        assert len(messages) < 0.75 * (1 + 50 * span_ns / SECOND_NS)
    assert live.set_parameters('synthetic_cameras', infrared_enabled=False, dropout=0.0) == ''
    for _ in range(2):  # at first some may still be on their way
        live.clear()
        live.spin_until(lambda: len(live.heard['visible/image_raw']) > 20)
    assert live.heard['infrared/image_raw'] == []


def test_publishes_a_folder_of_pairs(live, tmp_path):
    random = np.random.default_rng(0)
    pairs = {}
    for stem in ('a', 'b'):
        pairs[stem] = (random.integers(0, 255, (12, 10), np.uint8),
                       random.integers(0, 255, (12, 10, 3), np.uint8))
        for name, image in zip(('ir', 'vi'), pairs[stem], strict=True):
            (tmp_path / 'pairs' / name).mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(tmp_path / 'pairs' / name / f'{stem}.png'), image)
    start(live, f'pairs:={tmp_path / "pairs"}', 'rate_hz:=30.0')
    live.spin_until(lambda: all(len(messages) > 3 for messages in live.heard.values()))
    seen = {pixels(message).tobytes() for message in live.heard['infrared/image_raw']}
    assert seen == {infrared.tobytes() for infrared, _ in pairs.values()}


@pytest.mark.parametrize(('parameter', 'words'), [
    ('pairs:=no/such/folder', 'must have the folders ir and vi'),
    ('rate_hz:=-1.0', 'rate_hz is -1.0; it must be a float from 0.1'),
])
def test_a_bad_parameter_is_one_line(live, parameter, words):
    process = start(live, parameter)
    assert process.wait() == 2
    assert words in process.log
    assert 'Traceback' not in process.log


