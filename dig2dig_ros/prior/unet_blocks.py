"""Building blocks of the guided-diffusion U-Net, named as in its state dicts."""

import math
from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional

# Heads leave no trace in a state dict; the published unconditional models have 64 channels each.
HEAD_CHANNELS = 64


class Normalization(nn.GroupNorm):
    """Group normalisation in float32 whatever comes in."""

    def __init__(self, channels: int):
        super().__init__(32, channels)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Keep shape and dtype."""
        return super().forward(features.float()).to(features.dtype)


class Resample(nn.Module):
    """Halve (strided convolution) or double (nearest neighbour, then convolution)."""

    def __init__(self, channels: int, *, up: bool):
        super().__init__()
        if up:
            self.conv = nn.Conv2d(channels, channels, 3, padding=1)
        else:
            self.op = nn.Conv2d(channels, channels, 3, stride=2, padding=1)
        self.up = up

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """N x C x H x W to N x C x 2H x 2W or N x C x H/2 x W/2."""
        return self.conv(doubled(features)) if self.up else self.op(features)


def doubled(features: torch.Tensor) -> torch.Tensor:
    """Twice the height and width, nearest neighbour."""
    return functional.interpolate(features, scale_factor=2, mode='nearest')


def halved(features: torch.Tensor) -> torch.Tensor:
    """Half the height and width, by the mean."""
    return functional.avg_pool2d(features, 2)


class ResidualBlock(nn.Module):
    """Two convolutions around the timestep embedding; may resample between them."""

    def __init__(self, inputs: int, outputs: int, embedding: int, *, scale_shift: bool,
                 resample: Callable[[torch.Tensor], torch.Tensor] | None = None):
        super().__init__()
        self.in_layers = nn.Sequential(
            Normalization(inputs), nn.SiLU(), nn.Conv2d(inputs, outputs, 3, padding=1))
        self.emb_layers = nn.Sequential(
            nn.SiLU(), nn.Linear(embedding, outputs * (2 if scale_shift else 1)))
        self.out_layers = nn.Sequential(
            Normalization(outputs), nn.SiLU(), nn.Identity(),  # dropout in training
            nn.Conv2d(outputs, outputs, 3, padding=1))
        self.skip_connection = (nn.Identity() if inputs == outputs
                                else nn.Conv2d(inputs, outputs, 1))
        self.scale_shift, self.resample = scale_shift, resample

    def forward(self, features: torch.Tensor, embedding: torch.Tensor) -> torch.Tensor:
        """N x inputs x H x W and N x embedding to N x outputs x H' x W'."""
        hidden = self.in_layers[1](self.in_layers[0](features))
        if self.resample is not None:
            hidden, features = self.resample(hidden), self.resample(features)
        hidden = self.in_layers[2](hidden)
        shift = self.emb_layers(embedding).to(hidden.dtype)[:, :, None, None]
        if self.scale_shift:
            scale, shift = shift.chunk(2, dim=1)
            hidden = self.out_layers[0](hidden) * (1 + scale) + shift
        else:
            hidden = self.out_layers[0](hidden + shift)
        return self.skip_connection(features) + self.out_layers[1:](hidden)


class AttentionBlock(nn.Module):
    """Self-attention over all pixels."""

    def __init__(self, channels: int):
        super().__init__()
        if channels % HEAD_CHANNELS:
            raise ValueError(f'an attention level has {channels} channels; heads have '
                             f'{HEAD_CHANNELS}, so a multiple of that is needed')
        self.heads = channels // HEAD_CHANNELS
        self.norm = Normalization(channels)
        self.qkv = nn.Conv1d(channels, 3 * channels, 1)
        self.proj_out = nn.Conv1d(channels, channels, 1)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Keep the shape, N x C x H x W."""
        pixels = features.flatten(2)
        projected = self.qkv(self.norm(pixels)).unflatten(1, (self.heads, 3, HEAD_CHANNELS))
        # Contiguous, or PyTorch falls back to attention with all weights in memory.
        query, key, value = projected.transpose(-1, -2).contiguous().unbind(2)
        attended = functional.scaled_dot_product_attention(query, key, value)
        update = self.proj_out(attended.transpose(-1, -2).flatten(1, 2))
        return features + update.unflatten(2, features.shape[2:])


class Stage(nn.Sequential):
    """Runs its modules in turn; residual blocks get the timestep embedding."""

    def forward(self, features: torch.Tensor, embedding: torch.Tensor) -> torch.Tensor:
        """N x C x H x W and N x embedding to what the last module gives."""
        for module in self:
            features = (module(features, embedding) if isinstance(module, ResidualBlock)
                        else module(features))
        return features


def timestep_embedding(timesteps: torch.Tensor, width: int) -> torch.Tensor:
    """Cosines, then sines, of the timestep at geometrically spaced frequencies, 1 to 1e-4."""
    half = width // 2
    exponents = torch.arange(half, dtype=torch.float32, device=timesteps.device) / half
    angles = timesteps[:, None].float() * torch.exp(-math.log(10000) * exponents)
    return functional.pad(torch.cat([angles.cos(), angles.sin()], dim=1), (0, width % 2))
