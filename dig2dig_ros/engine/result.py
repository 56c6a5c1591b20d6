"""What a fusion returns."""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class Timing:
    """Where the time of one frame went, in milliseconds.

    Attributes:
        upload_ms: checking, copy to the device, luminance, padding.
        dig_ms: the network batch of the levels, DIG and the weights.
        sampling_ms: the guided reverse process; next to 0 in one-pass mode.
        download_ms: colour, and the copy back.
        network_calls: images that went through the network.
    """

    upload_ms: float
    dig_ms: float
    sampling_ms: float
    download_ms: float
    network_calls: int

    @property
    def total_ms(self) -> float:
        """Sum of the stages."""
        return self.upload_ms + self.dig_ms + self.sampling_ms + self.download_ms


@dataclasses.dataclass(frozen=True)
class FusionResult:
    """One fused frame.

    Attributes:
        image: uint8, H x W where all sources are grey, else H x W x 3 (BGR).
        weights: float32, K x H x W in [0, 1], summing to 1 over the sources: their share in the
            fused image, averaged over levels or refreshes.
        timing: where the time went.
    """

    image: np.ndarray
    weights: np.ndarray
    timing: Timing
