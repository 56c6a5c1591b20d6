"""Contrast for an infrared camera that uses little of its range.

Many thermal cameras send 8 bits of which the scene has a third, people and all. What they show
then loses against any texture of the visible camera, and a person by night may not be seen at all
(docs/method.md). So what infrared has above its median is raised until its hottest stand out of it
as they do where a camera uses its range; one that does is left as it is. Units: [-1, 1].
"""

import dataclasses

import torch

from dig2dig_ros.engine.bodies import GREY
from dig2dig_ros.engine.filters import pooled, rise

# What the hottest have above the median, unless that is beyond white, and the most that contrast
# is raised to get there.
AIM, GREATEST = 160 * GREY, 3.0
# The share of the picture that is the hottest, by means of 4 x 4 pixels: a face or two.
HOTTEST = 1e-3
# Below the first, infrared shows nothing that could be raised; from the second on it does.
NOTHING, SOMETHING = 4 * GREY, 12 * GREY
# Share of the frame before: contrast follows in about ten frames, or a hot thing that enters
# would make the picture flicker. Where more than half of the blocks changed by more than 4 grey
# levels, it is another scene, with its own.
KEPT = 0.9
CHANGED, CUT_SHARE = 4 * GREY, 0.5  # the share is that of `stream`, too
# Of fewer valid blocks, nothing is said.
FEWEST_BLOCKS = 100


@dataclasses.dataclass(frozen=True)
class Contrast:
    """What infrared is raised by.

    Attributes:
        factor: 1 to GREATEST, on what lies above the median.
        median: of the picture.
        blocks: its means of 4 x 4 pixels, n; None where nothing was measured.
    """

    factor: float = 1.0
    median: float = 0.0
    blocks: torch.Tensor | None = None

    def __call__(self, infrared: torch.Tensor) -> torch.Tensor:
        """The raised picture, h x w in [-1, 1]."""
        above = (infrared - self.median).clamp_min_(0)
        return above.mul_(self.factor - 1).add_(infrared).clamp_max_(1)


def contrast_of(
        infrared: torch.Tensor, valid: torch.Tensor | None,
        before: Contrast | None = None) -> Contrast:
    """By how much infrared is to be raised.

    :param infrared: h x w in [-1, 1].
    :param valid: h x w, 1 where it has a pixel; None where it has all.
    :param before: of the frame before, where there is one.
    """
    blocks = pooled(infrared[None, None]).flatten()
    if valid is not None:
        blocks = blocks[pooled(valid[None, None]).flatten() > 0.999]
    if len(blocks) < FEWEST_BLOCKS:
        return Contrast()
    median = blocks.median()
    hottest = blocks.topk(max(1, round(HOTTEST * len(blocks)))).values[-1] - median
    aim = (1 - median).clamp_max(AIM)
    raised = (aim / hottest.clamp_min(NOTHING)).clamp(1, GREATEST)
    factor = (1 + (raised - 1) * rise(hottest, NOTHING, SOMETHING)).item()
    if before and _same_scene(blocks, before.blocks):
        factor += KEPT * (before.factor - factor)
    return Contrast(factor, median.item(), blocks)


def _same_scene(blocks: torch.Tensor, before: torch.Tensor | None) -> bool:
    if before is None or len(blocks) != len(before):
        return False
    return ((blocks - before).abs() > CHANGED).float().mean().item() < CUT_SHARE
