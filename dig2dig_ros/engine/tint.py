"""Colour of what infrared alone shows: a warm one, for what is warm.

The visible camera has no colours for a figure that it does not see: with its chroma the figure
would be as grey, or as green, as the dark before which it stands. People by daylight are not, and
a detector has learnt them from daylight. So what infrared adds in the dark is tinted like skin,
which an operator reads as warm, too (docs/method.md). Units: [-1, 1].
"""

import torch

from dig2dig_ros.engine.bodies import GREY
from dig2dig_ros.engine.exposure import saturation_of
from dig2dig_ros.engine.filters import around, enlarge, pooled
from dig2dig_ros.engine.reference import NEIGHBOURHOOD

# B - Y, G - Y and R - Y of each grey level that infrared adds. The sum that makes Y is zero.
TINT_BGR = (-0.21, -0.163, 0.4)
# Local means of the visible camera, from black, up to which all is tinted, and from which on
# nothing is: by day things have colours of their own.
DUSK, DAY = 80 * GREY, 140 * GREY


def added_by_infrared(
        fused: torch.Tensor, visible: torch.Tensor, lift: torch.Tensor,
        seen: torch.Tensor) -> torch.Tensor:
    """By how much infrared makes each dark pixel of the visible camera brighter, H x W.

    Never more than a grey pixel can be tinted by without a channel beyond white, so its luminance
    stays as it is. Where the visible camera's own colours are near white it may be cut: on three
    pairs of MSRS and LLVIP by 2, 2 and 7 grey levels at the worst pixel.

    :param fused: luminance, H x W.
    :param visible: luminance of the visible camera without its noise, likewise.
    :param lift: of black (`exposure.lift_of`), which is nothing that infrared adds.
    :param seen: weight of the visible camera in the coarsest level, H x W in [0, 1]. Where it is
        covered, or has no pixel, the picture is infrared's, and grey.
    """
    added = torch.addcmul(fused, saturation_of(lift), visible, value=-1)
    brightness = around(pooled(visible[None, None])[0], NEIGHBOURHOOD) + 1
    dark = ((DAY - brightness) / (DAY - DUSK)).clamp_(0, 1)
    added.sub_(lift / 2).mul_(seen).mul_(enlarge(dark[None], visible.shape)[0, 0])
    room = torch.sub(fused.new_full((), 1 / TINT_BGR[-1]), fused, alpha=1 / TINT_BGR[-1])
    return torch.minimum(added, room, out=room).clamp_min_(0)
