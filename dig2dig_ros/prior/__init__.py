"""Diffusion priors: networks that take a noised image back to a clean one."""
