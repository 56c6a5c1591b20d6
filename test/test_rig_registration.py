"""Registration through lenses and a plane, and its slow correction, against truth."""

import dataclasses
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from dig2dig_ros.alignment.camera_info import camera_of
from dig2dig_ros.alignment.lens import project, unproject
from dig2dig_ros.alignment.rig import HomographyRig, write_rig
from dig2dig_ros.camera.preparation import BadImage, Preparation
from dig2dig_ros.camera.registration import Registration
from dig2dig_ros.camera.rig_registration import RigRegistration, parallax_range
from dig2dig_ros.camera.rig_source import RigSource, frames_of, pose_of_transform, rig_of
from dig2dig_ros.errors import InputError
from dig2dig_ros.synthetic.boards import sample_rig
from dig2dig_ros.topics import CAMERAS

SIZE = (320, 256)


def ramp(height, width):
    """An image whose value tells the place: x / 8 in one channel, y / 8 in the other."""
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    return np.stack([columns, rows, np.zeros_like(rows)], axis=-1)


@pytest.mark.parametrize('distance_m', [2.0, 10.0])
def test_a_plane_at_the_distance_lies_exactly(distance_m):
    rig = sample_rig()
    aligned, valid = RigRegistration(rig, distance_m).align(ramp(512, 640), 720, 1280)
    for pixel in ((640, 360), (500, 200), (800, 560)):
        ray = unproject(rig.visible, np.array([pixel]))[0]
        point = (distance_m * np.array([*ray, 1]) - rig.translation) @ rig.rotation
        truth = project(rig.infrared, (point[:2] / point[2])[None])[0]
        assert valid[pixel[1], pixel[0]]
        np.testing.assert_allclose(aligned[pixel[1], pixel[0], :2], truth, atol=0.05)
    assert not valid[0, 0]
    assert (aligned[0, 0] == 0).all()


def test_parallax_range_by_hand():
    rig = sample_rig()
    across = np.hypot(*rig.translation[:2])
    near, far = parallax_range(rig, 10.0)
    for edge in (near, far):
        assert 980 * across * abs(1 / edge - 1 / 10) == pytest.approx(2.0)
    assert near < 10 < far
    assert parallax_range(rig, 1000.0)[1] == np.inf


def info_of(camera, **changes):
    """What a driver publishes of a camera: a stand-in with the fields of CameraInfo."""
    roi = SimpleNamespace(x_offset=0, y_offset=0, width=0, height=0)
    fields = {'width': camera.size[0], 'height': camera.size[1], 'k': camera.matrix.ravel(),
              'd': camera.distortion, 'distortion_model': camera.model, 'binning_x': 0,
              'binning_y': 0, 'roi': roi}
    return SimpleNamespace(**{**fields, **changes})


def test_camera_info_of_a_binned_region():
    camera = sample_rig().infrared
    roi = SimpleNamespace(x_offset=100, y_offset=40, width=400, height=300)
    read = camera_of(info_of(camera, binning_x=2, binning_y=2, roi=roi), 'infrared')
    assert read.size == (200, 150)
    full = project(camera, np.array([[0.1, -0.05]]))[0]
    # Pixel c of the image holds pixels 2 c and 2 c + 1 of the region.
    expected = (full - [100, 40] + 0.5) / 2 - 0.5
    np.testing.assert_allclose(project(read, np.array([[0.1, -0.05]]))[0], expected, atol=1e-9)


@pytest.mark.parametrize(('changes', 'complaint'), [
    ({'k': np.zeros(9)}, 'not calibrated'), ({'k': np.full(9, np.nan)}, 'finite'),
    ({'d': np.array([np.nan] * 5)}, 'finite'), ({'d': np.zeros(3)}, 'takes 4 or 5'),
    ({'distortion_model': 'odd'}, 'must be plumb_bob or')])
def test_bad_camera_info_is_named(changes, complaint):
    with pytest.raises(InputError, match=f'infrared.*{complaint}|{complaint}.*infrared'):
        camera_of(info_of(sample_rig().infrared, **changes), 'infrared')


def test_a_rig_is_made_once_of_what_comes():
    rig, source = sample_rig(), RigSource()
    infos = {'infrared': info_of(rig.infrared), 'visible': None}

    def pose():
        return rig.rotation, rig.translation

    assert source.update(infos, pose) is None
    assert source.problem == 'no camera_info of visible has come'
    infos['visible'] = info_of(rig.visible)
    made = source.update(infos, pose)
    np.testing.assert_allclose(made.infrared.matrix, rig.infrared.matrix)
    assert (made.visible.size, source.problem) == (rig.visible.size, '')
    assert source.update({**infos, 'visible': info_of(rig.visible)}, pose) is None
    infos['visible'] = info_of(rig.visible, k=np.full(9, np.nan))
    assert source.update(infos, pose) is None
    assert 'finite' in source.problem
    assert source.update({**infos, 'visible': info_of(rig.visible)}, pose) is None
    assert source.problem == ''


def test_a_transform_is_read_as_a_rotation():
    turn = SimpleNamespace(x=0.0, y=0.0, z=np.sin(0.2), w=np.cos(0.2))
    shift = SimpleNamespace(x=0.1, y=-0.2, z=0.3)
    rotation, translation = pose_of_transform(SimpleNamespace(rotation=turn, translation=shift))
    np.testing.assert_allclose(rotation, cv2.Rodrigues(np.array([0, 0, 0.4]))[0], atol=1e-12)
    np.testing.assert_allclose(translation, [0.1, -0.2, 0.3])
    turn.z = 5.0
    with pytest.raises(InputError, match='unit quaternion'):
        pose_of_transform(SimpleNamespace(rotation=turn, translation=shift))


@pytest.mark.parametrize(('frames', 'complaint'), [
    (('camera', 'camera'), "both cameras are in one frame, 'camera'"),
    (('', 'camera'), 'camera_info of infrared has no frame_id')])
def test_frames_between_which_tf_tells_nothing(frames, complaint):
    infos = {camera: SimpleNamespace(header=SimpleNamespace(frame_id=frame))
             for camera, frame in zip(CAMERAS, frames, strict=True)}
    with pytest.raises(InputError, match=complaint):
        frames_of(infos)


def test_a_body_frame_for_an_optical_one_is_told():
    """A camera's body has x ahead: the optical axis of the other camera is across its z."""
    rig = sample_rig()
    infos = {'infrared': info_of(rig.infrared), 'visible': info_of(rig.visible)}
    body = np.array([[0.0, 0, 1], [-1, 0, 0], [0, -1, 0]])  # of optical coordinates, REP 103
    with pytest.raises(InputError, match='look 90 degrees apart'):
        rig_of(infos, (body, np.zeros(3)))
    upside_down = np.diag([-1.0, -1, 1])
    assert rig_of(infos, (upside_down, np.zeros(3))).rotation is upside_down


def test_an_offered_rig_is_taken_where_it_fits(tmp_path):
    path, rig = tmp_path / 'rig.yaml', sample_rig()
    write_rig(path, rig, {})
    preparation = Preparation({'registration.calibration': str(path),
                               'registration.source': 'camera_info'})
    pair = np.zeros((512, 640), np.uint8), np.zeros((720, 1280, 3), np.uint8)
    before = preparation.prepare_images(*pair).valid
    longer = dataclasses.replace(rig.infrared, matrix=rig.infrared.matrix * [[1.2], [1.2], [1]])
    small = dataclasses.replace(longer, size=(320, 256))
    preparation.offer(dataclasses.replace(rig, infrared=small))
    np.testing.assert_array_equal(preparation.prepare_images(*pair).valid, before)
    assert 'infrared images are 640x512, the calibration is for 320x256' in preparation.problem
    preparation.offer(dataclasses.replace(rig, infrared=longer))
    after = preparation.prepare_images(*pair).valid
    assert after.sum() < 0.9 * before.sum()
    assert preparation.problem == ''
    # A change of distance keeps the rig that was offered.
    preparation.apply({'registration.calibration': str(path), 'registration.distance_m': 3.0,
                       'registration.source': 'camera_info'})
    assert preparation.rig.infrared is longer
    with pytest.raises(InputError, match='takes the pose of the cameras'):
        Preparation({'registration.source': 'camera_info'})
    with pytest.raises(InputError, match='must be rig or auto'):
        Preparation({'registration.source': 'tf', 'registration.model': 'homography'})


def test_correction_moves_the_map():
    image = ramp(60, 80)
    fixed = Registration([1.0, 0, 3, 0, 1, -2, 0, 0, 1])
    both = Registration([1.0, 0, 8, 0, 1, 4, 0, 0, 1])
    fixed.correct(np.array([[1.0, 0, 5], [0, 1, 6], [0, 0, 1]]))
    np.testing.assert_allclose(fixed.align(image, 60, 80)[0], both.align(image, 60, 80)[0],
                               atol=1e-3)
    plain, _ = fixed.align(image, 60, 80, corrected=False)
    assert plain[30, 40, 0] == 37
    stretched = Registration()
    stretched.correct(np.array([[1.0, 0, 4], [0, 1, 0], [0, 0, 1]]))
    assert stretched.align(image, 120, 160)[0][60, 84, 0] == pytest.approx(39.75, abs=0.02)


def test_file_of_another_resolution_or_kind(tmp_path):
    path = tmp_path / 'rig.yaml'
    write_rig(path, sample_rig(), {})
    preparation = Preparation({'registration.calibration': str(path)})
    with pytest.raises(BadImage, match=r'infrared images are 640x480, .*rig\.yaml is for '
                                       '640x512'):
        preparation.prepare_images(np.zeros((480, 640), np.uint8),
                                   np.zeros((720, 1280, 3), np.uint8))
    with pytest.raises(InputError, match='holds a rig'):
        Preparation({'registration.calibration': str(path), 'registration.model': 'homography'})
    with pytest.raises(InputError, match='takes a file'):
        Preparation({'registration.model': 'rig'})


def test_bad_file_leaves_the_map_as_it_was(tmp_path):
    good, bad, other = (tmp_path / name for name in ('good.yaml', 'bad.yaml', 'other.yaml'))
    shift = np.array([[1.0, 0, 7], [0, 1, 0], [0, 0, 1]])
    write_rig(good, HomographyRig((SIZE, SIZE), shift), {})
    write_rig(bad, HomographyRig((SIZE, SIZE), shift * np.nan), {})
    write_rig(other, HomographyRig(((640, 512), SIZE), shift), {})
    preparation = Preparation({'registration.calibration': str(good)})
    infrared = np.tile(np.arange(256, dtype=np.uint8), (256, 2))[:, :320]
    pair = infrared, np.zeros((256, 320), np.uint8)
    before = preparation.prepare_images(*pair).infrared
    assert before[100, 107] == 100
    for path, complaint in ((bad, 'finite'), (other, 'is for 640x512')):
        with pytest.raises(InputError, match=complaint):
            preparation.apply({'registration.calibration': str(path)})
        np.testing.assert_array_equal(preparation.prepare_images(*pair).infrared, before)


@pytest.mark.needs('diagnostic_msgs')
def test_status_warns_beyond_three_pixels():
    from dig2dig_ros.ros.node.diagnostics import alignment_status
    from dig2dig_ros.ros.node.rig_feed import Alignment
    for refine, off_px, misaligned, level, words in (
            ('off', None, False, b'\x00', 'as set'),
            ('monitor', None, False, b'\x00', 'too few pictures'),
            ('monitor', 2.0, False, b'\x00', 'measured'),
            ('monitor', 4.04, False, b'\x00', 'perhaps 4.0 px off'),
            ('monitor', 4.04, True, b'\x01', 'infrared lies 4.0 px off')):
        status = alignment_status('node', Alignment(refine, off_px, misaligned))
        assert status.level == level
        assert words in status.message
    status = alignment_status('node', Alignment('off', problem='no transform'))
    assert status.level == b'\x01'
    assert status.message == 'the map stays as it was: no transform'
