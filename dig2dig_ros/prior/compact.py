"""The embedded family of priors: small normalisation-free U-Nets on pixel-unshuffled luminance.

Plain convolutions, ReLUs and additive skips (as in DRUNet) cost half of what normalisation,
SiLU and concatenation do at these sizes, and give a finite receptive field, so that an image
can be cut into overlapping tiles without any seam. The preconditioning follows EDM (Karras et al.
2022, table 1), with one change. EDM's network predicts a target of unit variance; at low noise
that takes a gain of 1 / noise, which normalisation layers make easily and plain convolutions do
not. Here what is predicted keeps its natural size, and the loss takes the weight instead. Errors
enter x0_hat scaled by `SIGMA_DATA` and are never amplified, so half precision is sound at every t.
"""

import torch
from torch import nn
from torch.nn import functional

from dig2dig_ros.errors import InputError
from dig2dig_ros.prior import openvino_network
from dig2dig_ros.prior.architecture import SHUFFLE, Architecture
from dig2dig_ros.prior.base import Prior
from dig2dig_ros.prior.noise_schedule import alpha_bar_table
from dig2dig_ros.prior.quantisation import Ranges

SIGMA_DATA = 0.5
# From this width on int8 is worth it even where bf16 is fast: narrower ones gain a fifth and lose
# 2.6 dB of denoising at low noise; depthwise ones gain a tenth and lose 0.2 (docs/priors.md).
INT8_CHANNELS = 32
# Of the 1 x 1 convolutions of a depthwise block, relative to its width.
EXPANSION = 2


class ResidualBlock(nn.Module):
    """x + conv(relu(conv(x)))."""

    def __init__(self, channels: int):
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        nn.init.zeros_(self.second.weight)
        nn.init.zeros_(self.second.bias)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Keep the shape."""
        return features + self.second(functional.relu(self.first(features)))


class DepthwiseBlock(nn.Module):
    """x + conv(relu(conv(depthwise(x)))): ConvNeXt's block (Liu et al. 2022), no norm."""

    def __init__(self, channels: int, kernel: int):
        super().__init__()
        self.around = nn.Conv2d(channels, channels, kernel, padding=kernel // 2, groups=channels)
        self.first = nn.Conv2d(channels, EXPANSION * channels, 1)
        self.second = nn.Conv2d(EXPANSION * channels, channels, 1)
        nn.init.zeros_(self.second.weight)
        nn.init.zeros_(self.second.bias)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Keep the shape."""
        return features + self.second(functional.relu(self.first(self.around(features))))


class CompactNetwork(nn.Module):
    """The network proper: one graph without branches, fit for export."""

    def __init__(self, architecture: Architecture):
        super().__init__()
        self.architecture = architecture
        self.image_planes = 1
        widths, blocks = architecture.widths, architecture.blocks
        steps = list(zip(widths[:-1], widths[1:], strict=True))
        stack = [nn.Sequential(*(self._block(width) for _ in range(count)))
                 for width, count in zip(widths + widths[:-1], blocks + blocks[:-1], strict=True)]
        self.head = self._head()
        self.encoders = nn.ModuleList(stack[:len(steps)])
        self.downs = nn.ModuleList(nn.Conv2d(fine, coarse, 2, stride=2) for fine, coarse in steps)
        self.bottleneck = stack[len(steps)]
        self.ups = nn.ModuleList(
            nn.ConvTranspose2d(coarse, fine, 2, stride=2) for fine, coarse in steps)
        self.decoders = nn.ModuleList(stack[len(steps) + 1:])
        self.tail = nn.Conv2d(widths[0], SHUFFLE ** 2, 3, padding=1)
        nn.init.zeros_(self.tail.weight)
        nn.init.zeros_(self.tail.bias)

    def _head(self) -> nn.Conv2d:
        """The first convolution; one of two squares wants half a square around the image."""
        planes, stem = self.image_planes, self.architecture.stem
        return nn.Conv2d((SHUFFLE ** 2 + 2) * planes, self.architecture.widths[0], stem,
                         padding=(stem - 1) // 2)

    def _block(self, width: int) -> nn.Module:
        kernel = self.architecture.kernel
        return ResidualBlock(width) if kernel == 3 else DepthwiseBlock(width, kernel)

    def take_parts(self) -> None:
        """Widen the head, so that it takes its input `in_parts`, with the same weights for both.

        bf16 steps by a grey level of 255 in bright and dark parts. On a flat wall all pixels are
        rounded the same way, no window averages that out, and DIG is off by percents.
        """
        weight, bias = self.head.weight.detach(), self.head.bias.detach()
        image, levels = weight[:, :SHUFFLE ** 2], weight[:, SHUFFLE ** 2:]
        wide = torch.cat([image, image, levels, levels], dim=1)
        self.image_planes = 2
        with torch.device('meta'):
            self.head = self._head()
        self.head.load_state_dict({'weight': wide, 'bias': bias}, assign=True)
        self.head.requires_grad_(False)

    def forward(self, scaled: torch.Tensor, levels: torch.Tensor) -> torch.Tensor:
        """Predict what `c_skip x_t` misses of the clean image, relative to `SIGMA_DATA`.

        :param scaled: c_in times the noised image, N x P x H x W, H and W multiples of 16, where
            P is `image_planes`.
        :param levels: N x 2P x 1 x 1, rows of `input_levels()`; they become input planes.
        :returns: N x 1 x H x W in the dtype of the weights.
        """
        if self.architecture.stem == 2:
            scaled = functional.pad(scaled, [SHUFFLE // 2] * 4)
        images = unshuffle(scaled)
        planes = levels.movedim(1, -1).expand(-1, *images.shape[1:3], -1)
        features = self._through(self.head(torch.cat([images, planes], dim=-1).movedim(-1, 1)))
        return functional.pixel_shuffle(self.tail(features), SHUFFLE)

    def _through(self, features: torch.Tensor) -> torch.Tensor:
        """Down and up again, N x C x h x w of the finest level to the same."""
        skips = []
        for encoder, down in zip(self.encoders, self.downs, strict=True):
            features = encoder(features)
            skips.append(features)
            features = down(features)
        features = self.bottleneck(features)
        for level in reversed(range(len(skips))):
            features = self.decoders[level](self.ups[level](features) + skips[level])
        return features


def unshuffle(images: torch.Tensor) -> torch.Tensor:
    """Put the pixels of every square of `SHUFFLE` into channels, which come last.

    `functional.pixel_unshuffle` with the channels where the convolutions want them: it saves a
    reordering that took a seventh of a call of the tiny network (640x512, OpenVINO, bf16).

    :param images: N x P x H x W.
    :returns: N x H/4 x W/4 x 16P.
    """
    count, planes, height, width = images.shape
    rows, columns = height // SHUFFLE, width // SHUFFLE
    squares = images.reshape(count, planes, rows, SHUFFLE, columns, SHUFFLE)
    return squares.permute(0, 2, 4, 1, 3, 5).reshape(
        count, rows, columns, planes * SHUFFLE ** 2)


def in_parts(values: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """Split float32 values into what half precision holds and what it leaves, along dim 1."""
    parts = values.new_empty(len(values), 2 * values.shape[1], *values.shape[2:])
    held, left = parts.chunk(2, dim=1)
    torch.sub(values, held.copy_(values.to(dtype)), out=left)
    return parts


def input_levels() -> torch.Tensor:
    """Standard deviation of noise and of signal in the scaled input, at every timestep.

    :returns: float32 of shape (1000, 2); from (0.02, 1.0) at t = 0 to (1.0, 0.003) at t = 999,
        their squares summing to 1.
    """
    alpha_bar = alpha_bar_table()
    noise, signal = (1 - alpha_bar).sqrt(), SIGMA_DATA * alpha_bar.sqrt()
    scale = torch.hypot(noise, signal)
    return torch.stack([noise / scale, signal / scale], dim=1).float()


def preconditioning() -> torch.Tensor:
    """EDM's c_in and c_skip of every timestep, rewritten for the VP input x_t.

    x_t = sqrt(alpha_bar) y with y = x_0 + sigma eps, so the factors of y turn into factors of
    x_t that stay finite at every t.

    :returns: float32 of shape (1000, 2).
    """
    alpha_bar = alpha_bar_table()
    variance = alpha_bar * SIGMA_DATA ** 2 + 1 - alpha_bar
    return torch.stack([variance.rsqrt(), SIGMA_DATA ** 2 * alpha_bar.sqrt() / variance],
                       dim=1).float()


class CompactPrior(Prior):
    """A compact network with its preconditioning."""

    def __init__(self, network: CompactNetwork, ranges: Ranges | None = None,
                 coarse: 'CompactPrior | None' = None):
        """Take a network.

        :param ranges: for int8, where they were measured.
        :param coarse: see `Prior.coarse`.
        """
        super().__init__()
        self._ranges = ranges
        self.network = network.to(memory_format=torch.channels_last)
        self._parts = torch.float32
        self.kind = f'compact-{self.parameter_count / 1e6:.1f}M'
        self.multiple = network.architecture.multiple
        self.receptive_field = network.architecture.receptive_field
        self.coarse = coarse
        self.register_buffer('levels', input_levels(), persistent=False)
        self.register_buffer('preconditioning', preconditioning(), persistent=False)

    @property
    def int8_pays(self) -> bool:
        """See `Prior.int8_pays`."""
        wide = self.network.architecture.channels >= INT8_CHANNELS
        return (self._ranges is not None and openvino_network.can_run(torch.int8)
                and (wide or not openvino_network.fast_bfloat16()))

    def to_precision(self, dtype: torch.dtype) -> 'CompactPrior':
        """Cast the network; its preconditioning and what surrounds it stay float32."""
        on_cpu = self.levels.device.type == 'cpu'
        fastest = openvino_network.fast_float() if dtype == torch.int8 else dtype
        if self.coarse:
            # At a quarter of the size 8 bits gain nothing (docs/priors.md).
            self.coarse.to_precision(fastest)
        if dtype == torch.int8:
            self._require_int8(on_cpu)
        self._parts = fastest
        if self._parts != torch.float32:
            self.network.take_parts()
        if on_cpu and openvino_network.can_run(dtype):
            self.network = openvino_network.OpenVinoNetwork(self.network, dtype, self._ranges)
            self.own_threads = True
        else:
            self.network.to(dtype=dtype, memory_format=torch.channels_last)
        return self

    def _require_int8(self, on_cpu: bool) -> None:
        if not on_cpu or not openvino_network.can_run(torch.int8):
            raise InputError('precision is int8, which needs a CPU and OpenVINO (pip install '
                             'openvino); use auto')
        if self._ranges is None:
            raise InputError('precision is int8, but these weights have no int8 ranges beside '
                             'them (studies/quantise.py makes them); use auto')

    def specialise(self, batch: int, height: int, width: int) -> None:
        """See `Prior.specialise`."""
        if isinstance(self.network, openvino_network.OpenVinoNetwork):
            self.network.specialise(batch, height, width)

    def forward(self, noised: torch.Tensor, timesteps: torch.Tensor) -> torch.Tensor:
        """See `Prior.forward`."""
        c_in, c_skip = self.preconditioning[timesteps][:, :, None, None, None].unbind(1)
        levels = self.levels[timesteps][:, :, None, None]
        inputs = c_in * noised, levels
        if self._parts != torch.float32:
            inputs = (in_parts(values, self._parts) for values in inputs)
            if not isinstance(self.network, openvino_network.OpenVinoNetwork):
                inputs = (values.to(self._parts) for values in inputs)
        predicted = self.network(*inputs)
        return (c_skip * noised).add_(predicted.float(), alpha=SIGMA_DATA).clamp_(-1, 1)


def seeded(architecture: Architecture, seed: int) -> CompactPrior:
    """Make a prior with reproducible random weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return CompactPrior(CompactNetwork(architecture))
