"""Networks that could take the place of the embedded small and tiny ones.

Most are other members of the compact family; a `Sketch` is what that family cannot express. It
speaks pixels on both sides, as the OpenVINO graph of the family does, so that tracing it costs it
nothing.
"""

import dataclasses

import torch
from torch import nn

from dig2dig_ros.prior.architecture import SHUFFLE, SIZES, Architecture
from dig2dig_ros.prior.compact import CompactNetwork


@dataclasses.dataclass(frozen=True)
class Sketch:
    """An `Architecture` on squares of another size, to which the levels are told as a bias.

    Attributes:
        form: of the network between first and last convolution, and of those all but the squares.
        patch: side in pixels of the squares that the finest level has its channels of.
    """

    form: Architecture
    patch: int = SHUFFLE

    @property
    def multiple(self) -> int:
        """Height and width of an input must be multiples of this."""
        return self.form.multiple * self.patch // SHUFFLE

    @property
    def receptive_field(self) -> int:
        """Side in pixels of the square that one output pixel depends on, at most."""
        return self.form.receptive_field * self.patch // SHUFFLE


class SketchNetwork(CompactNetwork):
    """A `CompactNetwork` with another first and last convolution."""

    def __init__(self, sketch: Sketch, planes: int = 1):
        """Take a sketch.

        :param planes: the image comes in that many: 2 is what half precision takes.
        """
        super().__init__(sketch.form)
        self.architecture, self.image_planes = sketch, planes
        finest, patch = sketch.form.widths[0], sketch.patch
        side = sketch.form.stem * patch
        self.head = nn.Conv2d(planes, finest, side, stride=patch, padding=(side - patch) // 2)
        self.told = nn.Conv2d(2 * planes, finest, 1)
        self.tail = nn.Conv2d(finest, patch ** 2, 3, padding=1)
        nn.init.zeros_(self.tail.weight)
        nn.init.zeros_(self.tail.bias)

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
    # What was shipped when these were compared.
    'small': Architecture(32, (1, 2, 4), (1, 1, 2)),
    # Levels told as a bias, not as planes; then the stem sees 8 x 8 pixels, not 12 x 12.
    'small-bias': Sketch(Architecture(32, (1, 2, 4), (1, 1, 2))),
    'small-stem8': Architecture(32, (1, 2, 4), (1, 1, 2), stem=2),
    # At full size nothing but first and last convolution.
    'half': Architecture(32, (1, 2, 4), (0, 1, 2), stem=2),
    'half-more': Architecture(32, (1, 2, 4), (0, 2, 2), stem=2),
    'half-deep': Architecture(32, (1, 2, 4), (0, 1, 4), stem=2),
    'half-16': Architecture(16, (1, 4, 8), (0, 1, 2), stem=2),
    'small-64': Architecture(32, (1, 2, 2), (1, 1, 2)),
    'patch8': Sketch(Architecture(64, (1, 2), (1, 2), stem=2), patch=8),
    'patch8-stem24': Sketch(Architecture(64, (1, 2), (1, 2)), patch=8),
    'patch8-96': Sketch(Architecture(32, (3, 4), (1, 2), stem=2), patch=8),
    'patch8-64': Sketch(Architecture(64, (1, 1), (1, 4), stem=2), patch=8),
    'patch8-3': Sketch(Architecture(64, (1, 1, 1), (1, 1, 2), stem=2), patch=8),
    'patch8-dw5': Sketch(Architecture(64, (1, 2), (2, 4), kernel=5, stem=2), patch=8),
    'dw5': Architecture(32, (1, 2, 4), (1, 1, 2), kernel=5, stem=2),
    'dw7': Architecture(32, (1, 2, 4), (1, 1, 2), kernel=7, stem=2),
    'dw5-deep': Architecture(32, (1, 2, 4), (1, 2, 4), kernel=5, stem=2),
    'half-dw5': Architecture(16, (1, 4, 8), (0, 2, 4), kernel=5, stem=2),
    'tiny': SIZES['tiny'],
    'tiny-stem8': Architecture(16, (1, 2, 4), (1, 1, 2), stem=2),
    'tiny-half': Architecture(16, (1, 2, 4), (0, 1, 2), stem=2),
    'tiny-half-64': Architecture(16, (1, 4, 4), (0, 1, 2), stem=2),
    'tiny-half-deep': Architecture(16, (1, 2, 4), (0, 2, 4), stem=2),
    'tiny-32': Architecture(32, (1, 1, 2), (0, 1, 2), stem=2),
    'tiny-4': Architecture(16, (1, 2, 4, 8), (1, 1, 1, 1)),
    'tiny-patch8': Sketch(Architecture(32, (1, 2), (1, 2), stem=2), patch=8),
    'tiny-dw5': Architecture(16, (1, 2, 4), (1, 1, 2), kernel=5, stem=2),
}


@dataclasses.dataclass(frozen=True)
class Run:
    """One training.

    Attributes:
        taught: the targets are what the embedded small prior makes of the noised images.
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
