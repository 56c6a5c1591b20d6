"""The embedded family of priors: small normalisation-free U-Nets on pixel-unshuffled luminance.

Plain convolutions, ReLUs and additive skips (as in DRUNet) cost half of what normalisation,
SiLU and concatenation do at these sizes, and give a finite receptive field, so that an image
can be cut into overlapping tiles without any seam. The preconditioning of EDM (Karras et al.
2022, table 1) makes one network sound at every noise level: what it predicts has unit variance
throughout, and its error enters x0_hat scaled by c_out <= sigma_data, never amplified.
"""

import dataclasses

import torch
from torch import nn
from torch.nn import functional

from dig2dig_ros.prior.base import Prior
from dig2dig_ros.prior.noise_schedule import alpha_bar_table

SHUFFLE = 4
NOISE_FEATURES = 16
SIGMA_DATA = 0.5
# log sigma runs from -4.6 at t = 0 to 5.06 at t = 999; the knots of the noise code span it.
LOG_SIGMA_RANGE = (-4.7, 5.1)


@dataclasses.dataclass(frozen=True)
class Architecture:
    """Size of a compact prior.

    Attributes:
        channels: width of the finest level.
        multipliers: width of each level relative to `channels`, finest first.
        blocks: residual blocks of each level, on the way down and again on the way up; the
            coarsest level has that many in all.
    """

    channels: int
    multipliers: tuple[int, ...]
    blocks: tuple[int, ...]

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels of each level, finest first."""
        return tuple(self.channels * multiplier for multiplier in self.multipliers)

    @property
    def multiple(self) -> int:
        """Height and width of an input must be multiples of this."""
        return SHUFFLE * 2 ** (len(self.multipliers) - 1)

    @property
    def receptive_field(self) -> int:
        """Side in pixels of the square that one output pixel depends on, at most."""
        reach = 2 * SHUFFLE  # head and tail
        for level, blocks in enumerate(self.blocks):
            passes = 1 if level == len(self.blocks) - 1 else 2
            reach += 2 * passes * blocks * SHUFFLE * 2 ** level
        return 2 * reach + self.multiple


SIZES = {
    'small': Architecture(channels=32, multipliers=(1, 2, 4), blocks=(1, 1, 2)),
    'medium': Architecture(channels=64, multipliers=(1, 2, 4), blocks=(2, 2, 4)),
    'large': Architecture(channels=128, multipliers=(1, 2, 4), blocks=(2, 2, 4)),
}


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


class CompactNetwork(nn.Module):
    """The network proper: one graph without branches, fit for export."""

    def __init__(self, architecture: Architecture):
        super().__init__()
        self.architecture = architecture
        widths, blocks = architecture.widths, architecture.blocks
        steps = list(zip(widths[:-1], widths[1:], strict=True))
        stack = [nn.Sequential(*(ResidualBlock(width) for _ in range(count)))
                 for width, count in zip(widths + widths[:-1], blocks + blocks[:-1], strict=True)]
        self.head = nn.Conv2d(SHUFFLE ** 2 + NOISE_FEATURES, widths[0], 3, padding=1)
        self.encoders = nn.ModuleList(stack[:len(steps)])
        self.downs = nn.ModuleList(nn.Conv2d(fine, coarse, 2, stride=2) for fine, coarse in steps)
        self.bottleneck = stack[len(steps)]
        self.ups = nn.ModuleList(
            nn.ConvTranspose2d(coarse, fine, 2, stride=2) for fine, coarse in steps)
        self.decoders = nn.ModuleList(stack[len(steps) + 1:])
        self.tail = nn.Conv2d(widths[0], SHUFFLE ** 2, 3, padding=1)

    def forward(self, scaled: torch.Tensor, noise_code: torch.Tensor) -> torch.Tensor:
        """Predict the unit-variance target F of EDM.

        :param scaled: c_in times the noised image, N x 1 x H x W, H and W multiples of 16.
        :param noise_code: N x 16 x 1 x 1, a row of `noise_codes()` for each image.
        :returns: N x 1 x H x W in the dtype of the weights.
        """
        features = functional.pixel_unshuffle(scaled, SHUFFLE)
        planes = noise_code.expand(-1, -1, *features.shape[-2:])
        features = self.head(torch.cat([features, planes], dim=1))
        skips = []
        for encoder, down in zip(self.encoders, self.downs, strict=True):
            features = encoder(features)
            skips.append(features)
            features = down(features)
        features = self.bottleneck(features)
        for level in reversed(range(len(skips))):
            features = self.decoders[level](self.ups[level](features) + skips[level])
        return functional.pixel_shuffle(self.tail(features), SHUFFLE)


def log_sigmas() -> torch.Tensor:
    """Log of the noise level relative to the signal, sigma = sqrt(1 / alpha_bar - 1).

    :returns: float64 of shape (1000,), rising with the timestep.
    """
    alpha_bar = alpha_bar_table()
    return 0.5 * torch.log((1 - alpha_bar) / alpha_bar)


def noise_codes() -> torch.Tensor:
    """Noise level of every timestep as the network reads it.

    Linear interpolation weights between 16 knots in log sigma: as input planes, they give the
    first convolution a learned bias for each noise level where one plane gives a slope only.

    :returns: float32 of shape (1000, 16); rows sum to 1.
    """
    low, high = LOG_SIGMA_RANGE
    position = (log_sigmas() - low) / (high - low) * (NOISE_FEATURES - 1)
    knots = torch.arange(NOISE_FEATURES, dtype=torch.float64)
    return (1 - (position[:, None] - knots).abs()).clamp(min=0).float()


def preconditioning() -> torch.Tensor:
    """EDM's c_in, c_skip and c_out of every timestep, rewritten for the VP input x_t.

    x_t = sqrt(alpha_bar) y with y = x_0 + sigma eps, so the factors of y turn into factors of
    x_t that stay finite at every t.

    :returns: float32 of shape (1000, 3).
    """
    alpha_bar = alpha_bar_table()
    variance = alpha_bar * SIGMA_DATA ** 2 + 1 - alpha_bar
    c_in = variance.rsqrt()
    c_skip = SIGMA_DATA ** 2 * alpha_bar.sqrt() / variance
    c_out = SIGMA_DATA * (1 - alpha_bar).sqrt() * c_in
    return torch.stack([c_in, c_skip, c_out], dim=1).float()


class CompactPrior(Prior):
    """A compact network with its preconditioning."""

    def __init__(self, network: CompactNetwork):
        super().__init__()
        self.network = network.to(memory_format=torch.channels_last)
        self.kind = f'compact-{self.parameter_count / 1e6:.1f}M'
        self.multiple = network.architecture.multiple
        self.register_buffer('noise_codes', noise_codes(), persistent=False)
        self.register_buffer('preconditioning', preconditioning(), persistent=False)

    def to_precision(self, dtype: torch.dtype) -> 'CompactPrior':
        """Cast the network; its preconditioning and what surrounds it stay float32."""
        self.network.to(dtype=dtype, memory_format=torch.channels_last)
        return self

    def forward(self, noised: torch.Tensor, timesteps: torch.Tensor) -> torch.Tensor:
        """See `Prior.forward`."""
        c_in, c_skip, c_out = self.preconditioning[timesteps][:, :, None, None, None].unbind(1)
        dtype = self.network.head.weight.dtype
        code = self.noise_codes[timesteps][:, :, None, None]
        predicted = self.network((c_in * noised).to(dtype), code.to(dtype))
        return (c_skip * noised + c_out * predicted.float()).clamp(-1, 1)


def unit_target(clean: torch.Tensor, noised: torch.Tensor,
                coefficients: torch.Tensor) -> torch.Tensor:
    """What the network should predict: F = (x_0 - c_skip x_t) / c_out."""
    _, c_skip, c_out = coefficients[:, :, None, None, None].unbind(1)
    return (clean - c_skip * noised) / c_out


def seeded(architecture: Architecture, seed: int) -> CompactPrior:
    """Make a prior with reproducible random weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return CompactPrior(CompactNetwork(architecture))
