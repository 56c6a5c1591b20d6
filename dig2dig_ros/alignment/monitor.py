"""Watches from the pictures themselves whether infrared still lies on visible."""

import copy
from collections import deque

import numpy as np

from dig2dig_ros.alignment.equations import Linearised, LinearisedFrame
from dig2dig_ros.alignment.field import packed, paired_fields
from dig2dig_ros.alignment.quadrants import shared_distance
from dig2dig_ros.alignment.refine import Similarity, between_levels, blurred
from dig2dig_ros.alignment.round import Round
from dig2dig_ros.errors import InputError

PERIOD = 15
"""Frames from one look to the next."""
MISALIGNED_PX = 3.0
"""Visible pixels, mean over the picture; what is beyond is told."""
_LOOKS = 2  # from one refinement to the next: it costs more than they do
_FRAMES = 8
_WORK_PX = 320
_LEAST_NCC = 0.25
_HALVES_SHARE = 0.006  # of the diagonal: two halves of the frames must agree this well
# Measured (studies/alignment_drift.py): at most 0.006 of the smoke of M3SVD's 0117, of which 3 to
# 5 px are said; 0.02 to 0.06 of rigs truly knocked by 4 px, more beyond.
_LEAST_GAIN = 0.035
_STEP_PX = 1.0


class Monitor:
    """Pools a few of the latest frames and refines on them, an iteration a frame.

    What even and odd frames say must agree, and their mean counts.

    Attributes:
        misalignment_px: how far infrared lies off, mean over the picture, in visible pixels, less
            what `correction` already does; None while too little is known.
        evident: whether the pictures fit notably better where that is made good. Where little
            structure is shared a place some pixels off fits as well as the right one.
        correction: 3 x 3 map of visible pixels that follows the drift; identity at first.
    """

    def __init__(self) -> None:
        """Start with nothing seen."""
        self._frames: deque[tuple[Linearised, Linearised]] = deque(maxlen=_FRAMES)
        self._seen = -1
        self._period = PERIOD
        self._found = np.eye(3)[:2]
        self._size = (0, 0)
        self._middle = (0, 0)
        self._round: Round | None = None
        self.misalignment_px: float | None = None
        self.evident = False
        self.correction = np.eye(3)

    @property
    def misaligned(self) -> bool:
        """Whether to warn of it."""
        return self.evident and (self.misalignment_px or 0.0) > MISALIGNED_PX

    def copy(self) -> 'Monitor':
        """Make another one that goes on from here."""
        made = copy.copy(self)
        made._frames = self._frames.copy()
        return made

    def expect(self, pairs: int) -> None:
        """Look oftener where only so many pairs come, and at none where they are too few."""
        self._period = min(PERIOD, pairs // _FRAMES)

    def due(self) -> bool:
        """Count a frame, and tell whether to look at it."""
        if not self._period:
            return False
        self._seen += 1
        if self._round is not None:
            self._advance(self._round)
        return self._seen % self._period == 0

    def judge(self) -> None:
        """Judge the latest frames now, which takes as long as all the iterations of a round."""
        self._round = self._new_round()
        while self._round is not None:
            self._advance(self._round)

    def look(self, infrared: np.ndarray, visible: np.ndarray,
             valid: np.ndarray | None = None) -> None:
        """Take a pair.

        :param infrared: H x W uint8, aligned, but not by `correction`.
        :param visible: H x W or H x W x 3 uint8.
        :param valid: bool H x W, where infrared is there; None: everywhere.
        """
        height, width = visible.shape[:2]
        scale = min(1.0, _WORK_PX / width)
        size = tuple(8 * max(round(side * scale / 8), 8) for side in (width, height))
        if (width, height) != self._size:
            self._frames.clear()
            self._round = None
            self._size = width, height
            self.misalignment_px, self.evident = None, False
        self._middle = _middle(valid, size)
        try:
            fields = paired_fields(infrared, visible, valid, size)
        except InputError:  # a covered lens, or the shutter
            return
        self._frames.append(tuple(
            (LinearisedFrame(blurred(fields[1], level)), packed(blurred(fields[0], level)))
            for level in (1, 0)))
        whose_turn = self._seen // self._period % _LOOKS == (_FRAMES - 1) % _LOOKS
        if self._round is None and whose_turn:
            self._round = self._new_round()

    def _new_round(self) -> Round | None:
        """Begin to judge the latest frames; None while there are too few."""
        if len(self._frames) < _FRAMES:
            return None
        return Round(*zip(*self._frames, strict=True), Similarity(self._found),
                     self._middle)

    def _advance(self, current: Round) -> None:
        shrink = tuple(of_work / of_image for of_work, of_image in
                       zip(current.size, self._size, strict=True))
        current = current.step(between_levels(self.correction[:2], shrink, shrink))
        self._round = None if current.finished else current
        if current.finished:
            self._conclude(current, tuple(1 / each for each in shrink))

    def _conclude(self, done: Round, grow: tuple[float, float]) -> None:
        """Take what a round found.

        :param grow: visible pixels to a pixel of the round, along x and y.
        """
        even, odd = done.halves
        apart = shared_distance(_whole(even), _whole(odd), done.size, done.size)
        if done.ncc < _LEAST_NCC or apart > _HALVES_SHARE * np.hypot(*done.size):
            self.misalignment_px, self.evident = None, False
            self._found = np.eye(3)[:2]
            return
        self._found = done.found
        self._drift = _whole(between_levels(self._found, grow, grow))
        self.misalignment_px = shared_distance(self._drift, self.correction, self._size,
                                               self._size)
        self.evident = done.gain > _LEAST_GAIN

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


def _middle(valid: np.ndarray | None, size: tuple[int, int]) -> tuple[int, int]:
    """Column and row at the middle of what is valid, in an image of another size."""
    if valid is None or not valid.any():
        return size[0] // 2, size[1] // 2
    ends = [np.flatnonzero(valid.any(axis=axis))[[0, -1]] for axis in (0, 1)]
    return tuple(round((end.sum() + 1) / 2 * side / full) for end, side, full in
                 zip(ends, size, valid.shape[::-1], strict=True))


def _whole(matrix: np.ndarray) -> np.ndarray:
    return np.vstack([matrix, [0, 0, 1]])


def _corners(matrix: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    right, bottom = size[0] - 1, size[1] - 1
    places = np.array([[0, right, 0, right], [0, 0, bottom, bottom], [1, 1, 1, 1]], np.float64)
    return (matrix @ places).T
