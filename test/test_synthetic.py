"""The synthetic cameras: what the scene shows to whom, and how they publish it."""

import signal
import sys

import cv2
import numpy as np
import pytest
from live import SECOND_NS, bench, pixels, stamp

from dig2dig_ros.synthetic.street import StreetScene

pytest.importorskip('rclpy')

from sensor_msgs.msg import CameraInfo  # noqa: E402

from dig2dig_ros.ros.ground_truth import MESSAGE_TYPE  # noqa: E402

CAMERAS = [sys.executable, '-m', 'dig2dig_ros.ros.synthetic_cameras', '--ros-args']


@pytest.fixture(scope='module')
def scene():
    return StreetScene(320, 256, seed=3)


def contrast(image, box):
    """Difference between the middle of a box and what is left and right of it, in deviations."""
    rows = slice(int(box.top + 0.2 * box.height), int(box.top + 0.45 * box.height))
    middle, wide = int(box.left + box.width / 2), int(0.8 * box.width)
    inside = image[rows, middle - 1:middle + 2].mean()
    around = np.concatenate([image[rows, max(0, middle - wide):middle - wide + 4],
                             image[rows, middle + wide - 4:middle + wide]], axis=1)
    return abs(inside - around.mean()) / image.std()


def test_one_seed_and_time_give_one_picture(scene):
    again = StreetScene(320, 256, seed=3).render(4.0, 2)
    frame = scene.render(4.0, 2)
    assert np.array_equal(frame.infrared, again.infrared)
    assert np.array_equal(frame.visible, again.visible)
    assert frame.boxes == again.boxes
    assert not np.array_equal(frame.visible, scene.render(4.5, 2).visible)


def test_the_cameras_see_what_they_should(scene):
    infrared, visible = [], []
    for time_s in np.arange(0, 20, 2.5):
        frame = scene.render(time_s)
        assert (frame.infrared.dtype, frame.visible.dtype) == (np.uint16, np.uint8)
        grey = cv2.cvtColor(frame.visible, cv2.COLOR_BGR2GRAY).astype(float)
        for box in frame.boxes:
            if box.label == 'pedestrian':
                infrared.append(contrast(frame.infrared.astype(float), box))
                visible.append(contrast(grey, box))
    assert np.median(infrared) > 1.0
    assert np.median(visible) < 0.4


def test_boxes_hold_the_warm_bodies(scene):
    for time_s in (1.0, 6.0, 11.0):
        frame = scene.render(time_s)
        height, width = frame.infrared.shape
        for box in (box for box in frame.boxes if box.label == 'pedestrian'):
            assert 0 <= box.left < box.left + box.width <= width
            assert 0 <= box.top < box.top + box.height <= height
            part = frame.infrared[int(box.top):int(box.top + box.height),
                                  int(box.left):int(box.left + box.width)]
            assert (part > 7300 + 62 * 5).mean() > 0.2


@pytest.fixture
def live(tmp_path):
    with bench(tmp_path) as made:
        made.listen('infrared/image_raw', 'visible/image_raw')
        yield made


def start(live, *parameters):
    arguments = [word for text in parameters for word in ('-p', text)]
    return live.start(*CAMERAS, '-p', 'width:=64', '-p', 'height:=64', *arguments)


def test_publishes_images_calibration_and_truth(live):
    live.listen('visible/camera_info', message_type=CameraInfo)
    live.listen('ground_truth/boxes', message_type=MESSAGE_TYPE)
    process = start(live, 'rate_hz:=30.0', 'infrared_offset_s:=2.0', 'jitter_s:=0.002')
    live.spin_until(lambda: all(len(messages) > 5 for messages in live.heard.values()))
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


def test_drops_images_and_stops_a_camera(live):
    start(live, 'rate_hz:=50.0', 'dropout:=0.5')
    live.spin_until(lambda: len(live.heard['visible/image_raw']) > 40)
    counts = [len({stamp(m) for m in live.heard[f'{camera}/image_raw']})
              for camera in ('infrared', 'visible')]
    assert 10 < counts[0] < 80
    assert live.set_parameters('synthetic_cameras', infrared_enabled=False, dropout=0.0) == ''
    live.clear()
    live.spin_until(lambda: len(live.heard['visible/image_raw']) > 20)
    assert len(live.heard['infrared/image_raw']) <= 1


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
    assert process.process.wait(30) == 2
    assert words in process.log
    assert 'Traceback' not in process.log


