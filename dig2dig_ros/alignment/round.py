"""One judgement of a few frames of a rig, a little at a time."""

import dataclasses
import enum
from collections.abc import Mapping, Sequence

import numpy as np

from dig2dig_ros.alignment.equations import Linearised
from dig2dig_ros.alignment.refine import Refinement, Similarity


class Stage(enum.IntEnum):
    """What is refined, in this order.

    On a quarter of the work size first, all frames together, and then on the work size the even
    and the odd ones: of coarse fields alone the mean at the corners was 7 px where fine ones
    say 2.
    """

    COARSE = enum.auto()
    EVEN = enum.auto()
    ODD = enum.auto()


@dataclasses.dataclass(frozen=True)
class Round:
    """A judgement under way; only `step` makes the next state.

    Attributes:
        coarse: frames at half the size of `fine`.
        fine: the same frames.
        start: infrared to visible pixels of the fine ones, where to look from.
        middle: column and row of what both cameras see in the fine ones.
        fits: of the stages so far.
        compared: then, of the even and of the odd frames, energies where they fit and where they
            are, 2 x 3 x 4, see `LinearisedFrame.energies`.
    """

    coarse: Sequence[Linearised]
    fine: Sequence[Linearised]
    start: Similarity
    middle: tuple[int, int]
    fits: Mapping[Stage, Refinement] = dataclasses.field(default_factory=dict)
    compared: tuple[np.ndarray, ...] = ()

    @property
    def finished(self) -> bool:
        """Whether all is done."""
        return len(self.compared) == 2

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of the fine frames."""
        return self.fine[0][0].size

    def step(self, as_it_is: np.ndarray) -> 'Round':
        """Iterate once: all frames at once would hold up the picture for 40 ms.

        :param as_it_is: where infrared lies now, 2 x 3, in fine pixels.
        """
        stage = max(self.fits, default=None)
        if stage is None:
            stage, fit = Stage.COARSE, Refinement(self.coarse, self.start.rescaled(0.5))
        elif not self.fits[stage].finished:
            fit = self.fits[stage]
        elif stage is not Stage.ODD:
            stage = Stage(stage + 1)
            fit = Refinement(self.fine[stage is Stage.ODD::2],
                             self.fits[Stage.COARSE].motion.rescaled(2.0))
        else:
            return dataclasses.replace(self, compared=(*self.compared, self._compare(as_it_is)))
        return dataclasses.replace(self, fits={**self.fits, stage: fit.step()})

    def _compare(self, as_it_is: np.ndarray) -> np.ndarray:
        half = self.fine[len(self.compared)::2]
        return np.array([sum(frame.energies(infrared, place, self.middle)
                             for frame, infrared in half)
                         for place in (self.found, as_it_is)])

    @property
    def halves(self) -> tuple[np.ndarray, np.ndarray]:
        """Where the even and the odd frames put infrared, 2 x 3 in fine pixels."""
        return self.fits[Stage.EVEN].motion.matrix, self.fits[Stage.ODD].motion.matrix

    @property
    def found(self) -> np.ndarray:
        """The mean of both."""
        even, odd = self.halves
        return (even + odd) / 2

    @property
    def ncc(self) -> float:
        """Where they fit, of the half that fits less."""
        return min(self.fits[Stage.EVEN].ncc, self.fits[Stage.ODD].ncc)

    @property
    def gain(self) -> float:
        """By how much of it NCC grows from where infrared lies to where it fits.

        What the quadrant adds that adds most is left out. A camera that is off, is off in the
        whole picture; a fit to what moves, or to one thing that is near, gains in one place.
        """
        fitted, as_it_is = (shared / np.sqrt(moved.sum() * visible.sum())
                            for shared, moved, visible in sum(self.compared))
        more = fitted - as_it_is
        return float((more.sum() - more.max()) / fitted.sum())
