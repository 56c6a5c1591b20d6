"""What the engine asks of a diffusion prior."""

import abc

import torch
from torch import nn


class Prior(nn.Module, abc.ABC):
    """A denoiser of luminance, whatever its network predicts inside.

    Attributes:
        kind: short name of the architecture, for reports (such as `compact-6.5M`).
        multiple: height and width of the input must be multiples of this; the engine pads.
        receptive_field: side in pixels of the square of input that an output pixel depends on;
            None where that is all of the image (attention).
        coarse: what denoises coarse levels in its place, at a quarter of the size
            (`engine.coarse`); None where there is no such network.
        own_threads: whether the network runs on CPU threads of its own, not on torch's.
        int8_pays: whether it has an int8 form that is faster on this CPU than any other.
    """

    kind: str
    multiple: int
    receptive_field: int | None = None
    coarse: 'Prior | None'
    own_threads: bool = False
    int8_pays: bool = False

    def __init__(self):
        super().__init__()
        self.coarse = None

    @abc.abstractmethod
    def forward(self, noised: torch.Tensor, timesteps: torch.Tensor) -> torch.Tensor:
        """Estimate the clean image in one step (Eq. 10: x0_hat).

        :param noised: x_t = sqrt(alpha_bar_t) x_0 + sqrt(1 - alpha_bar_t) eps, float32,
            N x 1 x H x W, with x_0 in [-1, 1].
        :param timesteps: int64, N, in 0..999, on the same device.
        :returns: x0_hat, float32, N x 1 x H x W, clamped to [-1, 1]. The network may run in
            half precision; the reconstruction is float32.
        """

    @abc.abstractmethod
    def to_precision(self, dtype: torch.dtype) -> 'Prior':
        """Run the network in this precision from now on.

        :returns: the prior itself.
        :raises InputError: for int8, where it has no such form.
        """

    def specialise(self, batch: int, height: int, width: int) -> None:
        """Get ready for inputs of one size that will come often. Nothing, by default."""

    @property
    def parameter_count(self) -> int:
        """Number of learned scalars, without those of `coarse`."""
        all_of_them = sum(parameter.numel() for parameter in self.parameters())
        return all_of_them - (self.coarse.parameter_count if self.coarse else 0)
