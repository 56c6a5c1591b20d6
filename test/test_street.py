"""The rendered street: what it shows to which camera, and where the truth says it is."""

import cv2
import numpy as np
import pytest

from dig2dig_ros.synthetic.street import StreetScene


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


def test_a_knocked_camera_sees_the_same_moved_by_the_homography(scene):
    knock = (1.0, 0.0, 7.0, 0.0, 1.0, -4.0, 0.0, 0.0, 1.0)
    moved = StreetScene(320, 256, seed=3, infrared_homography=knock).render(4.0, 2)
    frame = scene.render(4.0, 2)
    assert np.array_equal(moved.visible, frame.visible)
    assert moved.boxes == frame.boxes
    # Row r, column c is now at r - 4, c + 7; the noise, some 0.06 K or 4 counts, is not moved.
    apart = moved.infrared[10:240, 20:300].astype(int) - frame.infrared[14:244, 13:293]
    assert np.abs(apart).max() < 40
    still = moved.infrared[10:240, 20:300].astype(int) - frame.infrared[10:240, 20:300]
    assert np.abs(still).max() > 300
