"""The gain control: what it maps where, over depths, over time, and on frames without contrast."""

import numpy as np
import pytest

from dig2dig_ros.camera.thermal import GainControl, without_telemetry
from dig2dig_ros.errors import InputError

RAMP = np.linspace(7000, 9000, 100 * 101).reshape(100, 101)


def test_8_bit_frames_of_a_camera_with_its_own_gain_control_are_left_alone():
    frame = (RAMP / 100).astype(np.uint8)
    assert GainControl()(frame) is frame
    assert GainControl('none')(frame) is frame


@pytest.mark.parametrize('dtype', [np.uint16, np.float32])
def test_percentiles_become_black_and_white_at_once(dtype):
    mapped = GainControl(low=10, high=90)(RAMP.astype(dtype))
    assert mapped.dtype == np.uint8
    expected = np.clip((RAMP - 7200) / 1600 * 255, 0, 255)
    np.testing.assert_allclose(mapped, expected, atol=2)


def test_fixed_range_maps_units_to_gray_for_every_depth():
    celsius = np.array([[-20, 0, 20, 40, 60]], np.float32)
    assert GainControl('range', minimum=0, maximum=40)(celsius).tolist() == [[0, 0, 128, 255, 255]]
    counts = np.array([[0, 29_315, 31_315, 65_535]], np.uint16)
    fixed = GainControl('range', minimum=29_315, maximum=31_315)
    assert fixed(counts).tolist() == [[0, 0, 255, 255]]
    assert GainControl('range', minimum=100, maximum=200)(
        np.array([[50, 100, 200, 255]], np.uint8)).tolist() == [[0, 0, 255, 255]]


def test_none_takes_the_high_byte_of_16_bits_and_refuses_floats():
    frame = np.array([[0, 255, 256, 0x12ff, 65535]], np.uint16)
    assert GainControl('none')(frame).tolist() == [[0, 0, 1, 0x12, 255]]
    with pytest.raises(InputError, match='percentile or range for a 32FC1 image'):
        GainControl('none')(frame.astype(np.float32))


def test_a_hot_object_does_not_make_the_picture_flicker():
    cool = RAMP.astype(np.uint16)
    hot = cool.copy()
    hot[:30] += 20_000
    gain = GainControl(smoothing=0.9)
    before = gain(cool)
    steps = [abs(gain(hot)[60:].astype(int) - before[60:]).max() for _ in range(60)]
    assert steps[0] < 140, 'one frame must not jump to the new range'
    assert steps[-1] > 200, 'many frames must reach it'
    assert np.all(np.diff(steps) >= 0)


def test_a_static_scene_gives_a_static_picture():
    gain, frame = GainControl(), RAMP.astype(np.uint16)
    first = gain(frame)
    for _ in range(5):
        np.testing.assert_array_equal(gain(frame), first)


def test_the_shutter_of_a_flat_field_correction_leaves_the_range_alone():
    gain, frame = GainControl(), RAMP.astype(np.uint16)
    before = gain(frame)
    for _ in range(30):
        gain(np.full_like(frame, 8000))
    np.testing.assert_array_equal(gain(frame), before)


@pytest.mark.parametrize('frame', [
    np.full((8, 9), 8000, np.uint16), np.full((8, 9), 21.5, np.float32),
    np.zeros((8, 9), np.float32)])
def test_a_constant_frame_is_mid_gray(frame):
    np.testing.assert_allclose(GainControl()(frame), 127.5, atol=1)


def test_noise_of_a_blank_wall_is_not_stretched_to_full_contrast():
    wall = 8000 + np.random.default_rng(0).integers(0, 3, (64, 64)).astype(np.uint16)
    assert np.ptp(GainControl()(wall)) < 40


@pytest.mark.parametrize('bad', [np.nan, np.inf, -np.inf])
def test_bad_pixels_do_not_move_the_range(bad):
    clean = RAMP.astype(np.float32)
    spoilt = clean.copy()
    spoilt[::4, ::4] = bad
    mapped, expected = GainControl()(spoilt), GainControl()(clean)
    good = np.isfinite(spoilt)
    np.testing.assert_allclose(mapped[good], expected[good], atol=2)
    assert np.all(mapped[~good] == (255 if bad == np.inf else 0))


def test_a_frame_of_bad_pixels_only_is_black_and_harmless():
    gain = GainControl()
    assert not gain(np.full((8, 9), np.nan, np.float32)).any()
    np.testing.assert_array_equal(gain(RAMP.astype(np.float32)),
                                  GainControl()(RAMP.astype(np.float32)))


def test_changing_depth_or_reset_starts_afresh():
    gain = GainControl()
    gain(RAMP.astype(np.uint16))
    celsius = (RAMP / 100 - 60).astype(np.float32)
    np.testing.assert_array_equal(gain(celsius), GainControl()(celsius))
    gain.reset()
    np.testing.assert_array_equal(gain(celsius + 50), GainControl()(celsius + 50))


def test_telemetry_rows_are_cut_off_and_do_not_count():
    frame = RAMP.astype(np.uint16)
    telemetry = np.full((2, 101), 65_535, np.uint16)
    expected = GainControl()(frame)
    below = GainControl()(without_telemetry(np.vstack([frame, telemetry]), 2))
    above = GainControl()(without_telemetry(np.vstack([telemetry, frame]), -2))
    np.testing.assert_array_equal(below, expected)
    np.testing.assert_array_equal(above, expected)
    assert without_telemetry(frame, 0) is frame


def test_colour_of_16_bits_keeps_its_channels():
    colour = np.stack([RAMP, RAMP[::-1], RAMP], axis=-1).astype(np.uint16)
    mapped = GainControl()(colour)
    assert mapped.shape == colour.shape
    np.testing.assert_array_equal(mapped[:, :, 0], mapped[::-1, :, 1])


def test_padded_and_single_pixel_views_work():
    padded = np.zeros((100, 128), np.uint16)
    padded[:, :101] = RAMP
    np.testing.assert_array_equal(GainControl()(padded[:, :101]),
                                  GainControl()(RAMP.astype(np.uint16)))
    assert GainControl()(np.array([[5]], np.uint16)).shape == (1, 1)


@pytest.mark.parametrize(('settings', 'message'), [
    ({'mode': 'auto'}, "thermal mode is 'auto'; it must be one of percentile, range, none"),
    ({'low': 99, 'high': 1}, 'percentiles'),
    ({'high': 101}, 'percentiles'),
    ({'low': float('nan')}, 'percentiles'),
    ({'smoothing': 1}, 'smoothing'),
    ({'mode': 'range'}, 'minimum, maximum'),
    ({'mode': 'range', 'minimum': 5, 'maximum': 5}, 'minimum, maximum'),
    ({'mode': 'range', 'minimum': float('nan'), 'maximum': 5}, 'minimum, maximum'),
])
def test_settings_are_checked(settings, message):
    with pytest.raises(InputError, match=message):
        GainControl(**settings)


def test_frames_that_cannot_be_mapped_are_refused():
    with pytest.raises(InputError, match='float64'):
        GainControl()(RAMP)
    with pytest.raises(InputError, match='fewer than the 2 rows'):
        without_telemetry(np.zeros((2, 5), np.uint16), -2)
