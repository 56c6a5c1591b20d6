"""Infrared as sharp as the visible camera.

Thermal optics and enlarged thermal pictures leave infrared soft, and a detector that was trained
on visible pictures knows soft people less well (docs/method.md). How soft it is tells the share of
its detail that is finer than blocks of 4 x 4 pixels, against the visible camera's; it is sharpened
by what is missing, so a sharp infrared camera is hardly changed.
"""

from typing import NamedTuple

import torch

from dig2dig_ros.engine.filters import enlarge, pooled

# The fine share of detail that is aimed at, in times that of the visible camera (roots of shares
# of power), and the most that is added, in times of what there is: as much as leaves the artifacts
# (Nabf) within their guard (docs/method.md).
AIM, GREATEST = 1.1, 0.8
FLOOR = 1e-9


class Detail(NamedTuple):
    """What pictures have beyond their coarsest level.

    Attributes:
        maps: K x h x w.
        coarse: means of their 4 x 4 blocks, K x h/4 x w/4.
    """

    maps: torch.Tensor
    coarse: torch.Tensor

    @classmethod
    def of(cls, clean: torch.Tensor, base: torch.Tensor) -> 'Detail':
        """Take K x h x w pictures in [-1, 1] without their noise, and their coarsest level."""
        maps = clean - base
        return cls(maps, pooled(maps[None])[0])


def sharpening_of(
        detail: Detail, valid: torch.Tensor | None, infrared: int) -> torch.Tensor:
    """By how much the fine detail of infrared has to be raised.

    AIM sqrt(p_visible / p_infrared) - 1, with p the share of the power of a camera's detail that
    is not in its means of 4 x 4 pixels.

    :param detail: of an infrared and a visible picture.
    :param valid: 2 x h x w, above 0 where a camera has a pixel; or None.
    :param infrared: which of them is infrared.
    :returns: 0 to GREATEST, a tensor without dimensions.
    """
    if valid is not None:
        maps = detail.maps * (valid > 0)
        detail = Detail(maps, pooled(maps[None])[0])
    powers, coarse = (torch.linalg.vector_norm(maps, dim=(-2, -1)).square() / maps[0].numel()
                      for maps in detail)
    fine = (1 - coarse / (powers + FLOOR)).clamp_min(FLOOR)
    return (AIM * (fine[1 - infrared] / fine[infrared]).sqrt() - 1).clamp(0, GREATEST)


def sharpened(clean: torch.Tensor, detail: Detail, sharpening: torch.Tensor,
              infrared: int) -> torch.Tensor:
    """Pictures, of which infrared has its fine detail raised.

    :param clean: K x h x w.
    :param detail: theirs; its maps of infrared are used up.
    :param sharpening: see `sharpening_of`.
    :returns: K x h x w, not clipped.
    """
    maps = detail.maps[infrared]
    coarse = enlarge(detail.coarse[infrared][None, None], maps.shape)[0, 0]
    raised = clean.clone()
    raised[infrared].addcmul_(sharpening, maps.sub_(coarse))
    return raised
