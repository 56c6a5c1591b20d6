"""Colour in and out: the luminance is fused, the chroma is carried over and, in part, tinted.

Tensors on the engine's device; channel order is BGR throughout, as in OpenCV.
"""

from collections.abc import Sequence

import torch

from dig2dig_ros.engine.filters import guided, pooled
from dig2dig_ros.engine.tint import TINT_BGR

# BT.601, full range.
BLUE, GREEN, RED = 0.114, 0.587, 0.299
# Noise of Y, in grey levels, from which chroma is smoothed; half the window in blocks of 4 pixels
# for each grey level; the deviation of a Y that counts as flat; and the noise at which colours
# have half their strength.
CLEAN_CHROMA = 3.0
CHROMA_REACH = 1 / 18
FLAT = 12 / 127.5
PALE = 16.0
# Half of the grey levels: between 0..255 and [-1, 1].
HALF = 127.5
# Pixels that become a row of the product which copies a plane to three channels.
SPREAD = 8


def luminance(image: torch.Tensor) -> torch.Tensor:
    """BT.601 Y of an image.

    :param image: H x W or H x W x 3, contiguous, uint8 or float, 0..255.
    :returns: H x W, float32, [-1, 1].
    """
    if image.dim() == 2:
        return torch.div(image, HALF).sub_(1)
    shares = torch.tensor((BLUE, GREEN, RED), device=image.device).div_(HALF)
    black = shares.new_full((1,), -1.0)
    return torch.addmv(black, image.float().view(-1, 3), shares).view(image.shape[:2])


def with_chroma(
        fused: torch.Tensor, images: Sequence[torch.Tensor],
        luminances: Sequence[torch.Tensor], clean: Sequence[torch.Tensor],
        noise: Sequence[float], saturation: torch.Tensor,
        tinted: torch.Tensor | None = None) -> torch.Tensor:
    """Give the fused luminance the chroma of the colour sources.

    One colour source keeps its own chroma, which at full saturation is the same as shifting its
    three channels by the change of luminance. Several are blended by |Cb - 128| and |Cr - 128|,
    each its own.

    :param fused: H x W, [-1, 1].
    :param images: sources, H x W or H x W x 3, 0..255.
    :param luminances: their Y, H x W, [-1, 1].
    :param clean: the same without noise.
    :param noise: standard deviation of the noise of each Y, grey levels. Of a noisy source the
        chroma is smoothed and paler.
    :param saturation: factor on the chroma, a tensor without dimensions.
    :param tinted: what infrared adds to the one colour source, H x W, [-1, 1] units, as of
        `tint.added_by_infrared`: it gets that tint. None for nothing.
    :returns: H x W, or H x W x 3 where a source is in colour; uint8, rounded and saturated.
    """
    coloured = [number for number, image in enumerate(images) if image.dim() == 3]
    if not coloured:
        return _bytes(_grey(fused))
    if len(coloured) == 1 and noise[coloured[0]] < CLEAN_CHROMA:
        shift = (fused - saturation * luminances[coloured[0]]).add_(1 - saturation).mul_(HALF)
        shifts = [(shift, (1.0, 1.0, 1.0))]
        if tinted is not None:
            shifts.append((tinted, [HALF * share for share in TINT_BGR]))
        return _bytes(_shifted(images[coloured[0]], saturation, shifts))
    # Differences to Y stand for chroma: Cb - 128 = 0.564 (B - Y), Cr - 128 = 0.713 (R - Y).
    chroma = torch.stack([
        images[number][..., ::2].movedim(-1, 0) - _grey(luminances[number])
        for number in coloured])
    if len(coloured) == 1:
        blue, red = _quiet(chroma[0], clean[coloured[0]], noise[coloured[0]])
    else:
        blue, red = _blend(chroma)
    blue, red = saturation * blue, saturation * red
    if tinted is not None:
        blue += HALF * TINT_BGR[0] * tinted
        red += HALF * TINT_BGR[-1] * tinted
    green = -(BLUE * blue + RED * red) / GREEN
    return _bytes(_grey(fused)[..., None] + torch.stack([blue, green, red], dim=-1))


def _grey(plane: torch.Tensor) -> torch.Tensor:
    """[-1, 1] to 0..255."""
    return (plane + 1).mul_(HALF)


def _bytes(image: torch.Tensor) -> torch.Tensor:
    """Round and saturate; by way of 16 bits, which takes a third of the time on a CPU."""
    return image.round_().clamp_(0, 255).to(torch.int16).to(torch.uint8)


def _shifted(
        image: torch.Tensor, factor: torch.Tensor,
        shifts: Sequence[tuple[torch.Tensor, Sequence[float]]]) -> torch.Tensor:
    """Add planes to so many times an image, H x W x 3: each H x W, with its share of a channel.

    As a product with a few columns: to add along a last dimension of three goes number by number
    on a CPU, and takes twice as long.
    """
    if image.is_cuda or shifts[0][0].numel() % SPREAD:
        return factor * image + sum(
            plane[..., None] * plane.new_tensor(shares) for plane, shares in shifts)
    planes = torch.cat([plane.reshape(-1, SPREAD) for plane, _ in shifts], dim=1)
    columns = torch.cat([
        torch.kron(torch.eye(SPREAD), torch.tensor([shares])) for _, shares in shifts])
    rows = image.to(torch.float32, copy=True).view(-1, 3 * SPREAD)
    return rows.addmm_(planes, columns, beta=float(factor)).view(image.shape)


def _quiet(chroma: torch.Tensor, clean: torch.Tensor, level: float) -> torch.Tensor:
    """Chroma of a noisy image, 2 x H x W: smoothed along the clean Y, and paler.

    Noise of the channels is stronger in their differences than in Y (1.6 times, where it is
    independent), and a Y that is denoised leaves it alone to be seen. Colours change where Y
    does: guided by it they keep their edges (on 23 pairs in noise of 25 grey levels their error is
    2.8, behind a box as wide 3.6).
    """
    window = 2 * max(1, round(CHROMA_REACH * level)) + 1
    small = pooled(torch.cat([clean[None], chroma])[None])[0]
    smooth = guided(small[1:], small[0], clean, window, FLAT ** 2)
    return smooth / (1 + (level / PALE) ** 2)


def _blend(chroma: torch.Tensor) -> torch.Tensor:
    """Mean over the sources (first dimension), each weighted by its own magnitude."""
    magnitude = chroma.abs()
    return (magnitude * chroma).sum(dim=0) / magnitude.sum(dim=0).clamp_min(1e-6)
