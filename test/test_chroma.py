"""Colours of a noisy camera: smoothed, but not over the edges of the luminance."""

import numpy as np
import pytest
import torch

from dig2dig_ros.engine.luminance import PALE, luminance, with_chroma

LEVEL = 25.0
# No lift: colours as they are.
FULL = torch.tensor(1.0)


def noisy_halves():
    """A red half and a brighter blue one, 64 x 96; clean, and in noise of 25 grey levels."""
    clean = np.empty((64, 96, 3), np.float32)
    clean[:, :48], clean[:, 48:] = (60, 60, 120), (200, 150, 150)
    noise = np.random.default_rng(3).normal(0, LEVEL, clean.shape)
    return [torch.from_numpy(image.clip(0, 255).astype(np.uint8))
            for image in (clean, clean + noise)]


def coloured(image, clean, level):
    """The image with its own clean luminance, B - Y and R - Y by column."""
    y = luminance(clean)
    fused = with_chroma(y, [image], [luminance(image)], [y], [level], FULL).float()
    return ((fused - (y[..., None] + 1) * 127.5)[..., ::2]).mean(dim=0)


def test_noise_of_colours_goes_and_their_edge_stays():
    clean, noisy = noisy_halves()
    truth = (clean.float() - (luminance(clean)[..., None] + 1) * 127.5)[0, :, ::2]
    found = coloured(noisy, clean, LEVEL) * (1 + (LEVEL / PALE) ** 2)
    # 20 pixels apart, where a box of 13 taken twice would have mixed both colours.
    assert (found[46] - truth[46]).abs().max() < 8
    assert (found[49] - truth[49]).abs().max() < 8
    assert (truth[46] - truth[49]).abs().max() > 40
    assert (found - truth).abs().mean() < 5


def test_colours_of_a_clean_camera_are_its_own():
    clean, _ = noisy_halves()
    truth = (clean.float() - (luminance(clean)[..., None] + 1) * 127.5)[0, :, ::2]
    assert (coloured(clean, clean, 0.0) - truth).abs().max() <= 0.5


@pytest.mark.parametrize(('level', 'columns'), [(0.0, 96), (0.0, 93), (LEVEL, 96)])
def test_saturation_scales_the_differences_to_luminance(level, columns):
    image = noisy_halves()[0][:, :columns].contiguous()
    y = luminance(image)
    full, half = (with_chroma(
        y, [image], [y], [y], [level], torch.tensor(saturation)).float()
        for saturation in (1.0, 0.5))
    grey = (y[..., None] + 1) * 127.5
    assert (full - grey).abs().max() > 8
    assert (half - grey - (full - grey) / 2).abs().max() < 1
