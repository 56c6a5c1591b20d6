"""Diffusion priors: networks that take a noised image back to a clean one."""

from dig2dig_ros.prior.checkpoint import load_prior

__all__ = ['load_prior']
