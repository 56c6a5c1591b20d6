"""Networks that could take the place of the embedded small and tiny ones.

Some are other sizes of the compact family; a `Sketch` is what that family cannot express yet. It
speaks pixels on both sides, as the OpenVINO graph of the family does, so that tracing it costs it
nothing.
"""

import dataclasses

import torch
from torch import nn
from torch.nn import functional

from dig2dig_ros.prior.architecture import SIZES, Architecture
from dig2dig_ros.prior.compact import CompactNetwork, ResidualBlock

EXPANSION = 2


@dataclasses.dataclass(frozen=True)
class Sketch:
    """A network that is no `Architecture`.

    Attributes:
        widths: channels of each level, finest first.
        blocks: as those of `Architecture`.
        patch: side in pixels of the squares that the finest level has its channels of.
        stem: side of the first convolution's kernel in such squares.
        kernel: 3 for residual blocks of two 3 x 3 convolutions; larger ones are depthwise, and
            two 1 x 1 convolutions follow.
    """

    widths: tuple[int, ...]
    blocks: tuple[int, ...]
    patch: int = 4
    stem: int = 3
    kernel: int = 3

    @property
    def channels(self) -> int:
        """Width of the finest level."""
        return self.widths[0]

    @property
    def multiple(self) -> int:
        """Height and width of an input must be multiples of this."""
        return self.patch * 2 ** (len(self.widths) - 1)

    @property
    def receptive_field(self) -> int:
        """Side in pixels of the square that one output pixel depends on, at most."""
        reach = 2 * self.patch
        for level, blocks in enumerate(self.blocks):
            passes = 1 if level == len(self.blocks) - 1 else 2
            layers = 2 if self.kernel == 3 else 1
            reach += (self.kernel // 2) * layers * passes * blocks * self.patch * 2 ** level
        return 2 * reach + self.multiple


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


class SketchNetwork(CompactNetwork):
    """A `CompactNetwork` with another first and last convolution, and maybe other blocks."""

    def __init__(self, sketch: Sketch, planes: int = 1):
        """Take a sketch.

        :param planes: the image comes in that many: 2 is what half precision takes.
        """
        super().__init__(sketch)
        self.image_planes = planes
        finest, patch = sketch.channels, sketch.patch
        side = sketch.stem * patch
        self.head = nn.Conv2d(planes, finest, side, stride=patch, padding=(side - patch) // 2)
        self.told = nn.Conv2d(2 * planes, finest, 1)
        self.tail = nn.Conv2d(finest, patch ** 2, 3, padding=1)
        nn.init.zeros_(self.tail.weight)
        nn.init.zeros_(self.tail.bias)

    def _block(self, width: int) -> nn.Module:
        kernel = self.architecture.kernel
        return ResidualBlock(width) if kernel == 3 else DepthwiseBlock(width, kernel)

    def forward(self, scaled: torch.Tensor, levels: torch.Tensor) -> torch.Tensor:
        """See `CompactNetwork.forward`."""
        features = self._through(self.head(scaled) + self.told(levels))
        patch = self.architecture.patch
        squares = self.tail(features).movedim(1, -1)
        count, rows, columns, _ = squares.shape
        squares = squares.reshape(count, rows, columns, patch, patch)
        return squares.transpose(2, 3).reshape(count, 1, rows * patch, columns * patch)


# Timed, all of them.
CANDIDATES: dict[str, Architecture | Sketch] = {
    'small': SIZES['small'],
    # Levels told as a bias, not as planes; then the stem sees 8 x 8 pixels, not 12 x 12.
    'small-bias': Sketch((32, 64, 128), (1, 1, 2)),
    'small-stem8': Sketch((32, 64, 128), (1, 1, 2), stem=2),
    # At full size nothing but first and last convolution.
    'half': Sketch((32, 64, 128), (0, 1, 2), stem=2),
    'half-more': Sketch((32, 64, 128), (0, 2, 2), stem=2),
    'half-deep': Sketch((32, 64, 128), (0, 1, 4), stem=2),
    'half-16': Sketch((16, 64, 128), (0, 1, 2), stem=2),
    'small-64': Architecture(32, (1, 2, 2), (1, 1, 2)),
    'patch8': Sketch((64, 128), (1, 2), patch=8, stem=2),
    'patch8-stem24': Sketch((64, 128), (1, 2), patch=8),
    'patch8-96': Sketch((96, 128), (1, 2), patch=8, stem=2),
    'patch8-64': Sketch((64, 64), (1, 4), patch=8, stem=2),
    'patch8-3': Sketch((64, 64, 64), (1, 1, 2), patch=8, stem=2),
    'patch8-dw5': Sketch((64, 128), (2, 4), patch=8, stem=2, kernel=5),
    'dw5': Sketch((32, 64, 128), (1, 1, 2), stem=2, kernel=5),
    'dw7': Sketch((32, 64, 128), (1, 1, 2), stem=2, kernel=7),
    'dw5-deep': Sketch((32, 64, 128), (1, 2, 4), stem=2, kernel=5),
    'half-dw5': Sketch((16, 64, 128), (0, 2, 4), stem=2, kernel=5),
    'tiny': SIZES['tiny'],
    'tiny-stem8': Sketch((16, 32, 64), (1, 1, 2), stem=2),
    'tiny-half': Sketch((16, 32, 64), (0, 1, 2), stem=2),
    'tiny-half-64': Sketch((16, 64, 64), (0, 1, 2), stem=2),
    'tiny-half-deep': Sketch((16, 32, 64), (0, 2, 4), stem=2),
    'tiny-32': Sketch((32, 32, 64), (0, 1, 2), stem=2),
    'tiny-4': Architecture(16, (1, 2, 4, 8), (1, 1, 1, 1)),
    'tiny-patch8': Sketch((32, 64), (1, 2), patch=8, stem=2),
    'tiny-dw5': Sketch((16, 32, 64), (1, 1, 2), stem=2, kernel=5),
}


@dataclasses.dataclass(frozen=True)
class Run:
    """One training.

    Attributes:
        taught: the targets are what the embedded medium prior makes of the noised images.
    """

    name: str
    steps: int
    taught: bool = False

    @property
    def key(self) -> str:
        """What it is called in files and tables."""
        return f'{self.name}, {self.steps} steps' + (', taught' if self.taught else '')


# What promises time, and what it is compared with; then the most promising for longer.
FIRST = tuple(Run(name, 1500) for name in (
    'tiny', 'tiny-half', 'small', 'half', 'patch8', 'tiny-patch8', 'half-16', 'dw5'))
EXTRA = (Run('small', 1500, taught=True), Run('small', 4000), Run('dw5', 4000))


def network(name: str, planes: int = 1) -> nn.Module:
    """A network with random weights; `planes` as the image comes in."""
    candidate = CANDIDATES[name]
    if isinstance(candidate, Sketch):
        return SketchNetwork(candidate, planes)
    made = CompactNetwork(candidate)
    if planes == 2:
        made.take_parts()
    return made
