"""Diffusion Information Gains and the fusion weights that follow from them (Eq. 8-11).

DIG depends on the sources only, never on the running image. So all levels of all sources go
through the network in one batch before sampling starts; neighbouring intervals share a level,
and the last one ends at the clean source, where the divergence is 0 and nothing is computed.

Shapes: E levels, K sources, D noise draws, H x W pixels. All tensors are float32.
"""

from collections.abc import Sequence

import torch
from torch.nn import functional

from dig2dig_ros.engine.schedule import signal_and_noise
from dig2dig_ros.prior.base import Prior

SSIM_WINDOW = 11
# Pixels that become one where a wide window is taken.
REDUCTION = 4
# The usual SSIM constants (0.01 L)^2 and (0.03 L)^2, for the range L = 2 of [-1, 1].
SSIM_C1, SSIM_C2 = 0.02 ** 2, 0.06 ** 2


def denoise_levels(
        prior: Prior, sources: torch.Tensor, levels: Sequence[int],
        noise: torch.Tensor) -> torch.Tensor:
    """One-step estimates of the sources from every level (Eq. 10), in one network batch.

    :param sources: K x H x W in [-1, 1].
    :param levels: E timesteps.
    :param noise: D x H x W, standard normal; every source and level gets the same draws.
    :returns: c_hat, E x K x H x W in [-1, 1], averaged over the draws.
    """
    noised = torch.stack([
        signal * sources[:, None] + amplitude * noise
        for signal, amplitude in map(signal_and_noise, levels)])
    # Filled on the device: a copy from the host could not be captured into a CUDA graph.
    timesteps = torch.cat([
        torch.full((noised.shape[1] * noised.shape[2],), level, device=sources.device)
        for level in levels])
    estimates = prior(noised.flatten(0, 2).unsqueeze(1), timesteps)
    return estimates.view(noised.shape).mean(dim=2)


def information_gain(
        estimates: torch.Tensor, sources: torch.Tensor, divergence: str,
        window: int) -> torch.Tensor:
    """DIG_k(e) = l(c_hat_k^{t_e}, c_k) - l(c_hat_k^{t_e+1}, c_k) for every level (Eq. 8).

    :param estimates: E x K x H x W, at falling timesteps; the clean source follows the last.
    :param sources: K x H x W.
    :param divergence: `l2`, `l1` or `ssim` (Table 3).
    :param window: side of the box that averages l (see `smooth`), in pixels, odd.
    :returns: E x K x H x W. Sums over e to the divergence of the first level.
    """
    losses = pixel_divergence(estimates, sources.expand_as(estimates), divergence)
    losses = smooth(losses, window)
    gain = losses.clone()
    gain[:-1] -= losses[1:]
    return gain


def pixel_divergence(
        estimate: torch.Tensor, source: torch.Tensor, divergence: str) -> torch.Tensor:
    """l(estimate, source) at every pixel: squared error, absolute error or 1 - SSIM.

    :param estimate: ... x H x W, like `source`; so is what returns.
    """
    if divergence == 'l2':
        return (estimate - source).square()
    if divergence == 'l1':
        return (estimate - source).abs()
    return 1 - _ssim_map(estimate, source)


def _ssim_map(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    mean_1, mean_2 = box_mean(first, SSIM_WINDOW), box_mean(second, SSIM_WINDOW)
    variance_1 = box_mean(first.square(), SSIM_WINDOW) - mean_1.square()
    variance_2 = box_mean(second.square(), SSIM_WINDOW) - mean_2.square()
    covariance = box_mean(first * second, SSIM_WINDOW) - mean_1 * mean_2
    luminance = (2 * mean_1 * mean_2 + SSIM_C1) / (mean_1.square() + mean_2.square() + SSIM_C1)
    structure = (2 * covariance + SSIM_C2) / (variance_1 + variance_2 + SSIM_C2)
    return luminance * structure


def fusion_weights(
        gain: torch.Tensor, temperature: float, normalise: bool) -> torch.Tensor:
    """w_k = softmax over the sources of DIG_k / temperature (Eq. 11).

    :param gain: E x K x H x W.
    :param normalise: measure DIG in units of its mean magnitude over the sources and pixels of
        a level; else as it is, which is the paper's form.
    :returns: E x K x H x W in [0, 1], summing to 1 over K.
    """
    unit = temperature
    if normalise:
        # 1e-12 keeps a frame without any information (all sources flat) at 1 / K.
        unit = temperature * gain.abs().mean(dim=(1, 2, 3), keepdim=True).clamp_min(1e-12)
    if gain.shape[1] == 2:
        first = torch.sigmoid((gain[:, :1] - gain[:, 1:]) / unit)
        return torch.cat([first, 1 - first], dim=1)
    return torch.softmax(gain / unit, dim=1)


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
    reduced = functional.avg_pool2d(
        maps, REDUCTION, ceil_mode=True, count_include_pad=False)
    side = 2 * round((window / REDUCTION - 1) / 2) + 1
    return functional.interpolate(
        box_mean(box_mean(reduced, side), side), maps.shape[-2:], mode='bilinear',
        align_corners=False)


def box_mean(maps: torch.Tensor, window: int) -> torch.Tensor:
    """Mean over a window x window box, cut off at the borders.

    :param maps: ... x H x W.
    :param window: side in pixels, odd.
    """
    sums, counts = maps, torch.ones(maps.shape[-2:], device=maps.device)
    for dim in (-2, -1):
        sums, counts = _window_sum(sums, window, dim), _window_sum(counts, window, dim)
    return sums / counts


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
