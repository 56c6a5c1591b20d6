"""DIG and its weights, equation by equation."""

import math

import pytest
import torch
from torch.nn import functional

from dig2dig_ros.engine.filters import box_mean, smooth, window_peaks
from dig2dig_ros.engine.information_gain import (
    denoise_levels,
    fusion_weights,
    information_gain,
    pixel_divergence,
)
from dig2dig_ros.engine.schedule import signal_and_noise


@pytest.fixture
def sources():
    return torch.rand(3, 24, 32, generator=torch.Generator().manual_seed(1)) * 2 - 1


def test_all_levels_and_sources_go_through_in_one_batch_with_the_same_noise(
        smoothing_prior, sources):
    noise = torch.randn(1, 24, 32, generator=torch.Generator().manual_seed(2))
    estimates, clean = denoise_levels(smoothing_prior, sources, (300, 100), noise)
    assert smoothing_prior.batches == [[300, 300, 300, 100, 100, 100]]
    assert clean is sources
    signal, amplitude = signal_and_noise(100)
    expected = box_mean((signal * sources[2] + amplitude * noise[0]) / signal, 5).clamp(-1, 1)
    torch.testing.assert_close(estimates[1, 2], expected)


def test_draws_are_averaged(smoothing_prior, sources):
    noise = torch.randn(4, 24, 32, generator=torch.Generator().manual_seed(2))
    together, _ = denoise_levels(smoothing_prior, sources, (50,), noise)
    apart = [denoise_levels(smoothing_prior, sources, (50,), one[None])[0] for one in noise]
    torch.testing.assert_close(together, torch.stack(apart).mean(dim=0))


def test_a_noisy_source_ends_at_its_own_timestep_in_the_same_batch(smoothing_prior, sources):
    still = torch.zeros(1, 24, 32)
    estimates, clean = denoise_levels(smoothing_prior, sources, (300, 10), still, (0, 50, 0))
    assert smoothing_prior.batches == [[300, 300, 300, 10, 10, 10, 50]]
    torch.testing.assert_close(clean[1], box_mean(sources[1], 5))
    assert torch.equal(clean[0], sources[0])
    # Below the source's own noise there is nothing but noise, so no band.
    assert torch.equal(estimates[1, 1], clean[1])
    assert not torch.equal(estimates[1, 0], clean[0])


def test_coarse_levels_are_denoised_at_a_quarter_by_a_network_of_their_own(
        smoothing_prior, sources):
    smoothing_prior.coarse = type(smoothing_prior)()
    estimates, _ = denoise_levels(smoothing_prior, sources, (400, 100), None, (), coarse=1)
    assert smoothing_prior.coarse.batches == [[400, 400, 400]]
    assert smoothing_prior.batches == [[100, 100, 100]]
    whole, _ = denoise_levels(smoothing_prior, sources, (400, 100), None)
    assert torch.equal(estimates[1], whole[1])
    # 24 x 32 pixels are 6 x 8, and to the multiple of the prior 8 x 8.
    squares = sources[2].reshape(6, 4, 8, 4).mean(dim=(1, 3))
    padded = functional.pad(squares[None], (0, 0, 0, 2), mode='replicate')[0]
    below = box_mean(padded, 5)
    below += (padded - below).mean()  # as bright as the picture
    expected = functional.interpolate(
        below[None, None, :6, :8], (24, 32), mode='bilinear')[0, 0]
    torch.testing.assert_close(estimates[0, 2], expected)


def test_gain_is_the_fall_of_the_divergence_to_the_next_level_and_to_zero(sources):
    estimates = torch.stack([0.5 * sources, 0.9 * sources])
    gain = information_gain(estimates, sources, 'l2', window=1)
    torch.testing.assert_close(gain[0], (0.25 - 0.01) * sources.square())
    torch.testing.assert_close(gain[1], 0.01 * sources.square())


def test_gains_of_all_levels_sum_to_the_divergence_of_the_first(sources):
    estimates = torch.rand(4, *sources.shape, generator=torch.Generator().manual_seed(3))
    for divergence in ('l2', 'l1', 'ssim'):
        gain = information_gain(estimates, sources, divergence, window=7)
        first = smooth(pixel_divergence(estimates[0], sources, divergence), 7)
        torch.testing.assert_close(gain.sum(dim=0), first)


def test_divergences_by_hand():
    estimate, source = torch.full((20, 20), 0.25), torch.full((20, 20), -0.25)
    assert pixel_divergence(estimate, source, 'l2').unique().tolist() == [0.25]
    assert pixel_divergence(estimate, source, 'l1').unique().tolist() == [0.5]
    # Flat images differ in SSIM's luminance term alone: (2ab + c) / (a^2 + b^2 + c).
    expected = 1 - (-0.125 + 4e-4) / (0.125 + 4e-4)
    ssim = pixel_divergence(estimate, source, 'ssim')
    assert ssim.numpy() == pytest.approx(expected, abs=1e-3)
    assert pixel_divergence(source, source, 'ssim').numpy() == pytest.approx(0, abs=1e-4)


def test_weights_are_the_softmax_of_equation_11():
    gain = torch.tensor([0.3, -0.1, 0.7]).view(1, 3, 1, 1)
    weights = fusion_weights(gain, temperature=1.0, normalise=False).flatten()
    exponentials = [math.exp(value) for value in (0.3, -0.1, 0.7)]
    assert weights.tolist() == pytest.approx([e / sum(exponentials) for e in exponentials])


def test_two_sources_take_the_sigmoid_of_their_difference():
    gain = torch.randn(3, 2, 8, 9, generator=torch.Generator().manual_seed(4))
    weights = fusion_weights(gain, temperature=0.7, normalise=False)
    torch.testing.assert_close(weights, torch.softmax(gain / 0.7, dim=1))


def test_normalised_weights_do_not_depend_on_the_unit_of_dig():
    gain = torch.rand(2, 2, 8, 9, generator=torch.Generator().manual_seed(5))
    weights = fusion_weights(gain, 0.3, True)
    torch.testing.assert_close(weights, fusion_weights(50 * gain, 0.3, True))


def test_no_information_anywhere_means_equal_weights():
    weights = fusion_weights(torch.zeros(1, 2, 4, 4), temperature=0.1, normalise=True)
    assert weights.unique().tolist() == [0.5]


def test_box_mean_is_cut_off_at_the_border():
    means = box_mean(torch.arange(5.0)[None] * torch.ones(5, 1), 3)
    assert means[2].tolist() == pytest.approx([0.5, 1, 2, 3, 3.5])


@pytest.mark.parametrize('window', [1, 3, 7, 13])
def test_the_peak_of_a_window_is_its_greatest_value(window):
    maps = -torch.rand(1, 2, 20, 33, generator=torch.Generator().manual_seed(1))
    pooled = functional.max_pool2d(maps, window, stride=1, padding=window // 2)
    assert torch.equal(window_peaks(maps, window), pooled)


@pytest.mark.parametrize('size', [(96, 128), (97, 130)])
def test_wide_window_at_a_quarter_of_the_resolution_is_the_window(size):
    maps = torch.rand(1, 2, *size, generator=torch.Generator().manual_seed(6)).square()
    exact = box_mean(box_mean(maps, 11), 11)
    quick = smooth(maps, 11)
    assert quick.shape == maps.shape
    assert (quick - exact).abs().mean() < 0.02 * maps.mean()
    torch.testing.assert_close(quick.mean(), exact.mean(), rtol=0.01, atol=0)
