"""Hot is white: set, or judged by the frames, and white-hot where in doubt."""

import cv2
import numpy as np
import pytest

from dig2dig_ros.camera.polarity import CLEAR, Polarity, heat_score
from dig2dig_ros.camera.preparation import Preparation

NOISE = np.random.default_rng(0)


def people(count=6):
    """A cool street with small warm bodies."""
    image = 60 + NOISE.normal(0, 2, (256, 320))
    for row, column in NOISE.integers((40, 40), (200, 280), (count, 2)):
        image[row:row + 24, column:column + 9] += 140
    return image.clip(0, 255).astype(np.uint8)


def test_what_is_set_is_done():
    image = people()
    assert Polarity('white-hot')(image) is image
    np.testing.assert_array_equal(Polarity('black-hot')(image), 255 - image)


def test_small_spots_tell():
    image = people()
    assert heat_score(image) > CLEAR
    assert heat_score(255 - image) == pytest.approx(-heat_score(image), abs=0.01)
    assert Polarity('auto')(image) is image
    np.testing.assert_array_equal(Polarity('auto')(255 - image), image)


@pytest.mark.parametrize('dull', [
    np.full((256, 320), 90, np.uint8), NOISE.integers(80, 100, (256, 320)).astype(np.uint8),
    np.tile(np.linspace(0, 255, 320).astype(np.uint8), (256, 1)),
    np.pad(np.full((240, 304), 90, np.uint8), 8)])
def test_a_scene_that_says_nothing_is_white_hot(dull):
    assert Polarity('auto')(dull) is dull


def test_what_was_clear_is_kept_until_the_opposite_is():
    polarity, dull = Polarity('auto'), np.full((256, 320), 90, np.uint8)
    polarity(255 - people())
    for _ in range(40):
        np.testing.assert_array_equal(polarity(dull), 255 - dull)
    kept = polarity.memory
    for _ in range(40):
        last = polarity(image := people())
    assert last is image
    other = Polarity('auto')
    other.recall(kept)
    np.testing.assert_array_equal(other(dull), 255 - dull)
    other.reset()
    assert other(dull) is dull


def test_the_preparation_remembers_it():
    visible = np.zeros((256, 320, 3), np.uint8)
    first, second = (Preparation({'thermal.polarity': 'auto'}) for _ in range(2))
    assert not Preparation().remembers
    first.prepare_images(255 - people(), visible)
    assert first.remembers
    second.recall(first.memory)
    dull = np.full((256, 320), 90, np.uint8)
    assert np.all(second.prepare_images(dull, visible).infrared == 255 - 90)


def test_real_cameras_are_never_taken_for_black_hot(shared_data):
    found = {}
    for name in ('labelled/MSRS', 'labelled/LLVIP_small', 'dev_pairs/RoadScene',
                 'dev_pairs/VIFB'):
        images = [cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
                  for path in sorted((shared_data / name / 'ir').iterdir())]
        assert all(Polarity('auto')(image) is image for image in images), name
        found[name] = np.mean([np.array_equal(Polarity('auto')(255 - image), image)
                               for image in images])
    assert found['labelled/MSRS'] == 1
    assert found['labelled/LLVIP_small'] > 0.6


def test_a_black_hot_video_is_turned_for_good(shared_data):
    paths = sorted((shared_data / 'sequences/m3svd_0115_1834/ir').iterdir())
    polarity = Polarity('auto')
    for path in paths:
        image = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        np.testing.assert_array_equal(polarity(255 - image), image)
