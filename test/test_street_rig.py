"""The rendered street seen by a rig: lenses, baseline and depths hold, registration with them."""

import cv2
import numpy as np
import pytest

from dig2dig_ros.alignment.lens import project
from dig2dig_ros.alignment.monitor import PERIOD
from dig2dig_ros.alignment.rig import write_rig
from dig2dig_ros.camera.preparation import Preparation
from dig2dig_ros.camera.rig_registration import RigRegistration
from dig2dig_ros.synthetic.rig_view import RigView, ideal_matrix, street_rig
from dig2dig_ros.synthetic.street import StreetScene

SIZE = (640, 512)
BASELINE_M = 0.12
TIME_S = 3.0  # two of the pedestrians stand alone then
ALONE = (1, 2)
WARM = 7300 + 62 * 5.5


@pytest.fixture(scope='module')
def scene():
    return StreetScene(*SIZE, seed=0, baseline_m=BASELINE_M)


@pytest.fixture(scope='module')
def frame(scene):
    return scene.render(TIME_S)


@pytest.fixture(scope='module')
def truth(scene):
    """Middle of each pedestrian in the visible image: the ideal camera's, seen by the lens."""
    ideal = StreetScene(*SIZE, seed=0).render(TIME_S)
    matrix = ideal_matrix(*SIZE)
    middles = [middle(ideal.infrared, box) for box in ideal.boxes[:4]]
    rays = (np.array(middles) - matrix[:2, 2]) / matrix[[0, 1], [0, 1]]
    return project(scene.rig.visible, rays)


def middle(infrared, box, margin=12):
    """Middle of what is warm in and around a box: column, row."""
    top, left = int(box.top) - margin, int(box.left) - margin
    part = infrared[top:int(box.top + box.height) + margin,
                    left:int(box.left + box.width) + margin]
    rows, columns = np.nonzero(part > WARM)
    return left + columns.mean(), top + rows.mean()


def aligned(scene, frame, distance_m):
    return RigRegistration(scene.rig, distance_m).align(frame.infrared, *SIZE[::-1])[0]


@pytest.mark.parametrize('index', ALONE)
def test_at_its_distance_a_thing_lies_within_a_pixel(scene, frame, truth, index):
    found = middle(aligned(scene, frame, frame.depths_m[index]), frame.boxes[index])
    assert np.hypot(*(found - truth[index])) < 1.0


@pytest.mark.parametrize(('index', 'distance_m'), [(1, 20.0), (1, 4.0), (2, 5.0), (2, 100.0)])
def test_elsewhere_it_is_off_by_the_parallax(scene, frame, truth, index, distance_m):
    """By f b (1/d - 1/Z), along the baseline."""
    depth_m = frame.depths_m[index]
    shift = (np.diag(scene.rig.visible.matrix)[:2] * scene.rig.translation[:2]
             * (1 / distance_m - 1 / depth_m))
    found = middle(aligned(scene, frame, distance_m), frame.boxes[index])
    assert np.hypot(*shift) > 3
    np.testing.assert_allclose(found - truth[index], shift, atol=1.0)


def test_boxes_lie_on_the_pedestrians_of_the_visible_image(frame, truth):
    for index in ALONE:
        box = frame.boxes[index]
        assert box.left < truth[index][0] < box.left + box.width
        assert box.top < truth[index][1] < box.top + box.height
    assert frame.depths_m[1] == pytest.approx(0.866 * 640 * 1.7 / (0.24 * 512), rel=0.01)


def test_the_houses_lie_at_their_depths(scene):
    """A mark on the house at the end comes to lie where K, D, R and t put it."""
    view = RigView(scene.rig)
    ideal = np.zeros(SIZE[::-1], np.float32)
    column, row = 320, 180
    cv2.circle(ideal, (column, row), 5, 1.0, -1)
    seen = view.backdrop(ideal)
    rows, columns = np.mgrid[:SIZE[1], :SIZE[0]]
    found = np.array([(columns * seen).sum(), (rows * seen).sum()]) / seen.sum()
    depth_m = view.depth_m(0.46 * SIZE[1])
    matrix = ideal_matrix(*SIZE)
    point = depth_m * np.array([*((np.array([column, row]) - matrix[:2, 2]) / np.diag(matrix)[:2]),
                                1.0])
    point = scene.rig.rotation.T @ (point - scene.rig.translation)
    np.testing.assert_allclose(
        found, project(scene.rig.infrared, (point[:2] / point[2])[None])[0], atol=0.2)


def test_without_a_baseline_there_is_one_camera():
    plain = StreetScene(64, 64, seed=0)
    assert plain.rig is None
    assert plain.render(0.0).depths_m == []


@pytest.mark.parametrize(('shift_px', 'least', 'most'), [(0.0, 0.0, 3.0), (9.0, 6.5, 11.5)])
def test_the_monitor_measures_drift_through_a_rig(tmp_path, shift_px, least, most):
    size = (320, 256)
    scene = StreetScene(*size, seed=0, infrared_homography=(1, 0, shift_px, 0, 1, 0, 0, 0, 1),
                        baseline_m=0.05)
    path = tmp_path / 'rig.yaml'
    write_rig(path, street_rig(*size, 0.05), {})
    preparation = Preparation({'registration.calibration': str(path),
                               'registration.distance_m': 15.0,
                               'registration.refine': 'monitor'})
    for index in range(10):
        moment = scene.render(1.7 * index, index)
        for _ in range(PERIOD):
            preparation.prepare_images(moment.infrared, moment.visible)
    assert least <= preparation.monitor.misalignment_px <= most
