"""Whether an infrared camera shows hot as white or as black; hot is white afterwards."""

import cv2
import numpy as np

POLARITIES = ('white-hot', 'black-hot', 'auto')
# Of 602 white-hot images of nine sets none scores below -1.39; above 1.5 are all those of MSRS,
# two thirds of LLVIP, half of M3SVD, and hardly any of the daylight scenes of RoadScene.
CLEAR = 1.5
SMOOTHING = 0.9
_SIZE = (160, 128)
_FINE_PX, _COARSE_PX = 1.5, 8.0
_MARGIN = 20  # a black rim, as of a rectified image, is no scene: leave a twentieth out


def heat_score(image: np.ndarray) -> float:
    """Skewness of local contrast: hot things are small and stand out, cold ones are wide.

    :param image: uint8, H x W.
    :returns: above 0 where small spots are bright, below 0 where they are dark.
    """
    rows, columns = (size // _MARGIN for size in image.shape)
    inside = image[rows:image.shape[0] - rows, columns:image.shape[1] - columns]
    small = cv2.resize(inside, _SIZE, interpolation=cv2.INTER_AREA).astype(np.float32)
    contrast = (cv2.GaussianBlur(small, (0, 0), _FINE_PX)
                - cv2.GaussianBlur(small, (0, 0), _COARSE_PX))
    # A frame without contrast says nothing: its variance counts as one level's at least.
    return float((contrast ** 3).mean() / max(float((contrast ** 2).mean()), 1.0) ** 1.5)


class Polarity:
    """Makes hot white, by what is set or by what a camera's frames say so far."""

    def __init__(self, polarity: str = 'white-hot') -> None:
        """Choose one of `POLARITIES`; `auto` is white-hot where in doubt."""
        self._polarity = polarity
        self.reset()

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """Turn a frame, uint8 H x W, into hot as white; `image` itself where it is."""
        if self._polarity == 'auto':
            self._follow(image)
        return 255 - image if self._inverted else image

    def reset(self) -> None:
        """Forget the frames seen."""
        self._score: float | None = None
        self._inverted = self._polarity == 'black-hot'

    @property
    def memory(self) -> tuple[float, bool] | None:
        """What carries over to the next frame; None: nothing."""
        return None if self._score is None else (self._score, self._inverted)

    def recall(self, memory: tuple[float, bool] | None) -> None:
        """Go on from the `memory` of one with the same setting."""
        self.reset()
        if memory is not None:
            self._score, self._inverted = memory

    def _follow(self, image: np.ndarray) -> None:
        score = heat_score(image)
        if self._score is not None:
            score = SMOOTHING * self._score + (1 - SMOOTHING) * score
        self._score = score
        # Only as clear a scene of the other kind changes it back: no flicker between the two.
        if abs(score) > CLEAR:
            self._inverted = score < 0
