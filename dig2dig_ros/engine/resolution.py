"""Between the size of the frame and the size that the network works at.

At scale 1 the frame is padded to the prior's multiple, and cropped after. Below 1 the network
sees a smaller frame; its weights come up again with an edge-preserving (guided) filter, and what
the smaller frame lacks is taken from the full-size sources by those weights.
"""

import math
from collections.abc import Sequence

import torch
from torch.nn import functional

from dig2dig_ros.engine.filters import enlarge, guided

# Radius in low-resolution pixels and regularisation (in [-1, 1] squared) of the guided filter.
GUIDED_WINDOW = 9
GUIDED_EPSILON = 1e-2


class WorkingSize:
    """One frame size and the working size that belongs to it."""

    def __init__(self, height: int, width: int, scale: float, multiple: int):
        """Choose the working size: the scaled frame, rounded up to the multiple."""
        self._frame = (height, width)
        self._scaled = scale < 1
        self.height, self.width = (
            multiple * math.ceil(side * scale / multiple) for side in (height, width))

    def enter(self, images: torch.Tensor) -> torch.Tensor:
        """K x H x W of the frame to K x h x w of the working size."""
        if self._scaled:
            return functional.interpolate(
                images[None], (self.height, self.width), mode='area')[0]
        height, width = self._frame
        if (height, width) == (self.height, self.width):
            return images
        padding = (0, self.width - width, 0, self.height - height)
        return functional.pad(images[None], padding, mode='replicate')[0]

    def leave(
            self, fused: torch.Tensor, shares: torch.Tensor, working: torch.Tensor,
            sources: torch.Tensor,
            valid: torch.Tensor | None,
            clean_ends: Sequence[int]) -> tuple[torch.Tensor, torch.Tensor]:
        """Bring a fusion back to the frame.

        :param fused: h x w.
        :param shares: weights in the picture, K x h x w.
        :param working: the sources at the working size, K x h x w.
        :param sources: the sources of the frame, K x H x W.
        :param valid: K x H x W, 0 or 1; None where every source has every pixel.
        :param clean_ends: for each source, above 0 where it is noisy: its detail stays out.
        :returns: fused H x W and weights K x H x W.
        """
        if not self._scaled:
            return self.restore(fused[None])[0], self.restore(shares)
        shares = self._guided(shares, working, sources).clamp_min(1e-6)
        if valid is not None:
            shares = shares * valid
        shares = shares / shares.sum(dim=0)
        detail = sources - self.restore(working)
        for source, end in enumerate(clean_ends):
            if end:
                detail[source] = 0
        return self.restore(fused[None])[0] + (shares * detail).sum(dim=0), shares

    def restore(self, images: torch.Tensor) -> torch.Tensor:
        """K x h x w of the working size to K x H x W of the frame, without further detail."""
        if self._scaled:
            return enlarge(images[None], self._frame)[0]
        height, width = self._frame
        return images[:, :height, :width]

    def _guided(
            self, maps: torch.Tensor, guide: torch.Tensor, full_guide: torch.Tensor,
    ) -> torch.Tensor:
        """Guided by the mean of the sources.

        :param maps: K x h x w, summing to 1 over K, as what returns does (K x H x W).
        """
        # What filters to 1 in all needs no filter for the last.
        filtered = guided(
            maps[:-1], guide.mean(dim=0), full_guide.mean(dim=0), GUIDED_WINDOW, GUIDED_EPSILON)
        return torch.cat([filtered, 1 - filtered.sum(dim=0, keepdim=True)])
