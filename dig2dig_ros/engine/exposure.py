"""Room under black for the bands of infrared, in a dark frame of the visible camera.

Dark lobes of infrared's bands would be cut off at black, and with them half of every outline. So
a dark frame is lifted as colour graders do it to all three channels: black most, white not at all
(docs/method.md). Units and shapes as in `reference`.
"""

import torch

from dig2dig_ros.engine.bodies import GREY

# The lift is so many times what infrared changes (root mean square over the frame), as four
# detectors found best (docs/method.md).
LIFT = 2.5
# Lifted by twice as much, a crowd at night looked like fog.
GREATEST_LIFT = 40 * GREY
# The mean, from black, from which on a frame is dark altogether, and from which on not at all.
DARK, LIT = 60 * GREY, 120 * GREY


def lift_of(
        fused: torch.Tensor, visible: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """How far black has to be lifted for the bands of infrared to be seen in the dark.

    0 where infrared changes nothing, as a blind one, or one that shows the same. From a mean over
    the frame and not from its darkest pixels, so it is steady.

    :param fused: the fusion without lift, h x w at a quarter of the resolution, not yet clipped.
    :param visible: the visible camera's picture, likewise.
    :param weight: of the visible camera in the coarsest level, h x w in [0, 1]: what a covered
        camera does not see is no change of it.
    :returns: 0 to GREATEST_LIFT, a tensor without dimensions.
    """
    change = (weight * (fused - visible)).square().mean().sqrt()
    dark = ((LIT - 1 - fused.mean()) / (LIT - DARK)).clamp(0, 1)
    return (LIFT * change).clamp_max(GREATEST_LIFT) * dark


def lifted(fused: torch.Tensor, lift: torch.Tensor) -> torch.Tensor:
    """The same with black lifted so far and white where it is; changes `fused`, h x w."""
    return fused.mul_(saturation_of(lift)).add_(lift / 2)


def saturation_of(lift: torch.Tensor) -> torch.Tensor:
    """The factor on chroma that a lift of all three channels comes to."""
    return 1 - lift / 2
