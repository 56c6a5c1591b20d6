"""The reverse process: from noise to the fused image in N guided steps (Eq. 1, 3, 10)."""

from collections.abc import Callable, Sequence

import torch

from dig2dig_ros.engine.schedule import signal_and_noise
from dig2dig_ros.prior.base import Prior

Correct = Callable[[torch.Tensor, int], torch.Tensor]


def noised(image: torch.Tensor, noise: torch.Tensor, timestep: int) -> torch.Tensor:
    """x_t of the forward process: sqrt(alpha_bar_t) image + sqrt(1 - alpha_bar_t) noise."""
    signal, amplitude = signal_and_noise(timestep)
    return signal * image + amplitude * noise


def sample(
        prior: Prior, start: torch.Tensor, timesteps: Sequence[int], correct: Correct,
        ancestral_noise: torch.Tensor | None = None) -> torch.Tensor:
    """Run the guided reverse process.

    :param start: x at timesteps[0], H x W.
    :param timesteps: N falling timesteps; the last step ends clean.
    :param correct: `correct(x0_hat, i) -> x0`, the guidance at step i, on H x W.
    :param ancestral_noise: (N - 1) x H x W for DDPM's ancestral steps; None for DDIM (eta = 0).
    :returns: the fused luminance, H x W in [-1, 1].
    """
    x = start
    for i, timestep in enumerate(timesteps):
        at = torch.full((1,), timestep, device=x.device)
        x0 = correct(prior(x[None, None], at)[0, 0], i)
        if i + 1 == len(timesteps):
            break
        if ancestral_noise is None:
            x = _ddim_step(x, x0, timestep, timesteps[i + 1])
        else:
            x = _ddpm_step(x, x0, timestep, timesteps[i + 1], ancestral_noise[i])
    return x0.clamp(-1, 1)


def _ddim_step(x: torch.Tensor, x0: torch.Tensor, timestep: int, following: int) -> torch.Tensor:
    """Keep the noise that x_t implies for x0, at the amplitude of the next timestep."""
    signal, amplitude = signal_and_noise(timestep)
    next_signal, next_amplitude = signal_and_noise(following)
    kept = next_amplitude / amplitude
    return torch.add(kept * x, x0, alpha=next_signal - kept * signal)


def _ddpm_step(
        x: torch.Tensor, x0: torch.Tensor, timestep: int, following: int,
        noise: torch.Tensor) -> torch.Tensor:
    """Draw from the posterior q(x_t' | x_t, x0) of the strided chain (Eq. 3)."""
    alpha_bar = signal_and_noise(timestep)[0] ** 2
    next_alpha_bar = signal_and_noise(following)[0] ** 2
    alpha = alpha_bar / next_alpha_bar
    beta = 1 - alpha
    mean = (next_alpha_bar ** 0.5 * beta * x0
            + alpha ** 0.5 * (1 - next_alpha_bar) * x) / (1 - alpha_bar)
    deviation = (beta * (1 - next_alpha_bar) / (1 - alpha_bar)) ** 0.5
    return mean + deviation * noise
