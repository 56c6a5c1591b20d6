"""The noise of a camera, and the timestep that is as noisy."""

import cv2
import numpy as np
import pytest
import torch

from dig2dig_ros.camera.thermal import GainControl
from dig2dig_ros.engine.noise import (
    CLEAN,
    HEADROOM,
    RUNGS,
    deviation,
    matched_timestep,
    noise_levels,
)
from dig2dig_ros.synthetic.street import StreetScene


def as_tensor(image):
    return torch.from_numpy(image.astype(np.float32))[None] / 127.5 - 1


def measured(image, level, seed=0):
    """Noise measured, in grey levels, after so much was added."""
    noise = np.random.default_rng(seed).normal(0, level, image.shape)
    noisy = (image + noise).clip(0, 255).round()
    return 127.5 * float(noise_levels(as_tensor(noisy))[0])


@pytest.mark.parametrize('level', [5, 10, 25, 50])
def test_noise_on_a_flat_wall_is_measured(level):
    assert measured(np.full((120, 160), 128.0), level) == pytest.approx(level, rel=0.06)


@pytest.mark.parametrize('level', [8, 16])
def test_texture_and_edges_do_not_count_as_noise(shared_data, level):
    for path in sorted((shared_data / 'dev_pairs/RoadScene/vi').iterdir())[:10]:
        image = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        assert 127.5 * float(noise_levels(as_tensor(image))[0]) < 3
        assert measured(image, level) == pytest.approx(level, rel=0.25)


def test_the_rendered_street_is_clean():
    frame = StreetScene(320, 256).render(0.0)
    for image in (GainControl()(frame.infrared), frame.visible[..., 1]):
        assert matched_timestep(float(noise_levels(as_tensor(image))[0])) == 0


@pytest.mark.parametrize('size', [(1, 1), (1, 40), (3, 40), (2, 2), (17, 19)])
def test_any_size_is_measured(size):
    assert noise_levels(torch.zeros(2, *size)).tolist() == [0, 0]


@pytest.mark.parametrize('share', [0.3, 0.6, 0.9])
def test_what_fills_the_frame_beside_a_footprint_is_not_measured(share):
    image = np.full((240, 320), 128.0)
    image += np.random.default_rng(0).normal(0, 12, image.shape)
    valid = torch.zeros(1, 240, 320)
    valid[..., :round(320 * share)] = 1
    image[:, round(320 * share):] = 128
    level = 127.5 * float(noise_levels(as_tensor(image), valid)[0])
    assert level == pytest.approx(12, rel=0.06)


def test_a_footprint_of_a_few_blocks_is_too_small_to_tell():
    valid = torch.zeros(1, 240, 320)
    valid[..., :60, :60] = 1
    assert noise_levels(torch.randn(1, 240, 320), valid).tolist() == [0]


def test_black_with_noise_cut_off_is_measured_by_what_is_left():
    assert 5 < measured(np.zeros((120, 160)), 25) < 25


def test_the_rung_is_as_noisy_as_the_camera():
    for rung in RUNGS[1:]:
        assert matched_timestep(deviation(rung) / HEADROOM) == rung
        assert matched_timestep(1.1 * deviation(rung) / HEADROOM) == rung
    assert matched_timestep(0.9 * CLEAN) == 0


def test_a_wavering_noise_level_stays_on_its_rung():
    between = (deviation(32) * deviation(46)) ** 0.5 / HEADROOM
    assert matched_timestep(between * 1.01, before=32) == 32
    assert matched_timestep(between * 0.99, before=46) == 46
    assert matched_timestep(2 * between, before=32) in (65, 91)
