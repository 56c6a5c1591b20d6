"""Information against a reference: what the other source knows that the reference does not.

Eq. 8-11 weigh every source by itself, so what both show is counted twice, and the stronger
contrast wins even where the reference had it already. Here one source is the reference. Its
coarsest level is the base of the picture, and the gain of the other one is taken with a
conditional divergence: what is left of its band, in a window, after the best linear prediction
from the reference's band,

    DIG(k | r) = DIG_k (1 - rho^2),    rho^2 = cov(D_k, D_r)^2 / (var D_k var D_r),

which for l2 and one level is the residual of that regression (docs/method.md). Shapes: E levels,
2 sources, h x w pixels, [-1, 1] units.
"""

import dataclasses
from collections.abc import Sequence

import torch
from torch.nn import functional

from dig2dig_ros.engine.filters import REDUCTION, box_mean, smooth

GREY = 1 / 127.5  # one of 255 grey levels
# How far the other source's bands are raised to the deviation of the reference's: infrared of 8
# bits uses little of its range. Never lowered: a hot target keeps its contrast.
LEAST_SCALE, GREATEST_SCALE = 1.1, 3.0
# The share of that rise (in powers of the energy) that counts as information.
SCALE_SHARE = 0.25
# The reference's head start, in mean gains of the frame, where it sees well.
HEAD_START = 0.75
# Local mean, in grey levels from black, between which the head start grows; and the distance from
# white over which it fades.
DARK, LIT, GLARE = 5 * GREY, 40 * GREY, 30 * GREY
# Windows of the local mean, as a share of the frame's height.
NEIGHBOURHOOD = 1 / 12
# A source whose coarsest level varies less over the frame than the first sees nothing, from the
# second on it is trusted; the noise that the level still holds is added to both.
BLIND, SEEING = 1.0 * GREY, 3.0 * GREY
NOISE_LEFT = 0.2
# A covered part of the reference: black, to these local means.
COVERED, OPEN = 1 * GREY, 5 * GREY
VARIANCE_FLOOR = GREY ** 2 / 100


@dataclasses.dataclass(frozen=True)
class Trust:
    """How far each source is to be believed, whatever it gains.

    Attributes:
        sight: 2 x h x w in (0, 1]: next to 0 where a source sees nothing at all.
        lead: h x w in [0, 1]: the reference's head start, faded where it is dark or glaring.
    """

    sight: torch.Tensor
    lead: torch.Tensor


def trust(base: torch.Tensor, sources: torch.Tensor, noise: Sequence[float], reference: int,
          valid: torch.Tensor | None) -> Trust:
    """Look at two sources as a whole and at the reference's exposure.

    :param base: coarsest level of each, 2 x h x w.
    :param sources: their clean ends, 2 x h x w.
    :param noise: standard deviation of each one's noise, 2.
    :param reference: index of the reference.
    :param valid: 2 x h x w, or None.
    """
    # The prior's estimate of a flat image is not flat, and a noisy image's clean end may not be.
    spread = torch.minimum(_spread(base, valid), _spread(sources, valid))
    sight = torch.stack([
        _rise(each - NOISE_LEFT * level, BLIND, SEEING).expand(base.shape[1:])
        for each, level in zip(spread, noise, strict=True)])
    window = 2 * round(base.shape[-2] * NEIGHBOURHOOD / 2) + 1
    exposure = smooth(sources[None, reference:reference + 1], window)[0, 0]
    sight[reference] *= _rise(exposure + 1, COVERED, OPEN)
    lead = _rise(exposure + 1, DARK, LIT) * ((1 - exposure) / GLARE).clamp(0, 1)
    # Where neither sees, the reference is the picture.
    floor = torch.full((2, 1, 1), 1e-6, device=base.device)
    floor[reference] = 1e-3
    return Trust(torch.maximum(sight, floor), lead)


def _spread(base: torch.Tensor, valid: torch.Tensor | None) -> torch.Tensor:
    """Standard deviation of each source over its pixels, 2."""
    if valid is None:
        return base.flatten(1).std(dim=1, correction=0)
    count = valid.sum(dim=(1, 2)).clamp_min(1)
    mean = (valid * base).sum(dim=(1, 2)) / count
    return ((valid * (base - mean[:, None, None]).square()).sum(dim=(1, 2)) / count).sqrt()


def _rise(values: torch.Tensor, low: float, high: float) -> torch.Tensor:
    """0 up to `low`, 1 from `high` on, smooth between (3 x^2 - 2 x^3)."""
    share = ((values - low) / (high - low)).clamp(0, 1)
    return share.square() * (3 - 2 * share)


def novelty(bands: torch.Tensor, reference: int, window: int) -> torch.Tensor:
    """1 - rho^2 of the other source's bands given the reference's, E x h x w in [0, 1].

    :param bands: E x 2 x h x w.
    :param window: of the regression, as for the gains.
    """
    other, own = bands[:, 1 - reference], bands[:, reference]
    products = torch.stack([other * own, other.square(), own.square()], dim=1)
    shared, other_power, own_power = smooth(products, window).unbind(dim=1)
    powers = (other_power + VARIANCE_FLOOR) * (own_power + VARIANCE_FLOOR)
    return (1 - shared.square() / powers).clamp(0, 1)


def band_scales(bands: torch.Tensor, reference: int) -> torch.Tensor:
    """Factors on the bands, E x 2: 1 for the reference; what raises the other to its deviation."""
    deviations = bands.square().mean(dim=(-2, -1)).sqrt()
    ratio = deviations[:, reference] / deviations[:, 1 - reference].clamp_min(1e-6)
    scales = torch.ones_like(deviations)
    scales[:, 1 - reference] = ratio.clamp(LEAST_SCALE, GREATEST_SCALE)
    return scales


def reference_weights(
        gain: torch.Tensor, novel: torch.Tensor, scales: torch.Tensor, believed: Trust,
        reference: int, temperature: float) -> torch.Tensor:
    """Eq. 11 for two sources with a conditional gain and a head start.

    :param gain: DIG of each source by itself, E x 2 x h x w.
    :param novel: see `novelty`.
    :param scales: see `band_scales`.
    :param temperature: in mean gains of the frame.
    :returns: E x 2 x h x w in [0, 1], summing to 1 over the sources.
    """
    other = 1 - reference
    own = gain[:, reference]
    against = gain[:, other] * novel * scales[:, other, None, None] ** (2 * SCALE_SHARE)
    unit = ((own.abs() + against.abs()).mean(dim=(-2, -1), keepdim=True) / 2).clamp_min(1e-12)
    share = torch.sigmoid(
        (against - own - HEAD_START * believed.lead * unit) / (temperature * unit))
    # Neither is nothing: the one may be all that is valid at a pixel.
    share = share.clamp(1e-6, 1 - 1e-6)
    weights = torch.empty_like(gain)
    weights[:, other], weights[:, reference] = share, 1 - share
    return normalised(weights * believed.sight, dim=1)


def reference_base(believed: Trust, reference: int) -> torch.Tensor:
    """Weights of the coarsest level, 2 x h x w: the reference's, where it sees."""
    own = believed.sight[reference]
    share = own / (own + (1 - own) * believed.sight[1 - reference])
    base = torch.empty_like(believed.sight)
    base[reference], base[1 - reference] = share, 1 - share
    return base


def normalised(weights: torch.Tensor, dim: int) -> torch.Tensor:
    """The same, summing to 1 over a dimension."""
    return weights / weights.sum(dim=dim, keepdim=True)


def within_range(fused: torch.Tensor) -> torch.Tensor:
    """Let the brightness give way where bands would be cut off at white.

    A figure before a glaring lamp would vanish; so the surround of what exceeds white is darkened
    by as much.

    :param fused: h x w.
    :returns: h x w in [-1, 1].
    """
    excess = functional.max_pool2d((fused - 1).clamp_min(0)[None, None], REDUCTION, ceil_mode=True)
    peak = functional.max_pool2d(excess, 3, stride=1, padding=1)
    way = functional.interpolate(
        box_mean(box_mean(peak, 3), 3), fused.shape, mode='bilinear', align_corners=False)
    return (fused - way[0, 0]).clamp_(-1, 1)
