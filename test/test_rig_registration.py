"""Registration through lenses and a plane, and its slow correction, against truth."""

import cv2
import numpy as np
import pytest

from dig2dig_ros.alignment.lens import project, unproject
from dig2dig_ros.alignment.monitor import PERIOD
from dig2dig_ros.alignment.rig import HomographyRig, write_rig
from dig2dig_ros.camera.preparation import BadImage, Preparation
from dig2dig_ros.camera.registration import Registration
from dig2dig_ros.camera.rig_registration import RigRegistration, parallax_range
from dig2dig_ros.errors import InputError
from dig2dig_ros.synthetic.boards import sample_rig
from dig2dig_ros.synthetic.street import StreetScene

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
    with pytest.raises(BadImage, match='infrared images are 640x480, the calibration is for '
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


def test_status_warns_beyond_three_pixels():
    pytest.importorskip('diagnostic_msgs')
    from dig2dig_ros.ros.node.diagnostics import alignment_statuses
    assert alignment_statuses('node', 'off', 9.0, np.eye(3)) == []
    for off_px, level, words in ((None, b'\x00', 'not measured'), (2.0, b'\x00', 'measured'),
                                 (4.04, b'\x01', '4.0 px off')):
        [status] = alignment_statuses('node', 'monitor', off_px, np.eye(3))
        assert status.level == level
        assert words in status.message


@pytest.fixture(scope='module')
def knocked():
    """Moments of the street; the infrared camera was knocked 12 pixels to the side."""
    scene = StreetScene(*SIZE, seed=3)
    away = np.array([[1.0, 0, 10], [0, 1, 6.6]])
    frames = []
    for index in range(12):
        moment = scene.render(1.3 * index, index)
        infrared = cv2.warpAffine(moment.infrared, away, SIZE, borderMode=cv2.BORDER_REFLECT)
        frames.append((infrared, moment.visible))
    return frames


def _run(frames, refine, rounds):
    preparation = Preparation({'registration.refine': refine})
    results = []
    for round_ in range(rounds):
        for frame in range(PERIOD):
            prepared = preparation.prepare_images(*frames[round_ % len(frames)])
            if frame == 0:
                results.append((preparation.misalignment_px, prepared))
    return results


def test_monitor_measures_and_does_not_touch(knocked):
    results = _run(knocked, 'monitor', 10)
    assert results[3][0] is None
    assert results[-1][0] == pytest.approx(12.0, abs=1.5)
    assert results[-1][1].valid is None


def test_slow_brings_it_back_without_a_jump(knocked):
    results = _run(knocked, 'slow', 26)
    figures = [figure for figure, _ in results if figure is not None]
    assert figures[-1] < 1.0
    assert all(after < before + 0.8 for before, after in zip(figures, figures[1:], strict=False))
    steps = -np.diff(figures)
    assert steps.max() < 2.0
    assert not results[-1][1].valid.all()
