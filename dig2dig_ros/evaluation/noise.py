"""Camera noise, added to clean pictures: what a fusion has to live with at night."""

import dataclasses
import zlib

import numpy as np

from dig2dig_ros.errors import InputError

MODELS = ('gaussian', 'night')
MID_GREY = 128
READ_SHARE = 0.25  # of the variance at mid grey: read noise; the rest is shot noise


@dataclasses.dataclass(frozen=True)
class CameraNoise:
    """Noise of a pair of cameras.

    Attributes:
        visible: standard deviation in grey levels of 255, of each channel; for the night model
            at mid grey (128).
        infrared: likewise, always Gaussian: a thermal camera's noise hardly depends on what it
            sees.
        model: of the visible camera. gaussian: the same everywhere. night: Poisson-Gaussian, the
            noise of few photons and high gain: variance s^2 (0.25 + 0.75 x / 128) at grey level
            x, the first part Gaussian (read noise), the second Poisson (shot noise).
        seed: with the stem, of all noise: a picture has the same noise in every run.
    """

    visible: float
    infrared: float
    model: str = 'gaussian'
    seed: int = 0

    def __post_init__(self):
        """:raises InputError: for a level that is negative, or an unknown model."""
        for name in ('visible', 'infrared'):
            if not 0 <= getattr(self, name) <= 255:
                raise InputError(f'noise of the {name} camera is {getattr(self, name)}; it is a '
                                 'standard deviation of 0 to 255 grey levels')
        if self.model not in MODELS:
            raise InputError(f'noise model is {self.model!r}; it is one of {", ".join(MODELS)}')

    @classmethod
    def parse(cls, text: str, model: str = 'gaussian', seed: int = 0) -> 'CameraNoise':
        """From `VISIBLE,INFRARED` in grey levels.

        :raises InputError: where that is not two numbers of 0 or more.
        """
        try:
            visible, infrared = (float(part) for part in text.split(','))
        except ValueError as error:
            raise InputError(f'--noise is {text!r}; it is VISIBLE,INFRARED in grey levels, as '
                             '25,8') from error
        return cls(visible, infrared, model, seed)

    def apply(self, stem: str, infrared: np.ndarray,
              visible: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """A pair as noisy cameras see it.

        :param stem: of the pair; seeds the noise.
        :param infrared: uint8, H x W or H x W x 3; likewise visible.
        :returns: infrared, visible: uint8 of the same shapes, clipped to 0..255.
        """
        generator = np.random.default_rng([self.seed, zlib.crc32(stem.encode())])
        bright = _gaussian(visible, self.visible, generator) if self.model == 'gaussian' \
            else _night(visible, self.visible, generator)
        return _gaussian(infrared, self.infrared, generator), bright


def _gaussian(image: np.ndarray, level: float, generator: np.random.Generator) -> np.ndarray:
    return _to_8_bit(image + level * generator.standard_normal(image.shape))


def _night(image: np.ndarray, level: float, generator: np.random.Generator) -> np.ndarray:
    if not level:
        return image
    gain = (1 - READ_SHARE) * level ** 2 / MID_GREY  # grey levels for each photon
    shot = gain * generator.poisson(image / gain)
    return _to_8_bit(shot + READ_SHARE ** 0.5 * level * generator.standard_normal(image.shape))


def _to_8_bit(image: np.ndarray) -> np.ndarray:
    return image.round().clip(0, 255).astype(np.uint8)
