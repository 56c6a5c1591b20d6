"""Contrast of hot regions, on rectangles whose figures are known."""

import numpy as np
import pytest

from dig2dig_ros.evaluation.hot_contrast import hot_contrasts


def pair():
    """A target 120 above its surround in infrared, 40 below it in visible."""
    infrared, visible = np.full((160, 200), 60.0), np.full((160, 200), 130.0)
    infrared[60:80, 90:106] += 120
    visible[60:80, 90:106] -= 40
    return infrared, visible


@pytest.mark.parametrize(('rise', 'kept'), [(120, 1), (60, 0.5), (0, 0), (-30, -0.25)])
def test_the_share_that_is_kept(rise, kept):
    fused = np.full((160, 200), 100.0)
    fused[60:80, 90:106] += rise
    assert hot_contrasts(fused, *pair()) == [pytest.approx(kept, abs=1e-5)]


def test_it_is_measured_against_the_camera_that_shows_more():
    infrared, visible = pair()
    visible[60:80, 90:106] = 0  # 130 below
    assert hot_contrasts(visible, infrared, visible) == [pytest.approx(1)]


def test_small_faint_and_large_regions_do_not_count():
    flat = np.full((160, 200), 60.0)
    for rows, columns, rise in ((8, 8, 120), (20, 16, 15), (80, 100, 120)):
        infrared = flat.copy()
        infrared[40:40 + rows, 40:40 + columns] += rise
        assert hot_contrasts(flat, infrared, flat) == []
