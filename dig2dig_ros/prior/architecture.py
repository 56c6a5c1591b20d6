"""The sizes that compact priors come in."""

import dataclasses

SHUFFLE = 4
KERNELS = range(3, 32, 2)
STEMS = 2, 3


@dataclasses.dataclass(frozen=True)
class Architecture:
    """Size of a compact prior.

    Attributes:
        channels: width of the finest level.
        multipliers: width of each level relative to `channels`, finest first.
        blocks: residual blocks of each level, on the way down and again on the way up; the
            coarsest level has that many in all.
        kernel: side of a block's convolutions, one of `KERNELS`: 3 for a pair of full ones; a
            wider one is depthwise, and two of 1 x 1 follow it.
        stem: side of the first convolution in squares of `SHUFFLE` pixels, one of `STEMS`.
    """

    channels: int
    multipliers: tuple[int, ...]
    blocks: tuple[int, ...]
    kernel: int = 3
    stem: int = 3

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
        reach = (self.stem - 1) * SHUFFLE // 2 + SHUFFLE  # head and tail
        block_reach = 2 if self.kernel == 3 else self.kernel // 2
        for level, blocks in enumerate(self.blocks):
            passes = 1 if level == len(self.blocks) - 1 else 2
            reach += block_reach * passes * blocks * SHUFFLE * 2 ** level
        return 2 * reach + self.multiple


SIZES = {
    'tiny': Architecture(channels=16, multipliers=(1, 2, 4), blocks=(1, 1, 2)),
    'small': Architecture(
        channels=32, multipliers=(1, 2, 4), blocks=(1, 1, 2), kernel=5, stem=2),
    'medium': Architecture(channels=64, multipliers=(1, 2, 4), blocks=(2, 2, 4)),
    'large': Architecture(channels=128, multipliers=(1, 2, 4), blocks=(2, 2, 4)),
}
