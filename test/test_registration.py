"""The homography: where pixels land, what is covered, and what is refused."""

import cv2
import numpy as np
import pytest

from dig2dig_ros.camera.registration import Registration
from dig2dig_ros.errors import InputError

SMOOTH = cv2.GaussianBlur(
    np.random.default_rng(0).integers(0, 256, (60, 80), np.uint8), (0, 0), 4)


def test_identity_and_equal_sizes_copy_nothing():
    for homography in (np.eye(3), (2, 0, 0, 0, 2, 0, 0, 0, 2)):
        aligned, valid = Registration(homography).align(SMOOTH, 60, 80)
        assert aligned is SMOOTH
        assert valid is None


@pytest.mark.parametrize('size', [(120, 160), (30, 40), (48, 100)])
def test_identity_scales_to_fill_the_visible_frame(size):
    aligned, valid = Registration().align(SMOOTH, *size)
    assert valid is None
    expected = cv2.resize(SMOOTH.astype(np.float32), size[::-1], interpolation=cv2.INTER_AREA
                          if size[0] < 60 else cv2.INTER_LINEAR)
    np.testing.assert_allclose(aligned, expected, atol=1)


@pytest.mark.parametrize('dtype', [np.uint8, np.uint16, np.float32])
def test_translation_moves_pixels_and_marks_what_is_uncovered(dtype):
    infrared = SMOOTH.astype(dtype) * dtype(257 if dtype == np.uint16 else 1)
    aligned, valid = Registration([1, 0, 5, 0, 1, -3, 0, 0, 1]).align(infrared, 60, 80)
    np.testing.assert_array_equal(aligned[:57, 5:], infrared[3:, :75])
    expected = np.zeros((60, 80), bool)
    expected[:57, 5:] = True
    np.testing.assert_array_equal(valid, expected)
    assert not aligned[~valid].any()
    assert aligned.dtype == dtype


def test_a_point_lands_where_the_homography_sends_it():
    homography = np.array([[1.1, 0.05, 4], [-0.03, 0.95, 6], [2e-4, -1e-4, 1]])
    infrared = np.zeros((60, 80), np.float32)
    cv2.circle(infrared, (40, 25), 4, 1.0, -1)
    aligned, _ = Registration(homography.ravel()).align(infrared, 100, 120)
    rows, columns = np.mgrid[:100, :120]
    found = np.array([(columns * aligned).sum(), (rows * aligned).sum()]) / aligned.sum()
    expected = cv2.perspectiveTransform(np.float64([[[40, 25]]]), homography).ravel()
    np.testing.assert_allclose(found, expected, atol=0.1)


def test_agrees_with_warp_perspective_inside():
    homography = np.array([[1.1, 0.05, 4], [-0.03, 0.95, 6], [2e-4, -1e-4, 1]])
    aligned, valid = Registration(homography).align(SMOOTH, 70, 90)
    reference = cv2.warpPerspective(SMOOTH, homography, (90, 70))
    inside = cv2.erode(valid.astype(np.uint8), np.ones((5, 5))).astype(bool)
    assert inside.sum() > 2000
    np.testing.assert_allclose(aligned[inside].astype(int), reference[inside], atol=2)


def test_pixels_are_squares_around_their_centres():
    """Twice the resolution, corner on corner: column 2 x + 0.5. Border pixels reach the edge."""
    homography = [2, 0, 0.5, 0, 2, 0.5, 0, 0, 1]
    aligned, valid = Registration(homography).align(SMOOTH, 120, 160)
    assert valid is None
    expected = cv2.resize(SMOOTH, (160, 120), interpolation=cv2.INTER_LINEAR)
    np.testing.assert_allclose(aligned.astype(int), expected, atol=2)


def test_colour_keeps_its_channels_and_a_smaller_infrared_covers_its_part():
    colour = np.dstack([SMOOTH, 255 - SMOOTH, SMOOTH])
    aligned, valid = Registration([1, 0, 100, 0, 1, 50, 0, 0, 1]).align(colour, 200, 300)
    np.testing.assert_array_equal(aligned[50:110, 100:180], colour)
    assert valid.sum() == 60 * 80


def test_nothing_appears_from_behind_the_horizon():
    """Infrared rows below 40 lie behind the visible camera and must not come out mirrored."""
    homography = np.array([[1, 0, 100], [0, 1, 200], [0, 0, 1]]) @ [
        [1, 0, 0], [0, 1, 0], [0, -0.025, 1]]
    infrared = np.zeros((60, 80), np.uint8)
    infrared[42:] = 255
    assert cv2.warpPerspective(infrared, homography, (300, 400)).any()
    aligned, valid = Registration(homography).align(infrared, 400, 300)
    assert not aligned.any()
    assert valid.any()
    assert not valid[:200].any()


def test_sizes_may_change_between_frames():
    registration = Registration([1, 0, 2, 0, 1, 0, 0, 0, 1])
    for height, width in [(60, 80), (40, 50), (60, 80)]:
        aligned, valid = registration.align(SMOOTH, height, width)
        assert aligned.shape == valid.shape == (height, width)
        np.testing.assert_array_equal(aligned[:, 2:], SMOOTH[:height, :width - 2])
    assert registration.align(SMOOTH[:30], 60, 80)[1].sum() == 30 * 78


def test_what_is_done_to_a_mask_does_not_reach_the_next_one():
    registration = Registration([1, 0, 2, 0, 1, 0, 0, 0, 1])
    registration.align(SMOOTH, 60, 80)[1][:] = True
    assert not registration.align(SMOOTH, 60, 80)[1][:, :2].any()


@pytest.mark.parametrize(('homography', 'message'), [
    ([1, 0, 0, 0, 1, 0], 'must be 9 numbers'),
    (['a'] * 9, 'must be 9 numbers'),
    ([1, 0, 0, 0, float('nan'), 0, 0, 0, 1], 'must be finite'),
    ([1, 0, 0, 0, float('inf'), 0, 0, 0, 1], 'must be finite'),
    ([1, 2, 3, 2, 4, 6, 0, 0, 1], 'must be invertible'),
    ([0] * 9, 'must be invertible'),
])
def test_unusable_homographies_are_refused(homography, message):
    with pytest.raises(InputError, match=message):
        Registration(homography)
