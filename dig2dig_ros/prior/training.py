"""Training of a compact prior (`dig2dig train`): EDM's objective on augmented crops."""

import dataclasses
import math
import time
from collections.abc import Callable, Iterable, Sequence

import numpy as np
import torch

from dig2dig_ros.prior.architecture import SIZES
from dig2dig_ros.prior.base import Prior
from dig2dig_ros.prior.compact import SIGMA_DATA, CompactPrior, input_levels, seeded
from dig2dig_ros.prior.crops import CropSampler
from dig2dig_ros.prior.noise_schedule import alpha_bar_table
from dig2dig_ros.prior.team import Team

REPORTED_TIMESTEPS = (10, 25, 50, 100, 150, 300, 500, 800, 999)
AUTOCAST = {'fp32': None, 'bf16': torch.bfloat16}
UNIFORM_SHARE = 0.2
LOG_SIGMA_MEAN, LOG_SIGMA_SPREAD = math.log(0.25), 1.2
EMA_DECAY = 0.999
WARM_UP_STEPS = 200
LEAST_NOISE = 0.1
LOSS_SPAN_STEPS = 200
# Reading the loss waits for the device.
LOSS_EVERY_STEPS, CURVE_POINTS = 50, 100


@dataclasses.dataclass(frozen=True)
class TrainingSettings:
    """The recipe of one training; recorded in the model card.

    Attributes:
        size: of the network, a key of `compact.SIZES`.
        steps: optimiser steps; unused where `minutes` is given.
        minutes: wall-clock length, or None to count steps.
        batch: crops per step.
        crop: side of a crop in pixels.
        learning_rate: peak of the schedule (short linear warm-up, then a cosine to zero).
        precision: of the network's arithmetic: `fp32` or `bf16`; weights stay float32.
        seed: of initial weights, crops and noise.
    """

    size: str = 'small'
    steps: int = 20000
    minutes: float | None = None
    batch: int = 64
    crop: int = 128
    learning_rate: float = 1e-3
    precision: str = 'bf16'
    seed: int = 0


def timestep_weights() -> torch.Tensor:
    """Probability of each timestep in training.

    Most draws follow a log-normal noise level around sigma = 0.25 (t = 75), where images are
    decided; the rest is uniform, so that every timestep is trained.

    :returns: float64 of shape (1000,), summing to 1.
    """
    noise, signal = input_levels().double().unbind(1)
    log_sigmas = torch.log(SIGMA_DATA * noise / signal)
    density = torch.exp(-0.5 * ((log_sigmas - LOG_SIGMA_MEAN) / LOG_SIGMA_SPREAD) ** 2)
    # Timesteps are unevenly spaced in log sigma: density times spacing is probability.
    weights = density * torch.gradient(log_sigmas)[0]
    return UNIFORM_SHARE / len(weights) + (1 - UNIFORM_SHARE) * weights / weights.sum()


class Trainer:
    """The state of a training and its step; deterministic for a seed on one device.

    Attributes:
        loss: running mean over the last steps.
        curve: (steps done, loss) as the training went.
    """

    def __init__(self, settings: TrainingSettings, sampler: CropSampler,
                 initial: CompactPrior | None = None, team: Team | None = None):
        """Start from random weights, or from those of `initial`, a prior of the same size.

        :param team: the processes that share each batch; None for this one alone.
        :raises InputError: where they cannot share it evenly.
        """
        self.settings, self.sampler, self.device = settings, sampler, sampler.device
        self.team = team or Team()
        self._share = self.team.share(settings.batch)
        self.prior = self._untrained().to(self.device)
        self.average = self._untrained().to(self.device).eval()
        if initial is not None:
            self.prior.network.load_state_dict(initial.network.state_dict())
            self.average.network.load_state_dict(initial.network.state_dict())
        self.optimizer = torch.optim.AdamW(
            self.prior.parameters(), lr=settings.learning_rate, betas=(0.9, 0.99),
            weight_decay=0, fused=self.device.type == 'cuda')
        self.steps_done, self.seconds_done = 0, 0.0
        self.loss = math.nan
        self.curve: list[tuple[int, float]] = []
        self._network = self.team.join(self.prior.network)
        self._running_loss = torch.zeros((), device=self.device)
        self._generator = torch.Generator(self.device)
        self._alpha_bar = alpha_bar_table().float().to(self.device)
        self._timestep_weights = timestep_weights().float().to(self.device)

    def _untrained(self) -> CompactPrior:
        return seeded(SIZES[self.settings.size], self.settings.seed)

    def _aim(self, clean: torch.Tensor, noised: torch.Tensor,
             timesteps: torch.Tensor) -> torch.Tensor:
        """What x0_hat is compared with: the clean image. A study asks a larger prior instead."""
        return clean

    @property
    def progress(self) -> float:
        """Share of the training that is done, 0..1."""
        if self.settings.minutes is not None:
            return min(self.seconds_done / (60 * self.settings.minutes), 1.0)
        return min(self.steps_done / self.settings.steps, 1.0)

    def run(self, report: Callable[['Trainer'], None]) -> None:
        """Train to the end, calling `report` after every step.

        :raises KeyboardInterrupt: after a whole step, where a process of a team was interrupted.
        """
        self.prior.train()
        while self.progress < 1:
            started = time.monotonic()
            self._step()
            self.steps_done += 1
            if (self.steps_done - 1) % self._loss_every == 0:
                self._read_loss()
            self.seconds_done += time.monotonic() - started
            self.seconds_done, interrupted = self.team.agree(self.seconds_done)
            report(self)
            if interrupted:
                raise KeyboardInterrupt
        self._read_loss()

    @property
    def _loss_every(self) -> int:
        if self.settings.minutes is not None:
            return LOSS_EVERY_STEPS
        return max(1, min(LOSS_EVERY_STEPS, self.settings.steps // CURVE_POINTS))

    def _read_loss(self) -> None:
        self.loss = self._running_loss.item()  # the only wait for the device
        if not self.curve or self.curve[-1][0] < self.steps_done:
            self.curve.append((self.steps_done, self.loss))

    def _step(self) -> None:
        # Seeding every step makes a resumed training draw what an unbroken one draws.
        self._generator.manual_seed(self.settings.seed * 10 ** 9 + self.steps_done)
        warm_up = min((self.steps_done + 1) / WARM_UP_STEPS, 1.0)
        rate = self.settings.learning_rate * warm_up * 0.5 * (
            1 + math.cos(math.pi * self.progress))
        for group in self.optimizer.param_groups:
            group['lr'] = rate
        loss = self._loss()
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.prior.parameters(), 1.0)
        self.optimizer.step()
        self._follow()
        span = min(self.steps_done + 1, LOSS_SPAN_STEPS)
        self._running_loss.lerp_(self.team.mean(loss.detach()), 1 / span)

    def _loss(self) -> torch.Tensor:
        batch = self.settings.batch
        clean = self.sampler.sample(batch, self._generator)
        timesteps = torch.multinomial(self._timestep_weights, batch, replacement=True,
                                      generator=self._generator)
        noise = torch.randn(clean.shape, device=self.device, generator=self._generator)
        # Of what all processes drew alike, this one's part.
        clean, timesteps, noise = (drawn[self._share] for drawn in (clean, timesteps, noise))
        signal = self._alpha_bar[timesteps][:, None, None, None]
        noised = signal.sqrt() * clean + (1 - signal).sqrt() * noise
        missed = (self._estimate(noised, timesteps)
                  - self._aim(clean, noised, timesteps)) / SIGMA_DATA
        # EDM's weights, 1 / noise^2, but for the last few timesteps, where next to nothing is
        # left to denoise and they would drown the rest.
        weights = 1 / (self.prior.levels[timesteps, 0].square() + LEAST_NOISE ** 2)
        return (weights * missed.square().mean((1, 2, 3))).mean()

    def _estimate(self, noised: torch.Tensor, timesteps: torch.Tensor) -> torch.Tensor:
        """x0_hat of the network in training, not clamped."""
        c_in, c_skip = self.prior.preconditioning[timesteps][:, :, None, None, None].unbind(1)
        levels = self.prior.levels[timesteps][:, :, None, None]
        dtype = AUTOCAST[self.settings.precision]
        with torch.autocast(self.device.type, dtype=dtype, enabled=dtype is not None):
            predicted = self._network(c_in * noised, levels)
        return c_skip * noised + SIGMA_DATA * predicted.float()

    @torch.no_grad()
    def _follow(self) -> None:
        """Exponential moving average of the weights; short at first."""
        decay = min(EMA_DECAY, (1 + self.steps_done) / (10 + self.steps_done))
        torch._foreach_lerp_(list(self.average.parameters()), list(self.prior.parameters()),
                             1 - decay)

    def state_dict(self) -> dict:
        """Everything that a resumed training needs; plain containers and tensors."""
        return {
            'settings': dataclasses.asdict(self.settings),
            'network': self.prior.network.state_dict(),
            'average': self.average.network.state_dict(),
            'optimizer': self.optimizer.state_dict(),
            'running_loss': self._running_loss,
            'curve': self.curve,
            'steps_done': self.steps_done,
            'seconds_done': self.seconds_done,
        }

    def load_state_dict(self, state: dict) -> None:
        """Go on from `state_dict()` of a training with the same network."""
        self.prior.network.load_state_dict(state['network'])
        self.average.network.load_state_dict(state['average'])
        self.optimizer.load_state_dict(state['optimizer'])
        self._running_loss.copy_(state['running_loss'])
        self.curve = [tuple(point) for point in state.get('curve', [])]
        self.steps_done, self.seconds_done = state['steps_done'], state['seconds_done']


@torch.inference_mode()
def denoising_psnr(prior: Prior, images: Iterable[np.ndarray],
                   timesteps: Sequence[int] = REPORTED_TIMESTEPS, seed: int = 0,
                   ) -> dict[int, float]:
    """Quality of one-step denoising.

    :param prior: on any device.
    :param images: uint8 luminance, H x W each; cropped to the prior's multiple.
    :returns: PSNR in dB (peak 255) by timestep, the mean over the images.
    """
    device = next(prior.parameters()).device
    generator = torch.Generator().manual_seed(seed)
    levels = torch.tensor(list(timesteps))
    signal = alpha_bar_table()[levels].float()[:, None, None, None]
    totals, count = torch.zeros(len(levels), dtype=torch.float64), 0
    for image in images:
        height, width = (side - side % prior.multiple for side in image.shape)
        clean = torch.from_numpy(image[:height, :width].astype(np.float32))[None, None] / 127.5 - 1
        noise = torch.randn(len(levels), 1, height, width, generator=generator)
        noised = signal.sqrt() * clean + (1 - signal).sqrt() * noise
        restored = torch.cat([prior(one[None].to(device), level[None].to(device)).cpu()
                              for one, level in zip(noised, levels, strict=True)])
        error = (restored - clean).double().square().mean((1, 2, 3)).clamp(min=1e-12)
        totals += 10 * torch.log10(4 / error)
        count += 1
    return {int(level): round(float(total) / count, 2)
            for level, total in zip(levels, totals, strict=True)}
