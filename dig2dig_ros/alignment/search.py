"""Finds a similarity between two cameras by correlation, pooled over frames of one rig."""

import dataclasses
from collections.abc import Sequence

import cv2
import numpy as np

from dig2dig_ros.alignment.field import warp_field


@dataclasses.dataclass(frozen=True)
class Peak:
    """The best hypothesis of a search.

    Attributes:
        similarity: 2 x 3, infrared to visible, in pixels of the fields that were searched.
        height: of the correlation there.
        z: how many standard deviations of that correlation's surface it stands above the mean.
    """

    similarity: np.ndarray
    height: float
    z: float


def similarity(scale: float, angle: float, shift: Sequence[float],
               source: tuple[int, int], target: tuple[int, int]) -> np.ndarray:
    """Scale and turn about the centre of a source frame, whose centre goes to the target's.

    :param angle: radians, from x towards y.
    :param shift: (x, y) added in target pixels.
    :param source: (width, height).
    :returns: 2 x 3 float64.
    """
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    middle, goal = ((np.array(size) - 1) / 2 for size in (source, target))
    return np.column_stack([turn, goal + np.asarray(shift) - turn @ middle])


class Correlator:
    """Correlates the fields of several frames under hypotheses of scale and rotation."""

    def __init__(self, infrared: Sequence[np.ndarray], visible: Sequence[np.ndarray],
                 max_shift: float) -> None:
        """Transform the visible side once.

        :param infrared: fields h x w x 2, one for each frame.
        :param visible: fields H x W x 2, one for each frame.
        :param max_shift: of the infrared centre, as a share of the visible width and height.
        """
        height, width = visible[0].shape[:2]
        self._infrared = infrared
        self._source = infrared[0].shape[1::-1]
        self._target = (width, height)
        self._size = (cv2.getOptimalDFTSize(width), cv2.getOptimalDFTSize(height))
        self._spectra = [self._transform(field) for field in visible]
        reach = (int(max_shift * width), int(max_shift * height))
        self._columns = np.r_[-reach[0]:reach[0] + 1]
        self._rows = np.r_[-reach[1]:reach[1] + 1]

    def _transform(self, field: np.ndarray) -> np.ndarray:
        width, height = self._size
        padded = cv2.copyMakeBorder(field, 0, height - field.shape[0], 0,
                                    width - field.shape[1], cv2.BORDER_CONSTANT)
        return cv2.dft(padded, flags=cv2.DFT_COMPLEX_OUTPUT)

    def peaks(self, scale: float, angle: float) -> tuple[Peak, Peak, Peak]:
        """Correlate under one hypothesis.

        :returns: the peak of all frames, of the even ones and of the odd ones.
        """
        turned = similarity(scale, angle, (0, 0), self._source, self._target)
        halves = [np.zeros((*self._size[::-1], 2), np.float32) for _ in range(2)]
        for index, (field, spectrum) in enumerate(
                zip(self._infrared, self._spectra, strict=True)):
            moved = self._transform(warp_field(field, turned, self._target))
            # visible(x) = infrared(x - shift) peaks at shift.
            cross = cv2.mulSpectrums(spectrum, moved, 0, conjB=True)
            size = np.sqrt(cv2.magnitude(cross[..., 0], cross[..., 1])) + 1e-6
            halves[index % 2] += cross / size[..., None]
        surfaces = [cv2.dft(half, flags=cv2.DFT_INVERSE | cv2.DFT_SCALE)[..., 0][
            np.ix_(self._rows, self._columns)] for half in halves]
        return tuple(self._peak(surface, turned)
                     for surface in (surfaces[0] + surfaces[1], *surfaces))

    def _peak(self, surface: np.ndarray, turned: np.ndarray) -> Peak:
        _, height, _, (column, row) = cv2.minMaxLoc(surface)
        mean, spread = cv2.meanStdDev(surface)
        moved = turned.copy()
        moved[:, 2] += self._columns[column], self._rows[row]
        return Peak(moved, height, float((height - mean.item()) / max(spread.item(), 1e-12)))
