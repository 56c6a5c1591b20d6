"""A prior whose memory is bounded: large batches in parts, large images in tiles."""

import math
from collections.abc import Iterator

import torch

from dig2dig_ros.prior.base import Prior

MAX_PIXELS = 4_194_304


class BoundedPrior(Prior):
    """Gives a prior at most so many pixels at a time.

    A convolutional prior has a finite receptive field: tiles that overlap by half of it on each
    side give exactly what the whole image would, without seams. A prior with attention sees all
    of the image; it is given whole images, however large.
    """

    def __init__(self, prior: Prior, max_pixels: int = MAX_PIXELS):
        """Wrap a prior.

        :param max_pixels: N x H x W of one call of it, where tiles can be cut that small.
        """
        super().__init__()
        self.kind, self.multiple = prior.kind, prior.multiple
        self.own_threads = prior.own_threads
        self.coarse = prior.coarse and BoundedPrior(prior.coarse, max_pixels)
        self._prior = prior
        self._max_pixels = max_pixels
        self.receptive_field = prior.receptive_field
        self._margin = self.receptive_field and (
            self.multiple * math.ceil(self.receptive_field / 2 / self.multiple))

    def to_precision(self, dtype: torch.dtype) -> 'BoundedPrior':
        """See `Prior.to_precision`."""
        self._prior.to_precision(dtype)
        self.own_threads = self._prior.own_threads
        return self

    def specialise(self, batch: int, height: int, width: int) -> None:
        """See `Prior.specialise`; what will be split is not worth it."""
        if batch * height * width <= self._max_pixels:
            self._prior.specialise(batch, height, width)

    def forward(self, noised: torch.Tensor, timesteps: torch.Tensor) -> torch.Tensor:
        """See `Prior.forward`."""
        if noised.numel() <= self._max_pixels:
            return self._prior(noised, timesteps)
        if len(noised) > 1:
            # One part after the other; a part of one image may still be too large.
            part = max(1, self._max_pixels // noised[0].numel())
            return torch.cat([self(*parts) for parts in zip(
                noised.split(part), timesteps.split(part), strict=True)])
        if self._margin is None:
            return self._prior(noised, timesteps)
        return self._tiled(noised, timesteps)

    def _tiled(self, noised: torch.Tensor, timesteps: torch.Tensor) -> torch.Tensor:
        side = math.isqrt(self._max_pixels) - 2 * self._margin
        side = max(self.multiple, side // self.multiple * self.multiple)
        estimate = torch.empty_like(noised)
        for rows, inner_rows in _spans(noised.shape[-2], side, self._margin):
            for columns, inner_columns in _spans(noised.shape[-1], side, self._margin):
                tile = self._prior(noised[..., rows, columns], timesteps)
                kept_rows = slice(inner_rows.start - rows.start, inner_rows.stop - rows.start)
                kept_columns = slice(inner_columns.start - columns.start,
                                     inner_columns.stop - columns.start)
                estimate[..., inner_rows, inner_columns] = tile[..., kept_rows, kept_columns]
        return estimate


def _spans(length: int, side: int, margin: int) -> Iterator[tuple[slice, slice]]:
    """Cover a length with inner spans of `side`, each in an outer one wider by the margin."""
    for start in range(0, length, side):
        stop = min(start + side, length)
        yield slice(max(0, start - margin), min(length, stop + margin)), slice(start, stop)
