"""A recording's own camera_info and /tf_static, as `registration.source` has them taken."""

import json

import cv2
import numpy as np
import pytest

from dig2dig_ros.alignment.rig import write_rig
from dig2dig_ros.bag import messages
from dig2dig_ros.bag.calibration import CAMERA_INFO
from dig2dig_ros.bag.storage import TYPES, create_bag, open_bag
from dig2dig_ros.camera.encodings import read_pixels
from dig2dig_ros.cli import main
from dig2dig_ros.synthetic.boards import sample_rig

FRAMES = ('infrared_optical_frame', 'visible_optical_frame')
TRANSFORMS = 'tf2_msgs/msg/TFMessage'
# Visible in the bracket, and the bracket in the robot.
BRACKET = np.array([0.02, -0.4, 0.3]), np.array([0.1, 0.0, 1.2])
VISIBLE = np.array([-1.2, 0.1, 0.7]), np.array([0.05, 0.02, 0.0])


def four(rotation, translation):
    whole = np.eye(4)
    whole[:3, :3], whole[:3, 3] = rotation, translation
    return whole


def transform(parent, child, whole):
    angles, _ = cv2.Rodrigues(whole[:3, :3])
    angle = np.linalg.norm(angles)
    axis = angles.ravel() / max(angle, 1e-12) * np.sin(angle / 2)
    return TYPES.types['geometry_msgs/msg/TransformStamped'](
        messages.header(0, parent), child, TYPES.types['geometry_msgs/msg/Transform'](
            TYPES.types['geometry_msgs/msg/Vector3'](*whole[:3, 3]),
            TYPES.types['geometry_msgs/msg/Quaternion'](*axis, np.cos(angle / 2))))


def tree_of(rig):
    """Transforms robot > bracket > visible, and robot > infrared."""
    bracket, visible = (four(cv2.Rodrigues(angles)[0], shift)
                        for angles, shift in (BRACKET, VISIBLE))
    infrared = bracket @ visible @ four(rig.rotation, rig.translation)
    return [transform('bracket', FRAMES[1], visible), transform('robot', 'bracket', bracket),
            transform('robot', FRAMES[0], infrared)]


def info(camera, frame):
    projection = np.hstack([camera.matrix, np.zeros((3, 1))]).ravel()
    return TYPES.types[CAMERA_INFO](
        messages.header(0, frame), camera.size[1], camera.size[0], camera.model,
        camera.distortion, camera.matrix.ravel(), np.eye(3).ravel(), projection, 0, 0,
        TYPES.types['sensor_msgs/msg/RegionOfInterest'](0, 0, 0, 0, False))


@pytest.fixture(scope='module')
def street_rig():
    return sample_rig()


def write_bag(path, rig, infos=(True, True), tree=(), pairs=2, step_ms=100):
    """Write pairs that the cameras of a rig took, with their camera_info and transforms."""
    random = np.random.default_rng(0)
    names = ('infrared', 'visible')
    with create_bag(path, 'mcap') as writer:
        images = [messages.add_topic(writer, f'/{name}/image_raw', messages.IMAGE)
                  for name in names]
        if tree:
            static = messages.add_topic(writer, '/tf_static', TRANSFORMS)
            for each in tree:  # as several publishers send them
                messages.write(writer, static, 1, TYPES.types[TRANSFORMS]([each]))
        for name, camera, frame, wanted in zip(
                names, (rig.infrared, rig.visible), FRAMES, infos, strict=True):
            if wanted:
                topic = messages.add_topic(writer, f'/{name}/camera_info', CAMERA_INFO)
                messages.write(writer, topic, 2, info(camera, frame))
        for index in range(pairs):
            for topic, size, frame in zip(images, rig.sizes, FRAMES, strict=True):
                noise = random.integers(0, 256, (size[1] // 8, size[0] // 8)).astype(np.uint8)
                stamp_ns = 10 ** 9 + index * step_ms * 10 ** 6
                messages.write(writer, topic, stamp_ns, messages.image_message(
                    cv2.resize(noise, size), 'mono8', messages.header(stamp_ns, frame)))
    return path


def fuse(bag, output, *options):
    return main(['fuse-bag', str(bag), str(output), '--checkpoint', 'tiny', '--mode', 'one-pass',
                 '--scale', '0.25', '--no-weights', *map(str, options)])


def pictures(bag):
    with open_bag(bag) as reader:
        found = [each for each in reader.connections if each.topic == '/fused/image']
        return [read_pixels(reader.deserialize(data, source.msgtype))
                for source, _, data in reader.messages(found)]


def test_lenses_and_pose_of_a_recording_align_as_the_rig_file_does(street_rig, tmp_path):
    rig_file = tmp_path / 'rig.yaml'
    write_rig(rig_file, street_rig, {})
    bag = write_bag(tmp_path / 'bag', street_rig, tree=tree_of(street_rig))
    by_file, by_info, by_tf = (tmp_path / name for name in ('file', 'info', 'tf'))
    assert fuse(bag, by_file, '--calibration', rig_file) == 0
    assert fuse(bag, by_info, '--calibration', rig_file, '--source', 'camera_info') == 0
    assert fuse(bag, by_tf, '--source', 'tf') == 0
    plain = tmp_path / 'plain'
    assert fuse(bag, plain) == 0
    for first, second, third, other in zip(*map(pictures, (by_file, by_info, by_tf, plain)),
                                           strict=True):
        np.testing.assert_array_equal(first, second)
        # A quaternion keeps the rotation to 1e-16, so a map's rounding may differ here and there.
        assert (first != third).mean() < 1e-3
        assert (first != other).mean() > 0.2


@pytest.mark.parametrize(('parts', 'options', 'complaint'), [
    ({'infos': (True, False)}, ['tf'], 'no camera_info of visible on /visible/camera_info'),
    ({}, ['tf'], "no transform from 'infrared_optical_frame' to 'visible_optical_frame'"),
    ({}, ['camera_info'], 'takes the pose of the cameras from a rig')])
def test_what_a_recording_lacks_ends_it_with_a_line(
        street_rig, tmp_path, capsys, parts, options, complaint):
    bag = write_bag(tmp_path / 'bag', street_rig, **parts)
    assert fuse(bag, tmp_path / 'out', '--source', *options) == 2
    error = capsys.readouterr().err.strip()
    assert complaint in error
    assert not (tmp_path / 'out').exists()


def test_lenses_of_another_resolution_end_it(street_rig, tmp_path, capsys):
    bag = write_bag(tmp_path / 'bag', street_rig, tree=tree_of(street_rig))
    assert fuse(bag, tmp_path / 'out', '--source', 'tf', '--crop-rows', '4') == 2
    assert 'the calibration is for 640x512' in capsys.readouterr().err
    assert not (tmp_path / 'out').exists()


def test_frames_in_a_circle_are_told(street_rig, tmp_path, capsys):
    circle = [transform('a', FRAMES[0], np.eye(4)), transform(FRAMES[0], 'a', np.eye(4))]
    bag = write_bag(tmp_path / 'bag', street_rig, tree=circle)
    assert fuse(bag, tmp_path / 'out', '--source', 'tf') == 2
    assert 'is above itself' in capsys.readouterr().err


def test_segments_take_the_same_rig(street_rig, tmp_path, ray_address):
    bag = write_bag(tmp_path / 'bag', street_rig, tree=tree_of(street_rig), pairs=6, step_ms=500)
    whole, cut = tmp_path / 'whole', tmp_path / 'cut'
    assert fuse(bag, whole, '--source', 'tf') == 0
    report = tmp_path / 'report.json'
    assert fuse(bag, cut, '--source', 'tf', '--ray', ray_address, '--segment', '1',
                '--json', report) == 0
    assert json.loads(report.read_text())['fused'] == 6
    for first, second in zip(pictures(whole), pictures(cut), strict=True):
        np.testing.assert_array_equal(first, second)
