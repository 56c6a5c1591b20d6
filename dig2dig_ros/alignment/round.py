"""One judgement of a few frames of a rig, an iteration at a time."""

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
    say 2. Last, how well they fit as they are.
    """

    COARSE = enum.auto()
    EVEN = enum.auto()
    ODD = enum.auto()
    EVEN_AS_IT_IS = enum.auto()
    ODD_AS_IT_IS = enum.auto()

    @property
    def is_one_step(self) -> bool:
        """Whether it only looks how well the frames fit where it starts."""
        return self >= Stage.EVEN_AS_IT_IS

    @property
    def frames(self) -> slice:
        """Which of the fine frames count."""
        return slice(int(self in (Stage.ODD, Stage.ODD_AS_IT_IS)), None, 2)


@dataclasses.dataclass(frozen=True)
class Round:
    """A judgement under way; only `step` makes the next state.

    Attributes:
        coarse: frames at half the size of `fine`.
        fine: the same frames.
        start: infrared to visible pixels of the fine ones, where to look from.
        fits: of the stages so far.
    """

    coarse: Sequence[Linearised]
    fine: Sequence[Linearised]
    start: Similarity
    fits: Mapping[Stage, Refinement] = dataclasses.field(default_factory=dict)

    @property
    def finished(self) -> bool:
        """Whether all stages are done."""
        return max(Stage) in self.fits

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of the fine frames."""
        return self.fine[0][0].size

    def step(self, as_it_is: Similarity) -> 'Round':
        """Iterate once: all frames at once would hold up the picture for 40 ms.

        :param as_it_is: where infrared lies now, in fine pixels.
        """
        stage = max(self.fits, default=None)
        if stage is None:
            stage, fit = Stage.COARSE, Refinement(self.coarse, self.start.rescaled(0.5))
        elif self.fits[stage].finished or stage.is_one_step:
            stage = Stage(stage + 1)
            start = as_it_is if stage.is_one_step else (
                self.fits[Stage.COARSE].motion.rescaled(2.0))
            fit = Refinement(self.fine[stage.frames], start)
        else:
            fit = self.fits[stage]
        return dataclasses.replace(self, fits={**self.fits, stage: fit.step()})

    @property
    def halves(self) -> tuple[np.ndarray, np.ndarray]:
        """Where the even and the odd frames put infrared, 2 x 3 in fine pixels."""
        return self.fits[Stage.EVEN].motion.matrix, self.fits[Stage.ODD].motion.matrix

    @property
    def fitted_ncc(self) -> tuple[float, float]:
        """NCC of the even and of the odd frames there."""
        return self.fits[Stage.EVEN].ncc, self.fits[Stage.ODD].ncc

    @property
    def ncc_as_it_is(self) -> tuple[float, float]:
        """NCC of the even and of the odd frames where they are now."""
        return self.fits[Stage.EVEN_AS_IT_IS].ncc, self.fits[Stage.ODD_AS_IT_IS].ncc
