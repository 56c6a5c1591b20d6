"""Training of the network that denoises a prior's coarse levels at a quarter of the size.

What a prior makes of a picture at a high timestep is smooth: from means over 4 x 4 pixels, a
sixteenth as many, a network of the same family gives it (docs/priors.md). It
learns from the prior alone: of a picture, some with the noise of a camera, what the prior makes of
x_t on average over its noise, which would take many calls of it.
"""

import torch
from torch.nn import functional

from dig2dig_ros.prior.base import Prior
from dig2dig_ros.prior.compact import CompactPrior
from dig2dig_ros.prior.crops import CropSampler
from dig2dig_ros.prior.team import Team
from dig2dig_ros.prior.training import Trainer, TrainingSettings
from dig2dig_ros.settings import COARSE_FROM, COARSE_SIDE, TRAINING_TIMESTEPS, FusionSettings

# The level of one-pass, the only one of most frames, is drawn as often as all others together.
MAIN_TIMESTEP, MAIN_SHARE = FusionSettings().t_max, 0.5
# So many crops have the noise of a camera, of deviations up to 50 of 255 grey levels.
NOISY_SHARE, GREATEST_NOISE = 0.4, 50 / 127.5


class CoarseTrainer(Trainer):
    """Teaches a network what a prior makes of pictures, from those at a quarter of the size."""

    def __init__(self, settings: TrainingSettings, sampler: CropSampler, teacher: Prior,
                 initial: CompactPrior | None = None, team: Team | None = None):
        """Start as `Trainer` does.

        :param teacher: the prior, on the sampler's device.
        """
        super().__init__(settings, sampler, initial, team)
        self._teacher = teacher

    def _loss(self) -> torch.Tensor:
        batch = self.settings.batch
        clean = self.sampler.sample(batch, self._generator)
        timesteps = torch.randint(COARSE_FROM, TRAINING_TIMESTEPS, (batch,), device=self.device,
                                  generator=self._generator)
        own, drawn = torch.randn(2, *clean.shape, device=self.device, generator=self._generator)
        main, noisy, level = torch.rand(3, batch, device=self.device, generator=self._generator)
        timesteps.masked_fill_(main < MAIN_SHARE, MAIN_TIMESTEP)
        deviations = GREATEST_NOISE * level * (noisy < NOISY_SHARE)
        clean, timesteps, own, drawn, deviations = (
            one[self._share] for one in (clean, timesteps, own, drawn, deviations))
        seen = (clean + deviations[:, None, None, None] * own).clamp_(-1, 1)
        signal = self._alpha_bar[timesteps][:, None, None, None]
        scaled, noise = signal.sqrt() * seen, (1 - signal).sqrt() * drawn
        with torch.no_grad():
            # Two opposite draws; regression makes it the mean of all.
            aim = self._teacher(torch.cat([scaled + noise, scaled - noise]), timesteps.repeat(2))
            aim = aim.view(2, *scaled.shape).mean(dim=0)
        small = self._estimate(functional.avg_pool2d(scaled, COARSE_SIDE), timesteps)
        whole = functional.interpolate(
            small, scale_factor=COARSE_SIDE, mode='bilinear', align_corners=False)
        return (whole - aim).square().mean()
