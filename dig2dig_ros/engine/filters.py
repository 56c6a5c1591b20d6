"""Windows over maps, at a cost that does not grow with the window."""

import functools
from collections.abc import Sequence

import torch
from torch.nn import functional

# Pixels that become one where a wide window is taken.
REDUCTION = 4


def smooth(maps: torch.Tensor, window: int) -> torch.Tensor:
    """The window over divergences: a box, twice.

    One box leaves its own square outline around every strong pixel, in the weight maps and so in
    the picture. A wide window leaves nothing that a quarter of the resolution could not hold, so
    it is taken there, at a seventh of the time (640x512, one CPU core: 3 ms, not 21).

    :param maps: E x K x H x W.
    :param window: side of the box in pixels, odd; 1 leaves the maps as they are.
    """
    if window == 1:
        return maps
    if window < 2 * REDUCTION:
        return box_mean(box_mean(maps, window), window)
    return enlarge(reduced(maps, window), maps.shape[-2:])


def reduced(maps: torch.Tensor, window: int) -> torch.Tensor:
    """The same window, with the result left at a quarter of the resolution.

    :param maps: E x K x H x W.
    :param window: as for `smooth`; one below 8 is as wide as a reduced pixel.
    :returns: E x K x ceil(H / 4) x ceil(W / 4).
    """
    return windowed(pooled(maps), window)


def windowed(maps: torch.Tensor, window: int) -> torch.Tensor:
    """The same window over maps that are at a quarter of the resolution already.

    :param window: in pixels of the full resolution.
    """
    side = 2 * round((window / REDUCTION - 1) / 2) + 1
    return maps if side < 3 else box_mean(box_mean(maps, side), side)


def pooled(maps: torch.Tensor) -> torch.Tensor:
    """Mean of every 4 x 4 block; those at the border may be smaller.

    :param maps: E x K x H x W.
    :returns: E x K x ceil(H / 4) x ceil(W / 4).
    """
    if maps.is_cuda or maps.shape[-2] % REDUCTION or maps.shape[-1] % REDUCTION:
        return functional.avg_pool2d(maps, REDUCTION, ceil_mode=True, count_include_pad=False)
    return block_means(maps, REDUCTION)


def block_means(maps: torch.Tensor, side: int) -> torch.Tensor:
    """Mean of every whole block of side x side pixels.

    Sums of whole rows first, then a product with few columns: a third of the time that pooling
    takes on a CPU.

    :param maps: ... x H x W.
    :returns: ... x H // side x W // side.
    """
    rows, columns = (length // side for length in maps.shape[-2:])
    sums = maps[..., :rows * side, :columns * side].unflatten(-2, (rows, side)).sum(dim=-2)
    means = torch.mv(sums.reshape(-1, side), sums.new_full((side,), 1 / side ** 2))
    return means.view(*maps.shape[:-2], rows, columns)


def block_peaks(maps: torch.Tensor) -> torch.Tensor:
    """Greatest value of every 4 x 4 block of K x H x W maps, smaller ones at the border."""
    if maps.is_cuda or maps.shape[-2] % REDUCTION or maps.shape[-1] % REDUCTION:
        return functional.max_pool2d(maps, REDUCTION, ceil_mode=True)
    # Along whole rows first: a tenth of the time that pooling takes on a CPU.
    rows = maps.unflatten(-2, (-1, REDUCTION)).amax(dim=-2)
    return rows.unflatten(-1, (-1, REDUCTION)).amax(dim=-1)


def window_peaks(maps: torch.Tensor, window: int) -> torch.Tensor:
    """Greatest value in a window x window box, cut off at the borders.

    From windows of half the width, in a tenth of the time that pooling takes on a CPU.

    :param maps: ... x H x W.
    :param window: side in pixels, odd.
    """
    peaks = functional.pad(maps, (window // 2,) * 4, value=-torch.inf)
    for dim in (-2, -1):
        width = 1
        while width < window:
            step = min(width, window - width)
            length = peaks.shape[dim] - step
            peaks = torch.maximum(peaks.narrow(dim, 0, length), peaks.narrow(dim, step, length))
            width += step
    return peaks


def enlarge(maps: torch.Tensor, size: Sequence[int]) -> torch.Tensor:
    """Bring E x K x h x w maps to a size, bilinearly."""
    height, width = maps.shape[-2:]
    factor = size[0] // height
    if maps.is_cuda or tuple(size) != (factor * height, factor * width):
        return functional.interpolate(maps, tuple(size), mode='bilinear', align_corners=False)
    return _enlarged(maps.flatten(0, 1), factor).view(*maps.shape[:2], *size)


def _enlarged(maps: torch.Tensor, factor: int) -> torch.Tensor:
    """N x h x w maps at so many times the size: `functional.interpolate`, in a third of its time.

    Along the rows first; then each of the rows that one becomes is a fixed mixture of it and its
    neighbour.
    """
    count, height, width = maps.shape
    wide = functional.interpolate(
        maps.reshape(1, -1, width), factor * width, mode='linear').view(count, height, -1)
    framed = torch.cat([wide[:, :1], wide, wide[:, -1:]], dim=1)
    tall = wide.new_empty(count, height, factor, factor * width)
    for row in range(factor):
        place = (row + 0.5) / factor - 0.5
        other = framed[:, :-2] if place < 0 else framed[:, 2:]
        torch.lerp(wide, other, abs(place), out=tall[:, :, row])
    return tall


def guided(
        maps: torch.Tensor, guide: torch.Tensor, full_guide: torch.Tensor, window: int,
        epsilon: float) -> torch.Tensor:
    """Fast guided filter (He and Sun 2015): locally linear in a guide.

    :param maps: K x h x w.
    :param guide: h x w.
    :param full_guide: the same at the size of the result, H x W.
    :param window: side in pixels of h x w, odd.
    :param epsilon: variance of the guide that counts as flat.
    :returns: K x H x W.
    """
    # One box for many maps takes half the time of many.
    boxed = box_mean(
        torch.cat([torch.stack([guide, guide.square()]), maps, maps * guide]), window)
    mean, square = boxed[:2]
    map_mean, product = boxed[2:].chunk(2)
    slope = (product - map_mean * mean) / (square - mean.square() + epsilon)
    line = torch.cat([slope, map_mean - slope * mean])
    slope, offset = enlarge(box_mean(line, window)[None], full_guide.shape)[0].chunk(2)
    return torch.addcmul(offset, slope, full_guide)


def box_mean(maps: torch.Tensor, window: int) -> torch.Tensor:
    """Mean over a window x window box, cut off at the borders.

    :param maps: ... x H x W.
    :param window: side in pixels, odd.
    """
    sums = maps
    for dim in (-2, -1):
        sums = _window_sum(sums, window, dim)
    # Kept on the CPU, where to make them anew was a fifth of a frame's operations. On a GPU, what
    # is made within a captured graph belongs to it.
    counts = _window_counts if maps.is_cuda else _kept_window_counts
    rows, columns = (counts(length, window, maps.device) for length in maps.shape[-2:])
    return sums / (rows[:, None] * columns)


def around(maps: torch.Tensor, share: float) -> torch.Tensor:
    """Mean of ... x h x w maps over a window that is a share of their height, applied twice."""
    window = 2 * round(maps.shape[-2] * share / 2) + 1
    return box_mean(box_mean(maps, window), window)


def _window_counts(length: int, window: int, device: torch.device) -> torch.Tensor:
    """How many of so many pixels lie in the window around each."""
    places = torch.arange(length, device=device, dtype=torch.float32)
    return ((places + window // 2).clamp_max_(length - 1)
            - (places - window // 2).clamp_min_(0)).add_(1)


_kept_window_counts = functools.lru_cache(maxsize=64)(_window_counts)


def _window_sum(maps: torch.Tensor, window: int, dim: int) -> torch.Tensor:
    """Sum of `window` neighbours along a dimension, zero beyond the border.

    By running sums: the cost does not grow with the window, where pooling reads every pixel
    `window` times.
    """
    before, after = window // 2 + 1, window // 2
    padding = (before, after) if dim == -1 else (0, 0, before, after)
    running = functional.pad(maps, padding).cumsum(dim)
    length = maps.shape[dim]
    return running.narrow(dim, window, length) - running.narrow(dim, 0, length)


def rise(values: torch.Tensor, low: float, high: float) -> torch.Tensor:
    """0 up to `low`, 1 from `high` on, smooth between (3 x^2 - 2 x^3)."""
    share = ((values - low) / (high - low)).clamp(0, 1)
    return share.square() * (3 - 2 * share)
