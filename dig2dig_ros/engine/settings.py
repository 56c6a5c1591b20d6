"""Every knob of the fusion, validated in one place and documented once."""

import dataclasses
import math

from dig2dig_ros.errors import InputError
from dig2dig_ros.prior.noise_schedule import TRAINING_TIMESTEPS

CHOICES = {
    'mode': ('sample', 'one-pass'),
    'guidance': ('em', 'ddfm', 'ladder', 'plain'),
    'weighting': ('dig', 'uniform'),
    'divergence': ('l2', 'l1', 'ssim'),
    'sampler': ('ddim', 'ddpm'),
    'precision': ('auto', 'fp32', 'bf16', 'fp16'),
}


@dataclasses.dataclass(frozen=True)
class FusionSettings:
    """Settings of one fusion. Immutable: derive a changed copy with `dataclasses.replace`.

    Attributes:
        mode: `sample` runs the paper's reverse process; `one-pass` fuses the denoised levels
            of the sources band by band, with one network batch and no sampling.
        steps: N of DIG-N, the sampling timesteps, 1..1000.
        interval: S, sampling steps between two refreshes of the weights, 1..steps.
        guidance: how sources correct x0_hat: `em` (DDFM's EM step as derived), `ddfm` (the step
            of DDFM's public code, its mirror image), `ladder` (pull to the one-pass fusion),
            `plain` (pull to the weighted mean).
        weighting: `dig` (Eq. 11), or `uniform`, w = 1/K (DDFM, the ablation).
        divergence: l of Eq. 8: `l2`, `l1` or `ssim` (1 - SSIM).
        strength: share of the way that `ladder` and `plain` pull x0_hat to their target, 0..1.
        temperature: of the softmax over DIG, > 0.
        base_temperature: the same for the coarsest level of the ladder, > 0. Higher mixes the
            overall brightness of the sources more evenly.
        normalise: measure DIG in units of its mean magnitude in the frame, so that temperature
            means the same at every level and for every divergence. False, with temperature 1, is
            Eq. 11 as printed.
        window: side in pixels of the box that averages l, applied twice; odd, 1..255.
        power: p of t_i = t_max (1 - i / (N - 1))^p, >= 1.
        t_max: highest timestep, 1..999.
        levels: of the one-pass ladder, 1..t_max; spaced like a DIG-N schedule.
        sampler: `ddim` (eta = 0) or `ddpm` (ancestral).
        draws: noise draws averaged in each DIG level, 0..64, in antithetic pairs. 1 is Eq. 9. 0
            denoises the sources as they are, with the network told the level's timestep: no
            draw, no noise in the estimate, and better pictures (docs/results.md).
        precision: of the network; `auto` takes half precision where the device is fast at it.
            Schedule and guidance arithmetic are float32 at least.
        scale: size of the network's input relative to the frame, (0, 1].
        seed: of all noise; one seed and one input give one picture.
    """

    mode: str = 'sample'
    steps: int = 15
    interval: int = 15
    guidance: str = 'ladder'
    weighting: str = 'dig'
    divergence: str = 'l2'
    strength: float = 0.8
    temperature: float = 0.3
    base_temperature: float = 2.5
    normalise: bool = True
    window: int = 11
    power: float = 2.0
    t_max: int = 350
    levels: int = 1
    sampler: str = 'ddim'
    draws: int = 0
    precision: str = 'auto'
    scale: float = 1.0
    seed: int = 0

    def __post_init__(self):
        """Check every value.

        :raises InputError: naming the setting, its value and what is allowed.
        """
        for name, allowed in CHOICES.items():
            _require(getattr(self, name) in allowed, name, getattr(self, name),
                     f'one of {", ".join(allowed)}')
        for name in ('steps', 'interval', 'window', 't_max', 'levels', 'draws', 'seed'):
            value = getattr(self, name)
            _require(isinstance(value, int) and not isinstance(value, bool), name, value,
                     'a whole number')
        for name in ('temperature', 'base_temperature', 'strength', 'power', 'scale'):
            value = getattr(self, name)
            _require(isinstance(value, (int, float)) and not isinstance(value, bool)
                     and math.isfinite(value), name, value, 'a finite number')
        last = TRAINING_TIMESTEPS - 1
        _require(1 <= self.steps <= TRAINING_TIMESTEPS, 'steps', self.steps,
                 f'from 1 to {TRAINING_TIMESTEPS}')
        _require(1 <= self.interval <= self.steps, 'interval', self.interval,
                 f'from 1 to steps ({self.steps})')
        for name in ('temperature', 'base_temperature'):
            _require(getattr(self, name) > 0, name, getattr(self, name), 'above 0')
        _require(1 <= self.window <= 255 and self.window % 2 == 1, 'window', self.window,
                 'odd, from 1 to 255')
        _require(self.power >= 1, 'power', self.power, 'at least 1')
        _require(1 <= self.t_max <= last, 't_max', self.t_max, f'from 1 to {last}')
        _require(1 <= self.levels <= self.t_max, 'levels', self.levels,
                 f'from 1 to t_max ({self.t_max})')
        _require(0 <= self.strength <= 1, 'strength', self.strength, 'from 0 to 1')
        _require(isinstance(self.normalise, bool), 'normalise', self.normalise, 'true or false')
        _require(0 <= self.draws <= 64, 'draws', self.draws, 'from 0 to 64')
        _require(0 < self.scale <= 1, 'scale', self.scale, 'above 0 and at most 1')
        _require(self.seed >= 0, 'seed', self.seed, 'at least 0')


def _require(holds: bool, name: str, value: object, allowed: str) -> None:
    if not holds:
        raise InputError(f'{name} is {value!r}; it must be {allowed}')
