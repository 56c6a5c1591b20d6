"""From what the cameras sent to what the engine takes, the same for node, bag and files."""

from types import SimpleNamespace

import numpy as np
import pytest

from dig2dig_ros.camera.preparation import BadImage, Preparation
from dig2dig_ros.errors import InputError

VISIBLE = np.zeros((32, 64, 3), np.uint8)
RADIOMETRIC = {'thermal.agc': 'range', 'thermal.minimum': 1000.0, 'thermal.maximum': 2020.0}


def message(image, encoding):
    return SimpleNamespace(data=image.tobytes(), height=image.shape[0], width=image.shape[1],
                           step=image.strides[0], encoding=encoding, is_bigendian=0)


def test_infrared_comes_into_the_visible_frame_in_8_bits():
    preparation = Preparation({**RADIOMETRIC, 'thermal.crop_rows': 2})
    infrared = np.full((10, 16), 1510, np.uint16)
    infrared[8:] = 65535  # telemetry
    made = preparation.prepare(message(infrared, 'mono16'), message(VISIBLE, 'bgr8'))
    assert made.infrared.shape == (32, 64)
    assert np.all(np.abs(made.infrared.astype(int) - 127.5) <= 1)
    np.testing.assert_array_equal(made.visible, VISIBLE)
    assert made.valid is None
    np.testing.assert_array_equal(made.raw, infrared[:8])


def test_infrared_alone_has_the_size_of_the_last_visible_image():
    preparation = Preparation(RADIOMETRIC)
    infrared = np.full((8, 16), 1510, np.uint16)
    assert preparation.prepare_images(infrared, None).infrared.shape == (8, 16)
    assert preparation.prepare_images(None, VISIBLE).infrared is None
    alone = preparation.prepare_images(infrared, None)
    assert alone.infrared.shape == (32, 64)
    assert alone.visible is None


def test_colour_becomes_grey_before_the_gain_control():
    """The other way round, each channel would be stretched by the range of all three."""
    noise = np.random.default_rng(0)
    colour = noise.integers(7000, 9000, (32, 64, 3)).astype(np.uint16)
    colour[..., 2] += 4000
    grey = (colour @ [0.114, 0.587, 0.299]).round().astype(np.uint16)
    made = Preparation().prepare_images(colour, VISIBLE).infrared
    expected = Preparation().prepare_images(grey, VISIBLE).infrared
    assert np.abs(made.astype(int) - expected).max() <= 1


def test_black_hot_is_inverted_inside_the_infrared_view_only():
    infrared = np.arange(8 * 16, dtype=np.uint8).reshape(8, 16)
    shifted = {'registration.homography': [1.0, 0, 4, 0, 1, 0, 0, 0, 1]}
    hot = Preparation(shifted).prepare_images(infrared, VISIBLE)
    cold = Preparation({**shifted, 'thermal.polarity': 'black-hot'}).prepare_images(
        255 - infrared, VISIBLE)
    np.testing.assert_array_equal(hot.infrared, cold.infrared)
    np.testing.assert_array_equal(hot.valid, cold.valid)
    assert not hot.valid[:, :4].any()
    assert not hot.infrared[:, :4].any()


def test_any_depth_can_be_brought_where_the_pair_was():
    preparation = Preparation({'registration.homography': [2.0, 0, 8, 0, 2, 4, 0, 0, 1]})
    infrared = np.zeros((10, 16), np.uint16)
    infrared[5, 7] = 3000
    preparation.prepare_images(infrared, VISIBLE)
    aligned, valid = preparation.align(infrared.astype(np.float32))
    assert aligned.dtype == np.float32
    assert np.unravel_index(aligned.argmax(), aligned.shape) == (2 * 5 + 4, 2 * 7 + 8)
    assert aligned.max() == 3000
    # Pixels are squares around their centres: from 2 * -0.5 to 2 * (n - 0.5), ends included.
    assert valid.sum() == (2 * 10 + 1) * (2 * 16 + 1)


def test_the_range_carries_over_until_the_thermal_settings_change():
    cool, warm = (np.linspace(*limits, 128).reshape(8, 16).astype(np.uint16)
                  for limits in ((7000, 9000), (27000, 29000)))
    fresh = Preparation().prepare_images(warm, VISIBLE).infrared
    preparation = Preparation()
    preparation.prepare_images(cool, VISIBLE)
    assert preparation.prepare_images(warm, VISIBLE).infrared.min() > 100, 'not yet there'
    preparation.apply({'registration.homography': [1.0, 0, 0, 0, 1, 0, 0, 0, 1]})
    assert preparation.prepare_images(warm, VISIBLE).infrared.min() > 100, 'nothing changed'
    preparation.reset()
    np.testing.assert_array_equal(preparation.prepare_images(warm, VISIBLE).infrared, fresh)
    preparation.prepare_images(cool, VISIBLE)
    preparation.apply({'thermal.smoothing': 0.0})
    np.testing.assert_array_equal(preparation.prepare_images(warm, VISIBLE).infrared, fresh)


def test_what_cannot_be_used_names_the_camera_or_the_setting():
    preparation = Preparation({'thermal.crop_rows': 10})
    with pytest.raises(BadImage, match='infrared image: .*crop_rows'):
        preparation.prepare_images(np.zeros((10, 16), np.uint16), VISIBLE)
    bad = message(VISIBLE, 'rgb5')
    with pytest.raises(BadImage, match='visible image: encoding is "rgb5"'):
        preparation.prepare(message(np.zeros((12, 16), np.uint8), 'mono8'), bad)
    with pytest.raises(InputError, match='invertible'):
        preparation.apply({'thermal.crop_rows': 0, 'registration.homography': [0.0] * 9})
    with pytest.raises(BadImage, match='crop_rows'):
        preparation.prepare_images(np.zeros((10, 16), np.uint16), VISIBLE)
