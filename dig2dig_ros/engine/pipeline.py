"""The method on tensors: from source luminances to the fused one, for one frame size.

Two stages, each a pure function of tensors, so that both can be captured into CUDA graphs:
`weigh` (one network batch, DIG, weights, ladder) and `sample` (the guided reverse process).
"""

import torch

from dig2dig_ros.engine.guidance import make_guide
from dig2dig_ros.engine.information_gain import denoise_levels, fusion_weights, information_gain
from dig2dig_ros.engine.ladder import base_weights, fuse_bands
from dig2dig_ros.engine.resolution import WorkingSize
from dig2dig_ros.engine.sampler import noised, sample
from dig2dig_ros.engine.schedule import Schedule
from dig2dig_ros.engine.settings import FusionSettings
from dig2dig_ros.prior.base import Prior


class FusionPipeline:
    """What is fixed for a frame size and settings: schedule, noise and constants."""

    def __init__(
            self, prior: Prior, settings: FusionSettings, height: int, width: int,
            device: torch.device):
        """Draw the noise for frames of height x width pixels."""
        self.size = WorkingSize(height, width, settings.scale, prior.multiple)
        self.schedule = Schedule.of(settings)
        self._prior = prior
        self._settings = settings
        # Drawn on the CPU: the same seed is the same picture on every device.
        working = (self.size.height, self.size.width)
        generator = torch.Generator().manual_seed(settings.seed)
        half = torch.randn((settings.noise_draws + 1) // 2, *working, generator=generator)
        # Antithetic pairs cancel the part of the estimate that is odd in the noise.
        self._draws = torch.cat([half, -half])[:settings.noise_draws].to(device)
        ancestral = settings.sampler == 'ddpm' and len(self.schedule.timesteps) > 1
        self._ancestral = torch.randn(
            len(self.schedule.timesteps) - 1, *working,
            generator=generator).to(device) if ancestral else None

    def network_calls(self, source_count: int) -> int:
        """Images that go through the network for a frame of that many sources."""
        return self.schedule.network_calls(source_count, self._settings.noise_draws)

    def gain(self, sources: torch.Tensor) -> torch.Tensor:
        """DIG of every level (Eq. 8), E x K x H x W, of sources K x H x W in [-1, 1]."""
        estimates = denoise_levels(self._prior, sources, self.schedule.levels, self._draws)
        return information_gain(
            estimates, sources, self._settings.divergence, self._settings.window)

    def weigh(
            self, sources: torch.Tensor, valid: torch.Tensor,
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """DIG weights of every level, and the one-pass fusion by them.

        :param sources: K x H x W in [-1, 1].
        :param valid: K x H x W, 1 where a source has a pixel, else 0; some source always has.
        :returns: weights E x K x H x W; their share in the picture K x H x W; ladder H x W.
        """
        settings = self._settings
        estimates = denoise_levels(self._prior, sources, self.schedule.levels, self._draws)
        if settings.weighting == 'uniform':
            weights = torch.full_like(estimates, 1 / len(sources))
            base = weights[0]
        else:
            gain = information_gain(estimates, sources, settings.divergence, settings.window)
            weights = fusion_weights(gain, settings.temperature, settings.normalise)
            base = base_weights(
                estimates[0], settings.window, settings.base_temperature, settings.normalise)
        weights = weights * valid
        weights = weights / weights.sum(dim=1, keepdim=True)
        base = base * valid
        base = base / base.sum(dim=0)
        return weights, weights.mean(dim=0), fuse_bands(estimates, sources, weights, base)

    def sample(
            self, sources: torch.Tensor, weights: torch.Tensor,
            ladder: torch.Tensor) -> torch.Tensor:
        """The fused luminance, H x W in [-1, 1], from what `weigh` returned."""
        timesteps = self.schedule.timesteps
        if not timesteps:
            return ladder
        guide = make_guide(self._settings, sources, ladder)
        # Below t = 999 noise alone is not a sample of x_t. The forward process of a first guess
        # is, and at t = 999 it is the noise (signal amplitude 0.006).
        first_guess = (weights[0] * sources).sum(dim=0)
        return sample(
            self._prior, noised(first_guess, self._draws[0], timesteps[0]), timesteps,
            lambda x0_hat, step: guide(x0_hat, weights[step // self.schedule.interval]),
            self._ancestral)
