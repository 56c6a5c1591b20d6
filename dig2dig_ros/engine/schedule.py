"""Which timesteps a frame visits, and the constants of the noise schedule at each."""

import dataclasses

from dig2dig_ros.errors import InputError
from dig2dig_ros.prior.noise_schedule import alpha_bar_table
from dig2dig_ros.settings import FusionSettings


def dig_timesteps(steps: int, t_max: int, power: float) -> tuple[int, ...]:
    """The DIG-N schedule: large strides at high noise, small strides at low noise.

    t_i = t_max (1 - i / (N - 1))^power (section 4.5 of the paper), rounded, then lifted where
    rounding would repeat a timestep, so that N steps are N different levels.

    :returns: N strictly falling timesteps, from t_max to 0 (for N = 1, t_max alone).
    :raises InputError: where t_max is too low to hold N different timesteps.
    """
    if steps > t_max + 1:
        raise InputError(f'steps is {steps}; with t_max {t_max} it must be at most {t_max + 1}')
    if steps == 1:
        return (t_max,)
    last = steps - 1
    return tuple(max(round(t_max * (1 - i / last) ** power), last - i) for i in range(steps))


@dataclasses.dataclass(frozen=True)
class Schedule:
    """All timesteps of one frame.

    Attributes:
        timesteps: N sampling timesteps, falling; empty in one-pass mode.
        levels: E timesteps at which the sources are denoised, falling. DIG of level e runs from
            it to the next one, and from the last one to the clean source.
        interval: S; sampling step i uses the weights of level i // S.
        coarse: of the levels, the first so many are denoised at a quarter of the size.
    """

    timesteps: tuple[int, ...]
    levels: tuple[int, ...]
    interval: int
    coarse: int = 0

    @classmethod
    def of(cls, settings: FusionSettings) -> 'Schedule':
        """Lay out the timesteps that the settings ask for."""
        if settings.mode == 'one-pass':
            ladder = dig_timesteps(settings.levels + 1, settings.t_max, settings.power)
            return cls((), ladder[:-1], 1, _coarse(ladder[:-1], settings))
        timesteps = dig_timesteps(settings.steps, settings.t_max, settings.power)
        levels = timesteps[::settings.interval]
        return cls(timesteps, levels, settings.interval, _coarse(levels, settings))


def _coarse(levels: tuple[int, ...], settings: FusionSettings) -> int:
    if settings.draws:
        return 0  # what denoises them at a smaller size knows levels without noise
    return sum(level >= settings.coarse_from for level in levels)


def signal_and_noise(timestep: int) -> tuple[float, float]:
    """Amplitudes (sqrt(alpha_bar_t), sqrt(1 - alpha_bar_t))."""
    alpha_bar = float(alpha_bar_table()[timestep])
    return alpha_bar ** 0.5, (1 - alpha_bar) ** 0.5
