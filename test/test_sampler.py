"""The reverse process against its closed forms."""

import pytest
import torch

from dig2dig_ros.engine.sampler import noised, sample
from dig2dig_ros.engine.schedule import signal_and_noise


def test_perfect_x0_takes_any_schedule_to_it(smoothing_prior):
    truth = torch.linspace(-1, 1, 48).repeat(32, 1)
    start = noised(truth, torch.randn(32, 48), 500)
    assert torch.equal(sample(smoothing_prior, start, (500, 100, 0), lambda x0, i: truth), truth)
    assert smoothing_prior.batches == [[500], [100], [0]]


def test_ddim_step_keeps_the_noise_that_x_t_implies(smoothing_prior):
    truth, noise = torch.zeros(16, 16), torch.randn(16, 16)
    seen = []
    original = smoothing_prior.forward
    smoothing_prior.forward = lambda x, t: (seen.append(x[0, 0]), original(x, t))[1]
    sample(smoothing_prior, noised(truth, noise, 500), (500, 100), lambda x0, i: truth)
    torch.testing.assert_close(seen[1], noised(truth, noise, 100))


def test_ddpm_step_has_the_moments_of_the_posterior(smoothing_prior):
    truth = torch.full((256, 256), 0.5)
    generator = torch.Generator().manual_seed(0)
    start = noised(truth, torch.randn(256, 256, generator=generator), 500)
    seen = []
    original = smoothing_prior.forward
    smoothing_prior.forward = lambda x, t: (seen.append(x[0, 0]), original(x, t))[1]
    fresh = torch.randn(1, 256, 256, generator=generator)
    sample(smoothing_prior, start, (500, 100), lambda x0, i: truth, fresh)
    # Marginalised over x_500, the posterior given x_0 is the forward process at 100.
    signal, amplitude = signal_and_noise(100)
    assert seen[1].mean().item() == pytest.approx(0.5 * signal, abs=0.01)
    assert seen[1].std().item() == pytest.approx(amplitude, abs=0.01)
