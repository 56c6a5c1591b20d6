"""The variance-preserving noise schedule that every prior here is trained on."""

import functools

import torch

from dig2dig_ros.settings import TRAINING_TIMESTEPS


@functools.cache
def alpha_bar_table() -> torch.Tensor:
    """Cumulative signal power of the linear schedule (DDPM; guided-diffusion's default).

    :returns: float64 of shape (1000,), falling from 0.9999 at t = 0 to 4e-5 at t = 999;
        betas run linearly from 1e-4 to 0.02.
    """
    betas = torch.linspace(1e-4, 0.02, TRAINING_TIMESTEPS, dtype=torch.float64)
    return torch.cumprod(1 - betas, dim=0)
