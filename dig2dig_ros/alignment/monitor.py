"""Watches from the pictures themselves whether infrared still lies on visible."""

import copy
from collections import deque

import cv2
import numpy as np

from dig2dig_ros.alignment.field import gradient_field, grey_levels
from dig2dig_ros.alignment.refine import (
    LinearisedFrame,
    Refinement,
    Similarity,
    between_levels,
    blurred,
)
from dig2dig_ros.errors import InputError

PERIOD = 15
"""Frames from one look to the next."""
_FRAMES = 8
_WORK_PX = 320
_LEAST_NCC = 0.25
_HALVES_SHARE = 0.01  # of the diagonal: two halves of the frames must agree this well
_STEP_PX = 1.0
_Pair = tuple[LinearisedFrame, np.ndarray]


class Monitor:
    """Pools a few of the latest frames and refines on them, an iteration a frame.

    On a quarter of the work size first, all frames together, and then on the work size the even
    and the odd ones, whose mean counts: of coarse fields alone the mean at the corners was 7 px
    where fine ones say 2.

    Attributes:
        misalignment_px: how far infrared lies off, mean at the corners, in visible pixels, less
            what `correction` already does; None while too little is known.
        correction: 3 x 3 map of visible pixels that follows the drift; identity at first.
    """

    def __init__(self) -> None:
        """Start with nothing seen."""
        self._frames: deque[tuple[_Pair, _Pair]] = deque(maxlen=_FRAMES)
        self._seen = -1
        self._found = np.eye(3)[:2]
        self._size = (0, 0)
        # Under way: of all frames, coarse; then of the even and of the odd ones, fine.
        self._fits: tuple[Refinement, ...] = ()
        self._fine: tuple[_Pair, ...] = ()
        self.misalignment_px: float | None = None
        self.correction = np.eye(3)

    def copy(self) -> 'Monitor':
        """Make another one that goes on from here."""
        made = copy.copy(self)
        made._frames = self._frames.copy()
        return made

    def due(self) -> bool:
        """Count a frame, and tell whether to look at it."""
        self._seen += 1
        if self._fits:
            self._advance()
        return self._seen % PERIOD == 0

    def look(self, infrared: np.ndarray, visible: np.ndarray) -> None:
        """Take a pair.

        :param infrared: H x W uint8, aligned, but not by `correction`.
        :param visible: H x W or H x W x 3 uint8.
        """
        height, width = visible.shape[:2]
        scale = min(1.0, _WORK_PX / width)
        size = tuple(8 * max(round(side * scale / 8), 8) for side in (width, height))
        if (width, height) != self._size:
            self._frames.clear()
            self._fits = ()
            self._size = width, height
        try:
            fields = [gradient_field(grey_levels(cv2.resize(
                image, size, interpolation=cv2.INTER_AREA))) for image in (infrared, visible)]
        except InputError:  # a covered lens, or the shutter
            return
        self._frames.append(tuple(
            (LinearisedFrame(blurred(fields[1], level)), blurred(fields[0], level))
            for level in (1, 0)))
        if len(self._frames) == _FRAMES and not self._fits:
            coarse, self._fine = zip(*self._frames, strict=True)
            self._fits = (Refinement(coarse, Similarity(self._found).rescaled(0.5)),)

    def _advance(self) -> None:
        """Iterate once: eight frames at once would hold up the picture for 40 ms."""
        *done, current = self._fits
        current = current.step()
        self._fits = (*done, current)
        if not current.finished:
            return
        if len(self._fits) == 3:
            self._conclude()
            self._fits = ()
            return
        start = self._fits[0].motion.rescaled(2.0)
        self._fits += (Refinement(self._fine[len(done)::2], start),)

    def _conclude(self) -> None:
        even, odd = (fit.motion.matrix for fit in self._fits[1:])
        work = self._fine[0][0].size
        apart = _corners(even, work) - _corners(odd, work)
        if min(fit.ncc for fit in self._fits[1:]) < _LEAST_NCC or np.linalg.norm(
                apart, axis=1).mean() > _HALVES_SHARE * np.hypot(*work):
            self.misalignment_px = None
            self._found = np.eye(3)[:2]
            return
        self._found = (even + odd) / 2
        grow = (self._size[0] / work[0], self._size[1] / work[1])
        self._drift = np.vstack([between_levels(self._found, grow, grow), [0, 0, 1]])
        self.misalignment_px = float(np.linalg.norm(
            _corners(self._drift[:2], self._size) - _corners(self.correction[:2], self._size),
            axis=1).mean())

    def step(self, size: tuple[int, int]) -> bool:
        """Move `correction` towards what was found, no corner by more than a pixel.

        :param size: (width, height) of the visible image.
        :returns: whether it moved.
        """
        if self.misalignment_px is None:
            return False
        apart = np.linalg.norm(_corners(self._drift[:2], size)
                               - _corners(self.correction[:2], size), axis=1).max()
        if apart < 0.1:
            return False
        share = min(1.0, _STEP_PX / apart)
        self.correction = self.correction + share * (self._drift - self.correction)
        self.misalignment_px *= 1 - share
        return True


def _corners(matrix: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    right, bottom = size[0] - 1, size[1] - 1
    places = np.array([[0, right, 0, right], [0, 0, bottom, bottom], [1, 1, 1, 1]], np.float64)
    return (matrix @ places).T
