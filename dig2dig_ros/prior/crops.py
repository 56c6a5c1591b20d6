"""Training crops, cut and augmented on the training device. No OpenCV here: a GPU box has none."""

from collections.abc import Callable, Sequence

import numpy as np
import torch

from dig2dig_ros.errors import InputError

ZOOM_SHARE = 0.3
INVERTED_SHARE = 0.15


class CropSampler:
    """Draws augmented square crops; every image is drawn equally often.

    All pixels lie in one tensor on the training device, so a batch is one gather there.
    """

    def __init__(self, images: Sequence[np.ndarray], size: int, device: torch.device):
        """Upload the images that are large enough.

        :param images: uint8, H x W each.
        :param size: side of a crop in pixels.
        :raises InputError: where no image holds a crop.
        """
        kept = [image for image in images if min(image.shape) >= size]
        if not kept:
            raise InputError(f'all {len(images)} images are smaller than the crop of {size} px; '
                             'give larger images or a smaller --crop')
        self.size, self.device = size, device
        self._pixels = torch.from_numpy(
            np.concatenate([image.reshape(-1) for image in kept])).to(device)
        shapes = torch.tensor([image.shape for image in kept])
        starts = shapes.prod(1).cumsum(0) - shapes.prod(1)
        self._table = torch.cat([shapes, starts[:, None]], dim=1).to(device)

    def sample(self, count: int, generator: torch.Generator) -> torch.Tensor:
        """Draw a batch.

        :param generator: on the device of the sampler.
        :returns: float32, count x 1 x size x size, in [-1, 1].
        """
        def uniform() -> torch.Tensor:
            return torch.rand(count, 1, 1, device=self.device, generator=generator)

        picks = torch.randint(len(self._table), (count,), device=self.device, generator=generator)
        height, width, start = self._table[picks][:, :, None, None].unbind(1)
        fits = torch.minimum(height, width) >= 2 * self.size
        zoom = 1 + (fits & (uniform() < ZOOM_SHARE)).long()
        top = (uniform() * (height - zoom * self.size + 1)).long()
        left = (uniform() * (width - zoom * self.size + 1)).long()
        rows, columns = self._oriented(uniform() < 0.5, uniform() < 0.5, uniform() < 0.5)
        corner = start + (top + zoom * rows) * width + left + zoom * columns
        near, far = corner, corner + (zoom - 1)
        below = (zoom - 1) * width
        corners = (self._pixels[index].float() for index in
                   (near, far, near + below, far + below))
        values = self._toned(sum(corners) / (4 * 255), uniform)
        return (2 * values - 1)[:, None]

    def _oriented(self, transposed: torch.Tensor, flipped: torch.Tensor,
                  mirrored: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Row and column that each crop reads at each place: the eight symmetries of a square."""
        places = torch.arange(self.size, device=self.device)
        rows, columns = places[None, :, None], places[None, None, :]
        rows, columns = (torch.where(transposed, columns, rows),
                         torch.where(transposed, rows, columns))
        last = self.size - 1
        return torch.where(flipped, last - rows, rows), torch.where(mirrored, last - columns,
                                                                    columns)

    @staticmethod
    def _toned(values: torch.Tensor, uniform: Callable[[], torch.Tensor]) -> torch.Tensor:
        """Vary gamma, contrast, brightness and polarity, as thermal cameras do."""
        values = values ** torch.exp(uniform() - 0.5)
        contrast = 0.4 + 0.7 * uniform()
        pivot = uniform()
        plain = uniform() < 0.4
        values = torch.where(plain, values, (values - pivot) * contrast + pivot).clamp(0, 1)
        return torch.where(uniform() < INVERTED_SHARE, 1 - values, values)
