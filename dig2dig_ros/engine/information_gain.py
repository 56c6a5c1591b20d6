"""Diffusion Information Gains and the fusion weights that follow from them (Eq. 8-11).

DIG depends on the sources only, never on the running image. So all levels of all sources go
through the network in one batch before sampling starts; neighbouring intervals share a level,
and the last one ends at the clean source, where the divergence is 0 and nothing is computed.

Shapes: E levels, K sources, D noise draws, H x W pixels. All tensors are float32.
"""

from collections.abc import Callable, Sequence

import torch

from dig2dig_ros.engine.coarse import as_bright_as, restored, shrunk
from dig2dig_ros.engine.filters import box_mean, smooth
from dig2dig_ros.engine.schedule import signal_and_noise
from dig2dig_ros.prior.base import Prior

SSIM_WINDOW = 11
# The usual SSIM constants (0.01 L)^2 and (0.03 L)^2, for the range L = 2 of [-1, 1].
SSIM_C1, SSIM_C2 = 0.02 ** 2, 0.06 ** 2


def denoise_levels(
        prior: Prior, sources: torch.Tensor, levels: Sequence[int], noise: torch.Tensor | None,
        clean_ends: Sequence[int] = (), coarse: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """One-step estimates of the sources from every level (Eq. 10), in one network batch.

    :param sources: K x H x W in [-1, 1].
    :param levels: E falling timesteps.
    :param noise: D x H x W, standard normal; every source and level gets the same draws. None
        for the sources as they are, which counts as one draw.
    :param clean_ends: for each source the timestep that is as noisy as it, 0 where it is clean;
        all are, by default.
    :param coarse: levels, from the first on, that are denoised at a quarter of the size by
        `prior.coarse`, in a batch of their own; only without noise.
    :returns: c_hat, E x K x H x W in [-1, 1], averaged over the draws; and what the sources are
        without their noise, K x H x W. At levels that are not noisier than a source, that is its
        estimate.
    """
    noisy = [(source, end) for source, end in enumerate(clean_ends) if end]
    ends = [signal_and_noise(end)[0] * sources[source] for source, end in noisy]
    estimates, cleaned = _denoise(
        prior, sources, levels[coarse:], noise, ends, [end for _, end in noisy])
    if coarse:
        small = shrunk(sources, prior.coarse.multiple)
        below, _ = _denoise(prior.coarse, small, levels[:coarse], None)
        below = restored(as_bright_as(small, below), sources.shape[-2:])
        # To append nothing would copy all.
        estimates = torch.cat([below, estimates]) if len(estimates) else below
    if not noisy:
        return estimates, sources
    clean = sources.clone()
    for (source, end), image in zip(noisy, cleaned, strict=True):
        clean[source] = image
        for index, level in enumerate(levels):
            if level <= end:
                estimates[index, source] = image
    return estimates, clean


def _denoise(
        prior: Prior, sources: torch.Tensor, levels: Sequence[int], noise: torch.Tensor | None,
        others: Sequence[torch.Tensor] = (), other_timesteps: Sequence[int] = (),
) -> tuple[torch.Tensor, torch.Tensor]:
    """One batch: the sources at every level, and other images at timesteps of their own.

    :returns: estimates of the sources, E x K x H x W, and of the others, N x H x W.
    """
    noised = _noised(sources, levels, noise)
    count, draws = noised[..., 0, 0].numel(), noised.shape[2]
    if not count + len(others):
        return noised[:, :, 0], sources[:0]
    batch, timesteps = noised.flatten(0, 2), [
        level for level in levels for _ in range(len(sources) * draws)]
    if others:
        batch = torch.cat([batch, torch.stack(list(others))])
    # Filled on the device: a copy from the host could not be captured into a CUDA graph.
    at = torch.cat([torch.full((1,), timestep, device=sources.device)
                    for timestep in [*timesteps, *other_timesteps]])
    denoised = prior(batch.unsqueeze(1), at)[:, 0]
    estimates = denoised[:count].view(noised.shape)
    return estimates[:, :, 0] if draws == 1 else estimates.mean(dim=2), denoised[count:]


def _noised(
        sources: torch.Tensor, levels: Sequence[int], noise: torch.Tensor | None) -> torch.Tensor:
    """The sources at every level, E x K x D x H x W."""
    draws = 1 if noise is None else len(noise)
    drawn = sources[:, None].expand(-1, draws, -1, -1)
    noised = sources.new_empty(len(levels), *drawn.shape)
    for at_level, level in zip(noised, levels, strict=True):
        signal, amplitude = signal_and_noise(level)
        torch.mul(drawn, signal, out=at_level)
        if noise is not None:
            at_level.add_(noise, alpha=amplitude)
    return noised


def information_gain(
        estimates: torch.Tensor, sources: torch.Tensor, divergence: str, window: int,
        average: Callable[[torch.Tensor, int], torch.Tensor] = smooth) -> torch.Tensor:
    """DIG_k(e) = l(c_hat_k^{t_e}, c_k) - l(c_hat_k^{t_e+1}, c_k) for every level (Eq. 8).

    :param estimates: E x K x H x W, at falling timesteps; the clean source follows the last.
    :param sources: K x H x W.
    :param divergence: `l2`, `l1` or `ssim` (Table 3).
    :param window: side of the box that averages l (see `smooth`), in pixels, odd.
    :param average: `smooth`, or `reduced` for maps at a quarter of the resolution.
    :returns: E x K x H x W. Sums over e to the divergence of the first level.
    """
    losses = pixel_divergence(estimates, sources.expand_as(estimates), divergence)
    losses = average(losses, window)
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
