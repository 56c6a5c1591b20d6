"""Coarse levels at a quarter of the size: c_hat of a high timestep is smooth, and costs little.

Means over 4 x 4 pixels of an image go through a network that was taught what the prior makes of
the whole image (`prior.coarse`), at the level's own timestep.
"""

import math
from collections.abc import Sequence

import torch
from torch.nn import functional

from dig2dig_ros.engine.filters import block_means, enlarge
from dig2dig_ros.settings import COARSE_SIDE


def shrunk_size(height: int, width: int, multiple: int) -> tuple[int, int]:
    """Height and width of `shrunk` images."""
    return tuple(multiple * math.ceil(side / (COARSE_SIDE * multiple)) for side in (height, width))


def shrunk(images: torch.Tensor, multiple: int) -> torch.Tensor:
    """Means over 4 x 4 pixels, continued at the lower and right border to the prior's multiple.

    :param images: K x H x W, both sides multiples of 4.
    """
    small = block_means(images, COARSE_SIDE)
    height, width = shrunk_size(*images.shape[-2:], multiple)
    padding = (0, width - small.shape[-1], 0, height - small.shape[-2])
    return functional.pad(small[None], padding, mode='replicate')[0] if any(padding) else small


def restored(maps: torch.Tensor, size: Sequence[int]) -> torch.Tensor:
    """E x K x h x w maps of `shrunk` images back at H x W, bilinearly."""
    height, width = size
    return enlarge(maps[..., :height // COARSE_SIDE, :width // COARSE_SIDE], size)


def as_bright_as(images: torch.Tensor, estimates: torch.Tensor) -> torch.Tensor:
    """The estimates with the mean of what they are of, frame by frame.

    The mean of a frame is known at any timestep: noise averages out over so many pixels. Networks
    do not hold it, and in dark frames their estimates were up to 12 grey levels too dark, each
    network's by another amount (docs/method.md), which then was in the bands.

    :param images: `shrunk`, K x h x w.
    :param estimates: c_hat, E x K x h x w in [-1, 1]; so is what returns.
    """
    return (estimates + (images - estimates).mean(dim=(-2, -1), keepdim=True)).clamp_(-1, 1)
