"""The ladder: the denoised levels of a source as a band decomposition, fused band by band.

c_k = c_hat_k^{t_0} + sum_e (c_hat_k^{t_e+1} - c_hat_k^{t_e}), the last level being c_k itself, and
DIG_k(e) is the information that band e brings. So each band is fused with its own DIG weights.
This needs no sampling; it is the engine's one-pass mode, and a target for guidance.
"""

import torch

from dig2dig_ros.engine.filters import smooth
from dig2dig_ros.engine.information_gain import fusion_weights


def base_weights(
        base: torch.Tensor, window: int, temperature: float, normalise: bool) -> torch.Tensor:
    """Weights of the coarsest level, from how far it stands out of its own mean.

    At infinite noise the best estimate of an image is its mean. So the gain from there to the
    first level is DIG of one more interval, with l2: (c_hat - mean)^2.

    :param base: c_hat^{t_0}, K x H x W.
    :returns: K x H x W, summing to 1 over K.
    """
    deviation = (base - base.mean(dim=(-2, -1), keepdim=True)).square()
    return fusion_weights(smooth(deviation[None], window), temperature, normalise)[0]


def bands_of(estimates: torch.Tensor, clean: torch.Tensor) -> torch.Tensor:
    """D_k(e) = c_hat_k^{t_e+1} - c_hat_k^{t_e}, the last level being the clean source.

    :param estimates: c_hat, E x K x H x W.
    :param clean: K x H x W.
    :returns: E x K x H x W.
    """
    if len(estimates) == 1:
        return clean - estimates
    return torch.cat([estimates[1:], clean[None]]) - estimates


def mixed(images: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Sum of K x H x W images by weights that sum to 1 over K, H x W."""
    if len(images) == 2:
        return torch.lerp(images[1], images[0], weights[0])  # a quarter of the temporaries
    return (weights * images).sum(dim=0)


def fuse_bands(
        estimates: torch.Tensor, clean: torch.Tensor, weights: torch.Tensor,
        base: torch.Tensor, scales: torch.Tensor) -> torch.Tensor:
    """Sum of the bands of all sources, each with its own weights.

    :param estimates: c_hat, E x K x H x W.
    :param clean: the sources, without noise, K x H x W.
    :param weights: of the bands, E x K x H x W.
    :param base: weights of the coarsest level, K x H x W.
    :param scales: factors on the bands, E x K.
    :returns: H x W; in [-1, 1] where the factors are 1.
    """
    fused = mixed(estimates[0], base)
    for level, finer, weight, scale in zip(
            estimates, [*estimates[1:], clean], weights, scales, strict=True):
        fused += mixed((finer - level).mul_(scale[:, None, None]), weight)
    return fused
