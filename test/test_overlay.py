"""Pictures for people: which pixel shows what."""

import numpy as np
import pytest

from dig2dig_ros.camera.preparation import Prepared
from dig2dig_ros.overlay import KINDS, checker, hot_overlay, overlay

INFRARED = np.full((16, 24), 40, np.uint8)
INFRARED[4:8, 4:8] = 255
VISIBLE = np.full((16, 24, 3), (10, 60, 90), np.uint8)
VALID = np.ones((16, 24), bool)
VALID[:, 6:] = False


def test_what_is_hot_glows_over_the_visible_image():
    drawn = hot_overlay(Prepared(INFRARED, VISIBLE, None))
    cold = np.ones((16, 24), bool)
    cold[4:8, 4:8] = False
    np.testing.assert_array_equal(drawn[cold], VISIBLE[cold])
    # 85 % of inferno's last colour, BGR (164, 255, 252), and 15 % of the visible one.
    np.testing.assert_allclose(drawn[5, 5], (0.85 * np.array([164, 255, 252])
                                             + 0.15 * np.array([10, 60, 90])), atol=3)


def test_outside_the_infrared_view_the_visible_image_is_shown():
    pair = Prepared(np.full((16, 24), 255, np.uint8), VISIBLE, VALID)
    for drawn in (hot_overlay(pair), checker(pair)):
        np.testing.assert_array_equal(drawn[:, 6:], VISIBLE[:, 6:])
        assert not np.array_equal(drawn[:, :6], VISIBLE[:, :6])


@pytest.mark.parametrize('visible', [VISIBLE, np.full((16, 24), 90, np.uint8)])
def test_the_checker_alternates_in_squares(visible):
    drawn = checker(Prepared(np.full((16, 24), 200, np.uint8), visible, None), squares=4)
    shown = np.all(drawn == 200, axis=2)
    assert shown.sum() == 16 * 24 / 2
    assert not shown[:4, :4].any()
    assert shown[:4, 4:8].all()
    assert shown[4:8, :4].all()
    assert not shown[4:8, 4:8].any()


def test_every_kind_is_a_colour_picture_of_the_size_of_the_frame():
    weights = np.full((2, 16, 24), 0.5, np.float32)
    pair = Prepared(INFRARED, VISIBLE, VALID)
    pictures = [overlay(kind, VISIBLE, weights, pair) for kind in KINDS]
    assert {(picture.shape, picture.dtype) for picture in pictures} == {
        ((16, 24, 3), np.dtype(np.uint8))}
    assert len({picture.tobytes() for picture in pictures}) == 3


def test_one_camera_alone_is_drawn_by_its_weight():
    alone = np.zeros((2, 16, 24), np.float32)
    alone[1] = 1
    pictures = {overlay(kind, VISIBLE, alone, Prepared(None, VISIBLE, None)).tobytes()
                for kind in KINDS}
    assert len(pictures) == 1
