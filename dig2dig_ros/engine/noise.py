"""How noisy a camera is, and the timestep of the ladder that is as noisy.

x_t = sqrt(alpha_bar_t) c + sqrt(1 - alpha_bar_t) n: a camera with noise of standard deviation s
is, scaled by sqrt(alpha_bar_t), a sample of the forward process at the timestep where
sqrt((1 - alpha_bar_t) / alpha_bar_t) = s. So its clean end is not itself but c_hat at that
timestep; the levels below hold nothing but noise.
"""

import math

import torch

from dig2dig_ros.engine.filters import block_means
from dig2dig_ros.engine.schedule import signal_and_noise

# Timesteps that a clean end may have, each with sqrt(2) times the noise of the one before (3.8 to
# 78 of 255 grey levels): a noise level that wavers stays on its rung, and a GPU captures few
# graphs.
RUNGS = (5, 9, 14, 22, 32, 46, 65, 91, 127, 173)
# Below this standard deviation, 4 grey levels, a camera is clean and costs nothing.
CLEAN = 4 / 127.5
# The rung is for so much more than was measured: noise cut off at black reads low, and a detector
# minds what is left of noise more than the loss of the faintest texture.
HEADROOM = 1.2
# A camera leaves its rung when it is this far (in rungs) from it.
HYSTERESIS = 0.75
# Side of the blocks whose quietest tell the noise, in pairs of pixels, and the quantile taken.
BLOCK = 8
QUANTILE = 0.25
# In fewer blocks, noise cannot be told from texture.
FEWEST_BLOCKS = 32
# What |n| of pure noise, averaged over a block, is at that quantile: its mean 0.798 less 0.674 of
# its scatter 0.603 / 8.
QUIET_MAGNITUDE = 0.747
# Blocks nearer to black or white than 3 grey levels say nothing: noise is cut off there.
MARGIN = 3 / 127.5


def noise_levels(images: torch.Tensor, valid: torch.Tensor | None = None) -> torch.Tensor:
    """Standard deviation of the noise of every image, from its quietest blocks.

    In the diagonal band of a Haar transform, white noise keeps its deviation and little else is
    left; the quietest blocks hold no texture.

    :param images: K x h x w in [-1, 1].
    :param valid: K x h x w, 1 where an image has a pixel: a block that lacks some, which is
        filled in part, says nothing. None where all have all.
    :returns: K, in the units of the images; 0 for images too small to tell.
    """
    height, width = (side // 2 * 2 for side in images.shape[-2:])
    if (height // (2 * BLOCK)) * (width // (2 * BLOCK)) < FEWEST_BLOCKS:
        return images.new_zeros(len(images))
    even, odd = images[:, :height:2, :width], images[:, 1:height:2, :width]
    column = even - odd
    diagonal = (column[..., ::2] - column[..., 1::2]).abs_().div_(2)
    spread = block_means(diagonal, BLOCK).flatten(1)
    mean = block_means(images, 2 * BLOCK).flatten(1)
    # A block that is cut off counts only where all are.
    spread = torch.where(mean.abs() < 1 - MARGIN, spread, spread + 2)
    if valid is not None:
        whole = block_means(valid, 2 * BLOCK).flatten(1) > 0.999
        spread = [each[kept] for each, kept in zip(spread, whole, strict=True)]
    quiet = torch.stack([_quiet(each) for each in spread])
    return torch.where(quiet >= 2, quiet - 2, quiet) / QUIET_MAGNITUDE


def _quiet(spread: torch.Tensor) -> torch.Tensor:
    """The value at the quantile of n blocks, without dimensions; 0 where they are too few."""
    if len(spread) < FEWEST_BLOCKS:
        return spread.new_zeros(())
    # The value of that rank; to interpolate between two took a third to a half of the time of
    # `noise_levels` (1.2 to 1.4 ms for 0.6 to 0.9: a 640x512 pair, one core with AVX2).
    return spread.kthvalue(1 + round(QUANTILE * (len(spread) - 1))).values


def deviation(timestep: int) -> float:
    """Standard deviation of the noise of x_t in units of its signal; 0 for timestep 0."""
    if not timestep:
        return 0.0
    signal, amplitude = signal_and_noise(timestep)
    return amplitude / signal


def matched_timestep(level: float, before: int = 0) -> int:
    """The rung for a noise level; 0 for a clean camera.

    :param level: standard deviation in [-1, 1] units.
    :param before: the rung of the frame before, which holds while the level is near it.
    """
    if level >= CLEAN:
        level *= HEADROOM
    if before and abs(2 * math.log2(max(level, 1e-6) / deviation(before))) < HYSTERESIS:
        return before
    if level < CLEAN:
        return 0
    return min(RUNGS, key=lambda rung: abs(math.log(deviation(rung) / level)))
