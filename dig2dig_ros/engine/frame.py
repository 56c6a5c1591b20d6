"""One frame on its way through the engine."""

import dataclasses
from collections.abc import Sequence

import numpy as np
import torch

from dig2dig_ros.engine.contrast import Contrast
from dig2dig_ros.engine.filters import around, enlarge, pooled
from dig2dig_ros.engine.pipeline import FusionPipeline
from dig2dig_ros.engine.transfer import Stopwatch
from dig2dig_ros.errors import InputError

# The window of near pixels, as a share of the frame's height, and as what share of it the mean of
# all pixels counts.
NEAR, FAR = 1 / 24, 0.02


@dataclasses.dataclass(frozen=True)
class Frame:
    """K images on the device, as they came and at the size that the network works at.

    Attributes:
        pipeline: what is fixed for the frame's size and settings.
        images: as they came, uint8, H x W or H x W x 3 (BGR).
        luminances: their BT.601 Y, K x H x W in [-1, 1].
        full: the same, infrared with `contrast`, without what is invalid (`fill_invalid`).
        full_valid: K x H x W, 1 where a source has a pixel, else 0; None where all have all.
        sources: `full` at the working size, K x h x w.
        valid: `full_valid` at the working size, above 0 where a source has a pixel; or None.
        noise: standard deviation of each camera's own noise, in 255 grey levels; 0 unless there is
            a reference, without which sources are taken as they are.
        clean_ends: for each source the timestep as noisy as it is at the working size, or 0.
        contrast: that infrared was given where the visible camera is the reference.
        watch: marks the stages of `Timing`.
    """

    pipeline: FusionPipeline
    images: list[torch.Tensor]
    luminances: torch.Tensor
    full: torch.Tensor
    full_valid: torch.Tensor | None
    sources: torch.Tensor
    valid: torch.Tensor | None
    noise: tuple[float, ...]
    clean_ends: tuple[int, ...]
    contrast: Contrast
    watch: Stopwatch


def check_sources(
        sources: Sequence[np.ndarray],
        valid: Sequence[np.ndarray | None] | None) -> tuple[int, int]:
    """Refuse what cannot be fused.

    :returns: height and width of the frames.
    :raises InputError: naming the source by number, what is wrong with it and what is right.
    """
    if len(sources) < 2:
        raise InputError(f'{len(sources)} source(s) given; a fusion takes at least 2')
    size = sources[0].shape[:2]
    for number, source in enumerate(sources, start=1):
        name = f'source {number} of {len(sources)}'
        if source.dtype != np.uint8:
            raise InputError(f'{name} is {source.dtype}; it must be uint8')
        if source.ndim not in (2, 3) or (source.ndim == 3 and source.shape[2] != 3):
            raise InputError(f'{name} has shape {source.shape}; it must be H x W or H x W x 3')
        if 0 in source.shape:
            raise InputError(f'{name} has shape {source.shape}; it must not be empty')
        if source.shape[:2] != size:
            raise InputError(f'{name} is {source.shape[1]}x{source.shape[0]} pixels and source 1 '
                             f'is {size[1]}x{size[0]}; all must have one size')
    _check_masks(valid, len(sources), size)
    return size


def _check_masks(
        valid: Sequence[np.ndarray | None] | None, count: int, size: tuple[int, int]) -> None:
    if valid is None:
        return
    if len(valid) != count:
        raise InputError(f'{len(valid)} validity masks for {count} sources; give one for each')
    for number, mask in enumerate(valid, start=1):
        if mask is not None and (mask.shape != size or mask.dtype != bool):
            raise InputError(f'validity mask {number} is {mask.dtype} of shape {mask.shape}; '
                             f'it must be bool of shape {size}')
    if all(mask is not None for mask in valid) and not np.any(valid, axis=0).all():
        raise InputError('some pixels are valid in no source; each needs one at least')


def fill_invalid(
        sources: torch.Tensor, valid: torch.Tensor, own_brightness: bool) -> torch.Tensor:
    """Give a source a value where it has no pixel.

    Whatever stands there gets no weight, but it is in the network's view: an edge at the border
    of the footprint would be taken for information, and shine.

    :param sources: K x H x W.
    :param valid: K x H x W, 0 or 1.
    :param own_brightness: what is given is the mean of the source's own pixels near by, and far
        from them that of all, so that against a reference the border is no band. Else it is the
        mean of those sources that have the pixel.
    """
    if own_brightness:
        own = pooled(torch.stack([valid * sources, valid]))
        total, count = (each.sum(dim=(1, 2), keepdim=True) for each in own)
        near, share = around(own, NEAR)
        filled = (near + FAR * total / count.clamp_min(1)) / (share + FAR)
        filled = enlarge(filled[:, None], sources.shape[-2:])[:, 0]
    else:
        filled = (valid * sources).sum(dim=0) / valid.sum(dim=0)
    return torch.where(valid > 0, sources, filled)
