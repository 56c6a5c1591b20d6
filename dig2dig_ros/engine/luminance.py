"""Colour in and out: the luminance is fused, the chroma is carried over.

Tensors on the engine's device; channel order is BGR throughout, as in OpenCV.
"""

from collections.abc import Sequence

import torch

# BT.601, full range.
BLUE, GREEN, RED = 0.114, 0.587, 0.299


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
        luminances: Sequence[torch.Tensor]) -> torch.Tensor:
    """Give the fused luminance the chroma of the colour sources.

    One colour source keeps its own chroma, which is the same as shifting its three channels by
    the change of luminance. Several are blended by |Cb - 128| and |Cr - 128|, each its own.

    :param fused: H x W, 0..255.
    :param images: sources, H x W or H x W x 3, 0..255.
    :param luminances: their Y, H x W, 0..255.
    :returns: H x W, or H x W x 3 where a source is in colour; uint8, rounded and saturated.
    """
    coloured = [(image, y) for image, y in zip(images, luminances, strict=True)
                if image.dim() == 3]
    if len(coloured) == 1:
        image, y = coloured[0]
        fused = image.float() + (fused - y)[..., None]
    elif coloured:
        # Differences to Y stand for chroma: Cb - 128 = 0.564 (B - Y), Cr - 128 = 0.713 (R - Y).
        blue = _blend(torch.stack([image[..., 0] - y for image, y in coloured]))
        red = _blend(torch.stack([image[..., 2] - y for image, y in coloured]))
        green = -(BLUE * blue + RED * red) / GREEN
        fused = fused[..., None] + torch.stack([blue, green, red], dim=-1)
    return fused.round().clamp(0, 255).to(torch.uint8)


def _blend(chroma: torch.Tensor) -> torch.Tensor:
    """Mean over the sources (first dimension), each weighted by its own magnitude."""
    magnitude = chroma.abs()
    return (magnitude * chroma).sum(dim=0) / magnitude.sum(dim=0).clamp_min(1e-6)
