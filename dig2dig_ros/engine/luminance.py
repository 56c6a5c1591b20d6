"""Colour in and out: the luminance is fused, the chroma is carried over.

Tensors on the engine's device; channel order is BGR throughout, as in OpenCV.
"""

from collections.abc import Sequence

import torch

from dig2dig_ros.engine.filters import smooth

# BT.601, full range.
BLUE, GREEN, RED = 0.114, 0.587, 0.299
# Noise of Y, in grey levels, from which chroma is smoothed; half the window in pixels for each
# grey level; and the noise at which colours have half their strength.
CLEAN_CHROMA = 3.0
CHROMA_REACH = 0.4
PALE = 16.0


def luminance(image: torch.Tensor) -> torch.Tensor:
    """BT.601 Y of an image.

    :param image: H x W or H x W x 3, uint8 or float, 0..255.
    :returns: H x W, float32, 0..255.
    """
    if image.dim() == 2:
        return image.float()
    blue, green, red = image.float().unbind(dim=-1)
    return BLUE * blue + GREEN * green + RED * red


def with_chroma(
        fused: torch.Tensor, images: Sequence[torch.Tensor],
        luminances: Sequence[torch.Tensor], noise: Sequence[float]) -> torch.Tensor:
    """Give the fused luminance the chroma of the colour sources.

    One colour source keeps its own chroma, which is the same as shifting its three channels by
    the change of luminance. Several are blended by |Cb - 128| and |Cr - 128|, each its own.

    :param fused: H x W, 0..255.
    :param images: sources, H x W or H x W x 3, 0..255.
    :param luminances: their Y, H x W, 0..255.
    :param noise: standard deviation of the noise of each Y, grey levels. Of a noisy source the
        chroma is smoothed and paler.
    :returns: H x W, or H x W x 3 where a source is in colour; uint8, rounded and saturated.
    """
    coloured = [(image, y, level)
                for image, y, level in zip(images, luminances, noise, strict=True)
                if image.dim() == 3]
    if len(coloured) == 1:
        image, y, level = coloured[0]
        if level < CLEAN_CHROMA:
            fused = image + (fused - y)[..., None]
        else:
            fused = fused[..., None] + _quiet_chroma(image, y, level)
    elif coloured:
        # Differences to Y stand for chroma: Cb - 128 = 0.564 (B - Y), Cr - 128 = 0.713 (R - Y).
        blue = _blend(torch.stack([image[..., 0] - y for image, y, _ in coloured]))
        red = _blend(torch.stack([image[..., 2] - y for image, y, _ in coloured]))
        green = -(BLUE * blue + RED * red) / GREEN
        fused = fused[..., None] + torch.stack([blue, green, red], dim=-1)
    return fused.round().clamp_(0, 255).to(torch.uint8)


def _quiet_chroma(image: torch.Tensor, y: torch.Tensor, level: float) -> torch.Tensor:
    """Differences of B, G and R to Y of a noisy image, smoothed and paler, H x W x 3.

    The eye and the detector take colour at a low resolution; noise of the channels is stronger in
    their differences than in Y (1.6 times, where it is independent), and a Y that is denoised
    leaves it alone to be seen.
    """
    chroma = (image.float() - y[..., None]).movedim(-1, 0)[None]
    window = 2 * round(CHROMA_REACH * level) + 1
    return smooth(chroma, window)[0].movedim(0, -1) / (1 + (level / PALE) ** 2)


def _blend(chroma: torch.Tensor) -> torch.Tensor:
    """Mean over the sources (first dimension), each weighted by its own magnitude."""
    magnitude = chroma.abs()
    return (magnitude * chroma).sum(dim=0) / magnitude.sum(dim=0).clamp_min(1e-6)
