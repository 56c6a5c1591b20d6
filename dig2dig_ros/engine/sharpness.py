"""Infrared as sharp as the visible camera.

Thermal optics and enlarged thermal pictures leave infrared soft, and a detector that was trained
on visible pictures knows soft people less well (docs/method.md). How soft it is tells the share of
its detail that is finer than blocks of 4 x 4 pixels, against the visible camera's; it is sharpened
by what is missing, so a sharp infrared camera is hardly changed.
"""

import torch

from dig2dig_ros.engine.filters import enlarge, pooled

# The fine share of detail that is aimed at, in times that of the visible camera (roots of shares
# of power), and the most that is added, in times of what there is: as much as leaves the artifacts
# (Nabf) within their guard (docs/method.md).
AIM, GREATEST = 1.2, 0.8
FLOOR = 1e-9


def sharpening_of(clean: torch.Tensor, base: torch.Tensor, valid: torch.Tensor | None,
                  infrared: int) -> torch.Tensor:
    """By how much the fine detail of infrared has to be raised.

    AIM sqrt(p_visible / p_infrared) - 1, with p the share of the power of a camera's detail that
    is not in its means of 4 x 4 pixels.

    :param clean: an infrared and a visible picture without their noise, 2 x h x w in [-1, 1].
    :param base: their coarsest level, 2 x h x w.
    :param valid: 2 x h x w, above 0 where a camera has a pixel; or None.
    :param infrared: which of them is infrared.
    :returns: 0 to GREATEST, a tensor without dimensions.
    """
    details = clean - base
    if valid is not None:
        details *= valid > 0
    powers, coarse = (
        torch.linalg.vector_norm(maps, dim=(-2, -1)).square() / maps[0].numel()
        for maps in (details, pooled(details[None])[0]))
    fine = (1 - coarse / (powers + FLOOR)).clamp_min(FLOOR)
    return (AIM * (fine[1 - infrared] / fine[infrared]).sqrt() - 1).clamp(0, GREATEST)


def sharpened(
        image: torch.Tensor, base: torch.Tensor, sharpening: torch.Tensor) -> torch.Tensor:
    """An image with its fine detail raised.

    :param image: h x w.
    :param base: its coarsest level, h x w.
    :param sharpening: see `sharpening_of`.
    :returns: h x w, not clipped.
    """
    detail = image - base
    coarse = enlarge(pooled(detail[None, None]), detail.shape)[0, 0]
    return torch.addcmul(image, sharpening, detail.sub_(coarse))
