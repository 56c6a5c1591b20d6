"""Hot bodies that are wider than a band.

Units and shapes as in `reference`: [-1, 1], h x w pixels at a quarter of the resolution.
"""

import torch

from dig2dig_ros.engine.filters import REDUCTION, around, box_mean

GREY = 1 / 127.5  # one of 255 grey levels
# The surround as a share of the frame's height; the window in pixels over which their
# energy is compared; by how many mean energies they must win; and the grey levels above the
# surround over which they set in.
SURROUND = 1 / 10
BODY_WINDOW = 25
BODY_START = 3.0
BODY_EDGE = 8 * GREY
# How much of a body is put in: a figure whole to the eye, in clothes as a detector knows them.
BODY_SHARE = 0.5


def hot_bodies(base: torch.Tensor, valid: torch.Tensor | None) -> torch.Tensor:
    """What the coarsest level of infrared has above its surround, where it is strong.

    The bands hold the outline of a near person and not the body, and the reference's base may be
    dark there: a figure in pieces. So of the base between the level and its own surround a share
    is taken from infrared where that is much stronger there than in the visible base. Where this
    is dark, as in dark clothes, all of the dark is taken back: half of hot and half of dark is a
    grey that nobody sees.

    :param base: 2 x h x w, infrared first, at a quarter of the resolution; so is `valid`.
    :returns: to be added to the fused base, h x w.
    """
    if valid is None:
        infrared, visible = base - around(base, SURROUND)
    else:
        # What fills infrared's missing pixels is no surround of its own.
        seen = (valid > 0.99).float()
        share = around(seen, SURROUND).clamp_min(1e-3)
        infrared, visible = seen * (base - around(seen * base, SURROUND) / share)
    hot = infrared.clamp_min(0)
    side = 2 * (BODY_WINDOW // (2 * REDUCTION)) + 1
    energy = torch.stack([hot.square(), visible.square()])
    energy = box_mean(box_mean(energy, side), side)
    unit = energy.mean().clamp_min(1e-12)
    share = torch.sigmoid((energy[0] - energy[1] - BODY_START * unit) / (BODY_START / 5 * unit))
    body = BODY_SHARE * (hot - visible) - (1 - BODY_SHARE) * visible.clamp_max(0)
    return share * (hot / BODY_EDGE).clamp(0, 1) * body
