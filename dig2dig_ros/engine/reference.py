"""Information against a reference: what the other source knows that the reference does not.

Eq. 8-11 weigh every source by itself, so what both show is counted twice, and the stronger
contrast wins even where the reference had it already. Here one source is the reference. Its
coarsest level is the base of the picture, and the gain of the other one is taken with a
conditional divergence: what is left of its band, in a window, after the best linear prediction
from the reference's band,

    DIG(k | r) = DIG_k (1 - rho^2),    rho^2 = cov(D_k, D_r)^2 / (var D_k var D_r),

which for l2 and one level is the residual of that regression (docs/method.md). Of infrared what is
warm counts for more than what is cold (`warmth`). Shapes: E levels,
2 sources, h x w pixels, [-1, 1] units.
"""

import dataclasses
from collections.abc import Sequence

import torch

from dig2dig_ros.engine.bodies import GREY, hot_bodies
from dig2dig_ros.engine.exposure import lift_of
from dig2dig_ros.engine.filters import (
    around,
    block_peaks,
    box_mean,
    enlarge,
    pooled,
    reduced,
    rise,
    window_peaks,
    windowed,
)
from dig2dig_ros.engine.information_gain import information_gain
from dig2dig_ros.engine.ladder import bands_of, fuse_bands
from dig2dig_ros.settings import FusionSettings

# Which of an infrared and a visible image.
INFRARED, VISIBLE = 0, 1
# How far the other source's bands are raised to the deviation of the reference's: infrared of 8
# bits uses little of its range. Never lowered: a hot target keeps its contrast.
GREATEST_SCALE = 1.3
# The share of that rise (in powers of the energy) that counts as information.
SCALE_SHARE = 0.25
# The reference's head start, in mean gains of the frame, and the distance from white over which
# it fades.
HEAD_START, GLARE = 2.0, 30 * GREY
# By how much what infrared shows as warm counts for more, and what it shows as cold for less: not
# nothing, since on a hot day people are the cold ones.
WARM = 0.7
# Windows of the local mean, as a share of the frame's height.
NEIGHBOURHOOD = 1 / 12
# A source whose coarsest level varies less over the frame than the first sees nothing, from the
# second on it is trusted; the noise that the level still holds is added to both.
BLIND, SEEING = 1.0 * GREY, 3.0 * GREY
NOISE_LEFT = 0.2
# A covered part of the reference: black, to these local means.
COVERED, OPEN = 1 * GREY, 5 * GREY
# Around what exceeds white, the surround that is darkened, as a share of the frame's height, and
# the share of its brightness that it loses at most.
GLARE_REACH, GREATEST_LOSS = 1 / 16, 0.5
VARIANCE_FLOOR = GREY ** 2 / 100


@dataclasses.dataclass(frozen=True)
class Against:
    """How a source is weighed against the reference.

    Attributes:
        weights: of the bands, E x 2 x h x w, summing to 1 over the sources.
        scales: factors on the bands, E x 2.
        base: weights of the coarsest level, 2 x h x w, summing to 1.
        bodies: added to the coarsest level, h x w: hot bodies wider than a band.
        lift: of the fused picture's black, a tensor without dimensions (`exposure.lift_of`).
    """

    weights: torch.Tensor
    scales: torch.Tensor
    base: torch.Tensor
    bodies: torch.Tensor
    lift: torch.Tensor


def weigh_against(
        estimates: torch.Tensor, clean: torch.Tensor, noise: Sequence[float], reference: int,
        valid: torch.Tensor | None, settings: FusionSettings) -> Against:
    """Weigh two sources, one of them the reference.

    All maps are made at a quarter of the resolution, which is what their windows leave of it.

    :param estimates: c_hat of every level, E x 2 x h x w.
    :param clean: the sources without their noise, 2 x h x w.
    :param noise: standard deviation of the noise that each had, 2.
    :param valid: 2 x h x w, or None.
    """
    size, window = clean.shape[-2:], settings.window
    bands = bands_of(estimates, clean)
    if valid is not None:
        bands = bands * (valid > 0)
    powers = moments(bands)
    local = windowed(powers, window)
    if settings.divergence == 'l2' and len(bands) == 1 and valid is None:
        gain = local[:, 1:]  # the divergence of one level is the square of its band
    else:
        gain = information_gain(estimates, clean, settings.divergence, window, reduced)
    scales = band_scales(powers[:, 1:], reference)
    small_estimates, small_clean = pooled(estimates), pooled(clean[None])[0]
    small_base = small_estimates[0]
    small_valid = None if valid is None else pooled(valid[None])[0]
    exposure = around(small_clean[reference], NEIGHBOURHOOD)
    sight = _sight(small_base, small_clean, exposure, noise, reference, small_valid)
    counted = novelty(local)
    if reference == VISIBLE:
        counted *= warmth(bands[:, INFRARED], local[:, 1 + INFRARED], window)
    weights = reference_weights(
        gain, counted, scales, sight, exposure, reference, settings.temperature)
    own = sight[reference]
    base = own / (own + (1 - own) * sight[1 - reference])
    bodies, lift = torch.zeros_like(base), base.new_zeros(())
    if reference == VISIBLE:
        bodies = hot_bodies(small_base, small_valid)
        small = _both(torch.cat([weights, base[None]]), reference)
        if small_valid is not None:
            small = normalised(small * small_valid, dim=1)
        lift = lift_of(
            bodies + fuse_bands(small_estimates, small_clean, small[:-1], small[-1], scales),
            small_clean[VISIBLE], base)
    large = enlarge(torch.cat([weights, base[None], bodies[None]])[:, None], size)[:, 0]
    both = _both(large[:-1], reference)
    return Against(both[:-1], scales, both[-1], large[-1], lift)


def _both(own: torch.Tensor, reference: int) -> torch.Tensor:
    """Weights of both sources from the reference's: E x h x w to E x 2 x h x w."""
    pairs = own.new_empty(len(own), 2, *own.shape[1:])
    pairs[:, reference] = own
    torch.sub(1, own, out=pairs[:, 1 - reference])
    return pairs


def _sight(
        base: torch.Tensor, clean: torch.Tensor, exposure: torch.Tensor, noise: Sequence[float],
        reference: int, valid: torch.Tensor | None) -> torch.Tensor:
    """Whether each source sees anything.

    :param exposure: local mean of the reference, h x w.
    :returns: 2 x h x w in (0, 1], next to 0 where a source sees nothing; but 1 for the reference
        where the other one sees nothing either.
    """
    # The prior's estimate of a flat image is not flat, and a noisy image's clean end may not be.
    spread = torch.minimum(_spread(base, valid), _spread(clean, valid))
    sight = torch.stack([
        rise(each - NOISE_LEFT * level, BLIND, SEEING).expand_as(exposure)
        for each, level in zip(spread, noise, strict=True)])
    sight[reference] *= rise(exposure + 1, COVERED, OPEN)
    sight.clamp_min_(1e-8)
    # Where neither sees, the reference is the picture.
    sight[reference] = torch.maximum(sight[reference], 1 - sight[1 - reference])
    return sight


def _spread(base: torch.Tensor, valid: torch.Tensor | None) -> torch.Tensor:
    """Standard deviation of each source over its pixels, 2."""
    if valid is None:
        return (base - base.mean(dim=(1, 2), keepdim=True)).square_().mean(dim=(1, 2)).sqrt()
    count = valid.sum(dim=(1, 2)).clamp_min(1)
    mean = (valid * base).sum(dim=(1, 2)) / count
    return ((valid * (base - mean[:, None, None]).square()).sum(dim=(1, 2)) / count).sqrt()


def moments(bands: torch.Tensor) -> torch.Tensor:
    """Of the two sources' bands, E x 2 x h x w, the product and both squares.

    :returns: means over 4 x 4 blocks, E x 3 x h/4 x w/4.
    """
    products = torch.mul(bands[:, 0], bands[:, 1])[:, None]
    return torch.cat([pooled(products), pooled(bands.square())], dim=1)


def novelty(local: torch.Tensor) -> torch.Tensor:
    """1 - rho^2 of either source's bands given the other's, E x h/4 x w/4 in [0, 1].

    :param local: `moments` in the window of the regression, which is that of the gains.
    """
    shared, *powers = local.unbind(dim=1)
    first, second = (power + VARIANCE_FLOOR for power in powers)
    return (1 - shared.square() / (first * second)).clamp_(0, 1)


def warmth(bands: torch.Tensor, power: torch.Tensor, window: int) -> torch.Tensor:
    """What counts of infrared's power, warm more than cold, E x h/4 x w/4.

    From 1 - WARM, where all of it is below its coarsest level, to 1 + WARM where all is above; 1
    where it is as much the one as the other. People, animals and engines are warm. Cold are also
    the sky and what mirrors it, glass and car bodies, and there the visible camera shows what a
    detector knows (docs/method.md).

    :param bands: of infrared, hot being bright, E x h x w.
    :param power: their squares in the window (`moments`), E x h/4 x w/4.
    """
    warm = windowed(pooled(bands.clamp_min(0).square_()[:, None]), window)[:, 0]
    return 1 - WARM + 2 * WARM * warm / (power + VARIANCE_FLOOR)


def band_scales(powers: torch.Tensor, reference: int) -> torch.Tensor:
    """Factors on the bands, E x 2: 1 for the reference; what raises the other to its deviation.

    :param powers: squares of the bands, at any resolution, E x 2 x h x w.
    """
    deviations = powers.mean(dim=(-2, -1)).sqrt()
    ratio = deviations[:, reference] / deviations[:, 1 - reference].clamp_min(1e-6)
    scales = torch.ones_like(deviations)
    scales[:, 1 - reference] = ratio.clamp(1, GREATEST_SCALE)
    return scales


def reference_weights(
        gain: torch.Tensor, counted: torch.Tensor, scales: torch.Tensor, sight: torch.Tensor,
        exposure: torch.Tensor, reference: int, temperature: float) -> torch.Tensor:
    """Eq. 11 for two sources with a conditional gain and a head start: the reference's weight.

    :param gain: DIG of each source by itself, E x 2 x h x w.
    :param counted: what counts of the other source's gain, `novelty` and `warmth`, E x h x w.
    :param scales: see `band_scales`.
    :param temperature: in mean gains of the frame.
    :returns: E x h x w in (0, 1); the rest is the other source's.
    """
    other = 1 - reference
    own = gain[:, reference]
    against = gain[:, other] * counted * scales[:, other, None, None] ** (2 * SCALE_SHARE)
    unit = ((own.abs() + against.abs()).mean(dim=(-2, -1), keepdim=True) / 2).clamp_min(1e-12)
    lead = HEAD_START * ((1 - exposure) / GLARE).clamp(0, 1)
    share = torch.sigmoid((own - against + lead * unit) / (temperature * unit))
    # Neither is nothing: the one may be all that is valid at a pixel.
    share = share.clamp(1e-6, 1 - 1e-6)
    seen = share * sight[reference]
    return seen / (seen + (1 - share) * sight[other])


def normalised(weights: torch.Tensor, dim: int) -> torch.Tensor:
    """The same, summing to 1 over a dimension."""
    return weights / weights.sum(dim=dim, keepdim=True)


def within_range(fused: torch.Tensor) -> torch.Tensor:
    """Let the brightness give way where bands would be cut off at white.

    A figure before a glaring lamp would vanish. So around what exceeds white the local brightness
    is lowered as by a shorter exposure, and the contrast kept: by what the exposure would take
    from white, so a dark surround, before which a figure is seen anyway, does not turn black.

    :param fused: h x w.
    :returns: h x w in [-1, 1].
    """
    if not fused.is_cuda and fused.max() <= 1:
        return fused.clamp_(-1, 1)
    peaks = block_peaks(fused[None])
    loss = (1 - 2 / (peaks + 1).clamp_min_(2)).clamp_max_(GREATEST_LOSS)
    side = 2 * max(1, round(peaks.shape[-2] * GLARE_REACH / 2)) + 1
    brightness = pooled(fused.clamp(-1, 1)[None, None])[0] + 1
    near = torch.stack([window_peaks(loss, side), brightness])
    loss, brightness = box_mean(box_mean(near, side), side)
    way = enlarge((loss * brightness)[None], fused.shape)
    return (fused - way[0, 0]).clamp_(-1, 1)
