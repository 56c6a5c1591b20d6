"""Coarse levels at half the size: c_hat of a high timestep is smooth, and costs a quarter.

Means over 2 x 2 pixels of an image go through a network that was taught what the prior makes of
the whole image (`prior.halving`), at the level's own timestep.
"""

import math
from collections.abc import Sequence

import torch
from torch.nn import functional

from dig2dig_ros.engine.filters import block_means, enlarge


def halved_size(height: int, width: int, multiple: int) -> tuple[int, int]:
    """Height and width of `halved` images."""
    return tuple(multiple * math.ceil(side / (2 * multiple)) for side in (height, width))


def halved(images: torch.Tensor, multiple: int) -> torch.Tensor:
    """Means over 2 x 2 pixels, continued at the lower and right border to the prior's multiple.

    :param images: K x H x W, both sides even.
    """
    small = block_means(images, 2)
    height, width = halved_size(*images.shape[-2:], multiple)
    padding = (0, width - small.shape[-1], 0, height - small.shape[-2])
    return functional.pad(small[None], padding, mode='replicate')[0] if any(padding) else small


def restored(maps: torch.Tensor, size: Sequence[int]) -> torch.Tensor:
    """E x K x h x w maps of `halved` images back at H x W, bilinearly."""
    height, width = size
    return enlarge(maps[..., :height // 2, :width // 2], size)
