"""The U-Net of guided-diffusion (Dhariwal and Nichol 2021), unconditional, inference only.

Module names follow the state dicts of that project, so that its checkpoints load strictly;
the architecture is read off the tensors. Two things leave no trace there and are assumed as
in the published unconditional models: attention heads of 64 channels, and the `legacy` order
of the attention's projection (heads outermost, then query, key, value).
"""

import dataclasses
import re
from collections.abc import Mapping

import torch
from torch import nn

from dig2dig_ros.errors import InputError
from dig2dig_ros.prior.base import Prior
from dig2dig_ros.prior.noise_schedule import alpha_bar_table
from dig2dig_ros.prior.unet_blocks import (
    AttentionBlock,
    Normalization,
    Resample,
    ResidualBlock,
    Stage,
    doubled,
    halved,
    timestep_embedding,
)

PLACE = re.compile(r'(input|output)_blocks\.(\d{1,4})\.(\d)\.(\w+)')
LUMA = (0.299, 0.587, 0.114)  # BT.601, R G B


@dataclasses.dataclass(frozen=True)
class UNetArchitecture:
    """What the tensors of a checkpoint tell.

    Attributes:
        image_channels: 3 (RGB) or 1.
        base_channels: width that the timestep embedding starts from.
        widths: channels of each level, finest first.
        blocks: residual blocks per level on the way down; one more on the way up.
        attention: whether each level attends.
        residual_resampling: resample inside residual blocks, not by strided convolutions.
        scale_shift: the timestep scales and shifts the second normalisation; else it is added.
        learned_sigma: the output carries variances after the predicted noise.
    """

    image_channels: int
    base_channels: int
    widths: tuple[int, ...]
    blocks: int
    attention: tuple[bool, ...]
    residual_resampling: bool
    scale_shift: bool
    learned_sigma: bool

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, torch.Tensor]) -> 'UNetArchitecture':
        """Read the architecture off a state dict.

        :raises ValueError: saying what does not fit an unconditional model of the family.
        """
        if 'label_emb.weight' in tensors:
            raise ValueError('is class-conditional')
        places = [match.groups() for match in map(PLACE.match, tensors) if match]
        units = 1 + max((int(unit) for side, unit, *_ in places if side == 'input'), default=0)
        levels = 1 + len({unit for side, unit, module, part in places
                          if side == 'output' and module != '0' and part in ('conv', 'in_layers')})
        per_level = units // levels  # residual blocks, and a first convolution or a descent
        if units % levels or not 2 <= per_level <= len(tensors):
            raise ValueError(f'its {units} input blocks do not make {levels} levels')
        firsts = [f'input_blocks.{1 + level * per_level}' for level in range(levels)]
        inputs, outputs = _size(tensors, 'input_blocks.0.0.weight', 1), _size(
            tensors, 'out.2.weight', 0)
        if inputs not in (1, 3) or outputs not in (inputs, 2 * inputs):
            raise ValueError(f'maps {inputs} to {outputs} channels, not 1 or 3 to as many (twice '
                             'as many with variances)')
        widths = tuple(_size(tensors, f'{first}.0.out_layers.3.weight', 0) for first in firsts)
        modulation = _size(tensors, f'{firsts[0]}.0.emb_layers.1.weight', 0)
        return cls(
            image_channels=inputs, base_channels=_size(tensors, 'time_embed.0.weight', 1),
            widths=widths, blocks=per_level - 1,
            attention=tuple(f'{first}.1.qkv.weight' in tensors for first in firsts),
            residual_resampling=all(part != 'op' for *_, part in places),
            scale_shift=modulation == 2 * widths[0], learned_sigma=outputs == 2 * inputs)


def _size(tensors: Mapping[str, torch.Tensor], name: str, dimension: int) -> int:
    if name not in tensors or tensors[name].ndim < 2:
        raise ValueError(f'lacks the matrix {name}')
    return tensors[name].shape[dimension]


class UNet(nn.Module):
    """The network proper: image and timestep to predicted noise (and variances)."""

    def __init__(self, architecture: UNetArchitecture):
        """Build with random weights.

        :raises ValueError: where widths do not fit the family.
        """
        super().__init__()
        self.architecture = architecture
        embedding = 4 * architecture.base_channels
        self.time_embed = nn.Sequential(nn.Linear(architecture.base_channels, embedding),
                                        nn.SiLU(), nn.Linear(embedding, embedding))

        def residual(inputs: int, outputs: int, resample=None) -> ResidualBlock:
            return ResidualBlock(inputs, outputs, embedding, resample=resample,
                                 scale_shift=architecture.scale_shift)

        def resampling(width: int, *, up: bool) -> nn.Module:
            if architecture.residual_resampling:
                return residual(width, width, doubled if up else halved)
            return Resample(width, up=up)

        def attention(level: int) -> list[nn.Module]:
            return [AttentionBlock(widths[level])] if architecture.attention[level] else []

        widths, last = architecture.widths, len(architecture.widths) - 1
        width = widths[0]
        descent = [Stage(nn.Conv2d(architecture.image_channels, width, 3, padding=1))]
        skips = [width]
        for level in range(last + 1):
            for _ in range(architecture.blocks):
                descent.append(Stage(residual(width, widths[level]), *attention(level)))
                width = widths[level]
                skips.append(width)
            if level < last:
                descent.append(Stage(resampling(width, up=False)))
                skips.append(width)
        ascent = []
        for level in range(last, -1, -1):
            for block in range(architecture.blocks + 1):
                rise = level > 0 and block == architecture.blocks
                ascent.append(Stage(residual(width + skips.pop(), widths[level]),
                                    *attention(level),
                                    *([resampling(widths[level], up=True)] if rise else [])))
                width = widths[level]
        outputs = architecture.image_channels * (2 if architecture.learned_sigma else 1)
        self.input_blocks = nn.ModuleList(descent)
        self.middle_block = Stage(residual(widths[-1], widths[-1]), AttentionBlock(widths[-1]),
                                  residual(widths[-1], widths[-1]))
        self.output_blocks = nn.ModuleList(ascent)
        self.out = nn.Sequential(Normalization(width), nn.SiLU(),
                                 nn.Conv2d(width, outputs, 3, padding=1))

    def to_precision(self, dtype: torch.dtype) -> None:
        """Cast the convolutions between the first and the last; the rest stays float32."""
        for blocks in (self.input_blocks, self.middle_block, self.output_blocks):
            for module in blocks.modules():
                if isinstance(module, (nn.Conv1d, nn.Conv2d)):
                    module.to(dtype)

    def forward(self, noised: torch.Tensor, timesteps: torch.Tensor) -> torch.Tensor:
        """Predict the noise.

        :param noised: float32, N x 3 or 1 x H x W.
        :param timesteps: N, in 0..999.
        :returns: float32, N x image channels (twice that with learned variances) x H x W.
        """
        embedding = self.time_embed(timestep_embedding(timesteps, self.architecture.base_channels))
        features = noised.to(self.input_blocks[0][0].weight.dtype)
        skips = []
        for stage in self.input_blocks:
            features = stage(features, embedding)
            skips.append(features)
        features = self.middle_block(features, embedding)
        for stage in self.output_blocks:
            features = stage(torch.cat([features, skips.pop()], dim=1), embedding)
        return self.out(features.float())


class GuidedDiffusionPrior(Prior):
    """Luminance through a guided-diffusion U-Net."""

    def __init__(self, network: UNet):
        super().__init__()
        self.network = network
        self.kind = f'guided-diffusion-{self.parameter_count / 1e6:.0f}M'
        self.multiple = 2 ** (len(network.architecture.widths) - 1)
        alpha_bar = alpha_bar_table()
        self.register_buffer('scales', torch.stack(
            [alpha_bar.sqrt(), (1 - alpha_bar).sqrt()], dim=1).float(), persistent=False)
        self.register_buffer('luma', torch.tensor(LUMA)[None, :, None, None], persistent=False)

    def to_precision(self, dtype: torch.dtype) -> 'GuidedDiffusionPrior':
        """Cast the network's convolutions; normalisation and reconstruction stay float32."""
        if dtype == torch.int8:
            raise InputError('precision is int8, which guided-diffusion checkpoints do not have; '
                             'use auto')
        self.network.to_precision(dtype)
        return self

    def forward(self, noised: torch.Tensor, timesteps: torch.Tensor) -> torch.Tensor:
        """See `Prior.forward`: luminance as gray RGB, Eq. 10, and Y of the result."""
        channels = self.network.architecture.image_channels
        signal, noise = self.scales[timesteps][:, :, None, None, None].unbind(1)
        image = noised.expand(-1, channels, -1, -1)
        predicted = self.network(image, timesteps)[:, :channels]
        clean = ((image - noise * predicted) / signal).clamp(-1, 1)
        return (clean * self.luma).sum(1, keepdim=True) if channels == 3 else clean
