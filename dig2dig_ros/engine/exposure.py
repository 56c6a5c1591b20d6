"""Room for another camera's bands in a dark frame of the visible camera.

Bands of infrared would be cut off at black, and detectors know streets by day. So a dark frame is
raised, by one figure everywhere: no contrast changes, and nothing is stretched (docs/method.md).
Units and shapes as in `reference`.
"""

import torch

from dig2dig_ros.engine.bodies import GREY
from dig2dig_ros.engine.filters import rise

# The mean, in grey levels from black, under which a frame is dark, and the share of what it lacks
# by which it is raised.
LIT_MEAN, SHARE = 120 * GREY, 1 / 3
# The share of infrared in all gains of the frame between which it sets in: cameras that show the
# same, or a blind one, need no room. Of the labelled and the dev pairs the least has 0.019; the
# same picture twice 1e-5.
NO_NEWS, NEWS = 0.005, 0.02
# The noise at which it has faded: what was cut off at black has raised a noisy mean already.
NOISY = 10 * GREY


def raise_of_dark(
        base: torch.Tensor, weight: torch.Tensor, news: torch.Tensor,
        noise: float) -> torch.Tensor:
    """What is added to the coarsest level.

    :param base: the visible camera's coarsest level, h x w.
    :param weight: of that level in the fused one, h x w in [0, 1]: what the visible camera does
        not see is left as it is.
    :param news: the share of infrared in the frame's gains, 0 to 1.
    :param noise: standard deviation of the visible camera's noise.
    :returns: h x w, 0 or more.
    """
    mean = (weight * (base + 1)).sum() / weight.sum().clamp_min(1e-6)
    share = SHARE * max(0.0, 1 - noise / NOISY) * rise(news, NO_NEWS, NEWS)
    return share * (LIT_MEAN - mean).clamp_min(0) * weight
