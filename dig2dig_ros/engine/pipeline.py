"""The method on tensors: from source luminances to the fused one, for one frame size.

Two stages, each a pure function of tensors, so that both can be captured into CUDA graphs:
`weigh` (one network batch, DIG, weights) and `sample` (ladder, guided reverse process).
"""

import dataclasses
from collections.abc import Sequence

import torch

from dig2dig_ros.engine.coarse import shrunk_size
from dig2dig_ros.engine.exposure import lifted
from dig2dig_ros.engine.guidance import make_guide
from dig2dig_ros.engine.information_gain import denoise_levels, fusion_weights, information_gain
from dig2dig_ros.engine.ladder import base_weights, fuse_bands
from dig2dig_ros.engine.noise import deviation
from dig2dig_ros.engine.reference import (
    INFRARED,
    VISIBLE,
    normalised,
    weigh_against,
    within_range,
)
from dig2dig_ros.engine.resolution import WorkingSize
from dig2dig_ros.engine.sampler import noised, sample
from dig2dig_ros.engine.schedule import Schedule
from dig2dig_ros.engine.sharpness import Detail, sharpened, sharpening_of
from dig2dig_ros.prior.base import Prior
from dig2dig_ros.settings import FusionSettings

# Which of an infrared and a visible image is the reference.
REFERENCES = {'infrared': INFRARED, 'visible': VISIBLE}


@dataclasses.dataclass(frozen=True)
class Weighed:
    """What the levels of a frame say about its sources.

    Attributes:
        estimates: c_hat of every level, E x K x h x w.
        clean: the sources without their noise, infrared sharpened, K x h x w.
        weights: DIG weights of every level, E x K x h x w, summing to 1 over K.
        scales: factors on the bands, E x K; 1 where there is no reference.
        base: weights of the coarsest level in the ladder, K x h x w, summing to 1.
        bodies: added to that level, h x w (`reference.Against`); 0 where there is no reference.
        lift: of the fused picture's black (`exposure`), a tensor without dimensions; likewise.
        sharpening: by which infrared was sharpened (`sharpness`), likewise.
    """

    estimates: torch.Tensor
    clean: torch.Tensor
    weights: torch.Tensor
    scales: torch.Tensor
    base: torch.Tensor
    bodies: torch.Tensor
    lift: torch.Tensor
    sharpening: torch.Tensor

    @property
    def shares(self) -> torch.Tensor:
        """Weights of the sources over all levels, K x h x w."""
        return self.weights[0] if len(self.weights) == 1 else self.weights.mean(dim=0)


class FusionPipeline:
    """What is fixed for a frame size and settings: schedule, noise and constants."""

    def __init__(
            self, prior: Prior, settings: FusionSettings, height: int, width: int,
            device: torch.device):
        """Draw the noise for frames of height x width pixels."""
        self.size = WorkingSize(height, width, settings.scale, prior.multiple)
        self.schedule = Schedule.of(settings)
        self._prior = prior
        self.settings = settings
        # Drawn on the CPU: the same seed is the same picture on every device.
        working = (self.size.height, self.size.width)
        generator = torch.Generator().manual_seed(settings.seed)
        half = torch.randn(max(1, (settings.draws + 1) // 2), *working, generator=generator)
        self._noise = half[0].to(device)
        # Antithetic pairs cancel the part of the estimate that is odd in the noise.
        draws = torch.cat([half, -half])[:settings.draws]
        self._draws = draws.to(device) if settings.draws else None
        ancestral = settings.sampler == 'ddpm' and len(self.schedule.timesteps) > 1
        self._ancestral = torch.randn(
            len(self.schedule.timesteps) - 1, *working,
            generator=generator).to(device) if ancestral else None

    def level_calls(self, clean_ends: Sequence[int]) -> int:
        """Images that `weigh` gives the network, in one batch."""
        draws = max(1, self.settings.draws)
        levels = len(clean_ends) * draws * len(self.schedule.levels)
        return levels + sum(end > 0 for end in clean_ends)

    def specialise(self, source_count: int) -> None:
        """Get the networks ready for the batches of a frame of so many sources."""
        size, each = (self.size.height, self.size.width), max(1, self.settings.draws)
        coarse = source_count * each * self.schedule.coarse
        whole = self.level_calls((0,) * source_count) - coarse
        if coarse:
            below = self._prior.coarse
            below.specialise(coarse, *shrunk_size(*size, below.multiple))
        batches = {whole}
        if self.reference_of(source_count) is not None:
            # A noisy camera brings one image more, and nobody waits for it then.
            batches |= {whole + noisy for noisy in range(1, source_count + 1)}
        if self.step_calls():
            batches.add(1)
        for batch in sorted(batches - {0}):
            self._prior.specialise(batch, *size)

    def step_calls(self, first: int = 0) -> int:
        """Images that `sample` gives the network, one after the other."""
        return len(self.schedule.timesteps[first:])

    def gain(self, sources: torch.Tensor) -> torch.Tensor:
        """DIG of every level (Eq. 8), E x K x H x W, of sources K x H x W in [-1, 1]."""
        estimates, _ = denoise_levels(
            self._prior, sources, self.schedule.levels, self._draws, (), self.schedule.coarse)
        return information_gain(
            estimates, sources, self.settings.divergence, self.settings.window)

    def reference_of(self, source_count: int) -> int | None:
        """Index of the reference source; None where all are alike, as more than two are."""
        return REFERENCES.get(self.settings.reference) if source_count == 2 else None

    def weigh(self, sources: torch.Tensor, valid: torch.Tensor | None,
              clean_ends: Sequence[int]) -> Weighed:
        """Denoise the levels of every source and weigh the sources by DIG.

        :param sources: K x h x w in [-1, 1], at the working size.
        :param valid: K x h x w, above 0 where a source has a pixel; some source always has.
            None where every source has every pixel.
        :param clean_ends: for each source the timestep that is as noisy as it, or 0.
        """
        settings, reference = self.settings, self.reference_of(len(sources))
        estimates, clean = denoise_levels(
            self._prior, sources, self.schedule.levels, self._draws, clean_ends,
            self.schedule.coarse)
        scales, bodies = torch.ones_like(estimates[..., 0, 0]), torch.zeros_like(clean[0])
        lift = sharpening = clean.new_zeros(())
        if settings.weighting == 'uniform':
            weights = torch.full_like(estimates, 1 / len(sources))
            base = weights[0]
        elif reference is None:
            gain = information_gain(estimates, clean, settings.divergence, settings.window)
            weights = fusion_weights(gain, settings.temperature, settings.normalise)
            base = base_weights(
                estimates[0], settings.window, settings.base_temperature, settings.normalise)
        else:
            noise = [deviation(end) for end in clean_ends]
            if reference == VISIBLE:
                detail = Detail.of(clean, estimates[0])
                sharpening = sharpening_of(detail, valid, INFRARED)
                clean = sharpened(clean, detail, sharpening, INFRARED)
            against = weigh_against(estimates, clean, noise, reference, valid, settings)
            weights, base = against.weights, against.base
            scales, bodies, lift = against.scales, against.bodies, against.lift
        if valid is not None:
            weights, base = normalised(weights * valid, dim=1), normalised(base * valid, dim=0)
        return Weighed(estimates, clean, weights, scales, base, bodies, lift, sharpening)

    def still(self, weighed: Weighed, sources: torch.Tensor) -> Weighed:
        """What a frame says whose clean sources, K x h x w, hardly differ from those weighed."""
        if self.reference_of(len(sources)) == VISIBLE:
            detail = Detail.of(sources, weighed.estimates[0])
            sources = sharpened(sources, detail, weighed.sharpening, INFRARED)
        return dataclasses.replace(weighed, clean=sources)

    def ladder(self, weighed: Weighed) -> torch.Tensor:
        """The one-pass fusion, h x w in [-1, 1]."""
        fused = fuse_bands(
            weighed.estimates, weighed.clean, weighed.weights, weighed.base, weighed.scales)
        if self.reference_of(len(weighed.clean)) is None:
            return fused.clamp_(-1, 1)
        return within_range(lifted(fused.add_(weighed.bodies), weighed.lift))

    def sample(
            self, weighed: Weighed, guess: torch.Tensor | None = None,
            first: int = 0, ladder: torch.Tensor | None = None) -> torch.Tensor:
        """The fused luminance, h x w in [-1, 1].

        :param guess: what to start from, h x w; None for the ladder where there is a
            reference, else for the weighted mean of the sources.
        :param first: sampling step to start at; one-pass mode has none.
        :param ladder: see `ladder`, where it was made before.
        """
        timesteps = self.schedule.timesteps[first:]
        ladder = self.ladder(weighed) if ladder is None else ladder
        if not timesteps:
            return ladder
        guide = make_guide(self.settings, weighed.clean, ladder)
        # Below t = 999 noise alone is not a sample of x_t. The forward process of a first guess
        # is, and at t = 999 it is the noise (signal amplitude 0.006).
        if guess is None and self.reference_of(len(weighed.clean)) is not None:
            guess = ladder
        if guess is None:
            guess = (weighed.weights[0] * weighed.clean).sum(dim=0)

        def correct(x0_hat: torch.Tensor, step: int) -> torch.Tensor:
            return guide(x0_hat, weighed.weights[(first + step) // self.schedule.interval])

        ancestral = None if self._ancestral is None else self._ancestral[first:]
        return sample(
            self._prior, noised(guess, self._noise, timesteps[0]), timesteps, correct,
            ancestral)
