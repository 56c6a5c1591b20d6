"""Multimodal guidance: how the sources correct the prior's estimate x0_hat at each step.

A guide is called as `guide(x0_hat, weights) -> x0` with x0_hat H x W and weights K x H x W.
It may carry state from one step to the next, so a frame makes its own.
"""

from collections.abc import Callable

import torch

from dig2dig_ros.errors import InputError
from dig2dig_ros.settings import FusionSettings

Guide = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]

# DDFM's constants: psi of the gradient penalty, and the half-quadratic coupling.
GRADIENT_PENALTY = 0.5
COUPLING = 0.01


class GradientProximal:
    """The half-quadratic splitting step of DDFM's gradient penalty, with its running state.

    DDFM's public code takes four complex transforms of the whole image; by linearity, and since
    the adjoint of a difference is a stencil, one real transform and its inverse give the same.
    """

    def __init__(self, like: torch.Tensor):
        """Start with zero auxiliary gradients.

        :param like: H x W; gives size and device.
        """
        height, width = like.shape
        rows = torch.fft.fftfreq(height, device=like.device)
        columns = torch.fft.rfftfreq(width, device=like.device)
        # Power spectra of the circular differences: |exp(i w) - 1|^2 = 2 - 2 cos w.
        self._denominator = (5 - 2 * torch.cos(2 * torch.pi * rows)[:, None]
                             - 2 * torch.cos(2 * torch.pi * columns))
        self._across = torch.zeros_like(like)
        self._down = torch.zeros_like(like)

    def __call__(self, image: torch.Tensor) -> torch.Tensor:
        """Smooth `image` (H x W) against the auxiliary gradients, then update those."""
        adjoint = (self._across.roll(1, -1) - self._across
                   + self._down.roll(1, -2) - self._down)
        spectrum = torch.fft.rfft2(image + adjoint) / self._denominator
        smooth = torch.fft.irfft2(spectrum, s=image.shape)
        shrink = COUPLING / (2 * GRADIENT_PENALTY + COUPLING)
        # The difference to the next pixel; beyond the border there is zero.
        self._across = shrink * smooth.diff(dim=-1, append=torch.zeros_like(smooth[:, :1])).neg()
        self._down = shrink * smooth.diff(dim=-2, append=torch.zeros_like(smooth[:1])).neg()
        return smooth


class EmGuide:
    """DDFM's EM step for an infrared and a visible image, DIG weighting the precisions.

    With y = i - v and x = f - v: Laplace likelihoods of y - x and x as Gaussian scale mixtures,
    precisions from the E-step, and a closed-form M-step for x. DIG enters as the factor 2 w_k on
    source k's precision, so that uniform weights are DDFM itself.
    """

    def __init__(self, sources: torch.Tensor, mirrored: bool):
        """Take the two sources.

        :param sources: 2 x H x W, infrared first.
        :param mirrored: return i - x, as DDFM's public code does (its issue 18), in place of
            v + x, which its derivation gives.
        """
        self._infrared, self._visible = sources
        self._mirrored = mirrored
        self._proximal = GradientProximal(self._visible)
        self._scale_infrared = self._scale_visible = 1.0

    def __call__(self, x0_hat: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        """One E-step and one M-step from the prior's estimate."""
        difference = self._infrared - self._visible
        x = x0_hat - self._visible
        residual = difference - x
        precision_infrared = (2 / self._scale_infrared) ** 0.5 / (residual + 1e-6).abs()
        precision_visible = (2 / self._scale_visible / (x.square() + 1e-6)).sqrt()
        precision_visible = torch.minimum(precision_visible, 2 * precision_infrared)
        self._scale_infrared = (1 / (precision_infrared + 1e-10)).mean() + self._scale_infrared / 2
        self._scale_visible = (1 / (precision_visible + 1e-10)).mean() + self._scale_visible / 2

        smooth = self._proximal(residual)
        pull_infrared = 2 * (2 * weights[0] * precision_infrared)
        pull_visible = 2 * (2 * weights[1] * precision_visible)
        x = ((pull_infrared * difference + COUPLING * (difference - smooth))
             / (pull_infrared + pull_visible + COUPLING))
        return self._infrared - x if self._mirrored else self._visible + x


class ReweightedGuide:
    """The same step for any number of sources: iteratively reweighted least squares.

    f = (sum_k w_k p_k c_k + rho h) / (sum_k w_k p_k + rho) with p_k = 1 / max(|f - c_k|, eps) and
    h the estimate after the gradient penalty on what it lacks of the weighted mean.
    """

    SMALLEST_RESIDUAL = 1e-3

    def __init__(self, sources: torch.Tensor):
        """Take K x H x W sources."""
        self._sources = sources
        self._proximal = GradientProximal(sources[0])

    def __call__(self, x0_hat: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        """One reweighting from the prior's estimate."""
        residual = (x0_hat - self._sources).abs().clamp_min(self.SMALLEST_RESIDUAL)
        pull = len(self._sources) * weights / residual
        mean = (weights * self._sources).sum(dim=0)
        target = mean - self._proximal(mean - x0_hat)
        return (((pull * self._sources).sum(dim=0) + COUPLING * target)
                / (pull.sum(dim=0) + COUPLING))


class PullGuide:
    """A Gaussian likelihood: x0_hat moves towards a target by a fixed share."""

    def __init__(self, strength: float, sources: torch.Tensor, target: torch.Tensor | None = None):
        """Take the target, or the weighted mean of the sources where there is none.

        :param strength: the share eta of the way, 0..1.
        :param sources: K x H x W.
        :param target: H x W.
        """
        self._strength = strength
        self._sources = sources
        self._target = target

    def __call__(self, x0_hat: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        """x0_hat + eta (target - x0_hat)."""
        target = self._target
        if target is None:
            target = (weights * self._sources).sum(dim=0)
        return torch.lerp(x0_hat, target, self._strength)


def make_guide(settings: FusionSettings, sources: torch.Tensor, ladder: torch.Tensor) -> Guide:
    """The guide that the settings ask for, with fresh state.

    :param sources: K x H x W.
    :param ladder: the one-pass fusion of the same levels, H x W.
    :raises InputError: for `ddfm` on other than two sources, which it is not defined for.
    """
    if settings.guidance == 'ladder':
        return PullGuide(settings.strength, sources, ladder)
    if settings.guidance == 'plain':
        return PullGuide(settings.strength, sources)
    if len(sources) == 2:
        return EmGuide(sources, mirrored=settings.guidance == 'ddfm')
    if settings.guidance == 'ddfm':
        raise InputError(f'guidance ddfm takes two sources, not {len(sources)}; use em')
    return ReweightedGuide(sources)
