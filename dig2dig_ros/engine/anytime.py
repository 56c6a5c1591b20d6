"""The anytime scale: the longest schedule that holds a latency budget at the measured speed."""

import dataclasses
from typing import NamedTuple

from dig2dig_ros.engine.result import Timing
from dig2dig_ros.engine.schedule import Schedule
from dig2dig_ros.settings import FusionSettings

# Sampling steps of the rungs below the settings' own.
STEPS = (100, 50, 25, 20, 15, 10, 7, 5, 3)
# What a level at a quarter of the size takes of a full one's time, with what is done around it:
# 20.2 ms for 49.8 (640x512, small, two cores of an AMD EPYC with AVX2 alone).
COARSE_COST = 0.41
# A longer schedule must fit with room to spare, or noise in the timing would switch to and fro.
CLIMB_MARGIN = 0.85
# Share of the newest frame in the running estimates: a slower machine is noticed in a few frames.
SMOOTHING = 0.25
# Share of the sampling steps that a warm start runs, the last ones.
WARM_SHARE = 1 / 3

# Milliseconds of a frame, running means: `fixed`, and of each image a `level` and a `step` with
# what is done around it. Of one working size: half of it does not take a quarter of the time.
_Costs = dict[str, float]


def rungs(settings: FusionSettings) -> list[FusionSettings]:
    """The settings themselves, then ever simpler ones.

    By quality for each millisecond: fewer sampling steps first, then none (one-pass), no noise
    draws, and all at half the resolution. The last is no faster on clean cameras
    (docs/performance.md); whether it is, the controller measures.
    """
    ladder = [settings]
    if settings.mode == 'sample':
        ladder += [dataclasses.replace(settings, steps=steps, interval=steps)
                   for steps in STEPS if steps < settings.steps]
        ladder.append(dataclasses.replace(settings, mode='one-pass'))
    if ladder[-1].draws > 1:
        ladder.append(dataclasses.replace(ladder[-1], draws=0))
    if settings.scale > 0.5:
        ladder.append(dataclasses.replace(ladder[-1], scale=0.5))
    return ladder


class Calls(NamedTuple):
    """Images that a frame gives the network: in its levels, and in its sampling steps."""

    levels: int
    steps: int


def warm_step(steps: int) -> int:
    """The sampling step, of so many, at which a frame starts that has a picture to start from."""
    return round((1 - WARM_SHARE) * steps)


class LatencyController:
    """Chooses a rung before each frame and learns from its timing after.

    A rung must hold the budget for a warm frame, which is what a live camera mostly brings, with
    its weights refreshed. A cold one may ask `holds` whether it has to be cut short.

    Attributes:
        budget_ms: from images in to images out; may change between frames.
    """

    def __init__(self, budget_ms: float):
        """Take the budget, from images in to images out."""
        self.budget_ms = budget_ms
        self._asked: tuple[FusionSettings, int] | None = None
        self._rungs: list[FusionSettings] = []
        self._chosen = 0
        self._costs: dict[float, _Costs] = {}

    def choose(self, settings: FusionSettings, source_count: int) -> FusionSettings:
        """The settings for the next frame.

        :param settings: what the user wants where there is time; the top rung.
        """
        asked = settings, source_count
        if asked != self._asked:
            self._asked, self._rungs = asked, rungs(settings)
            self._chosen = self._longest(1.0) if self._costs else 0
        elif self._costs:
            fitting = self._longest(1.0)
            climbing = self._longest(CLIMB_MARGIN)
            self._chosen = max(fitting, min(self._chosen, climbing))
        return self._rungs[self._chosen]

    def observe(self, settings: FusionSettings, timing: Timing, ran: Calls) -> None:
        """Learn from a frame that ran with `settings` and gave the network so many images."""
        fixed = timing.upload_ms + timing.download_ms
        seen = {'fixed': fixed if ran.steps else fixed + timing.sampling_ms}
        if ran.levels:
            seen['level'] = timing.dig_ms / (ran.levels * _level_share(settings))
        if ran.steps:
            seen['step'] = timing.sampling_ms / ran.steps
        own = self._costs.setdefault(settings.scale, {})
        for part, milliseconds in seen.items():
            before = own.get(part, milliseconds)
            own[part] = before + SMOOTHING * (milliseconds - before)
            # A machine that others slow down, or leave alone again, is so at every size.
            for other in self._costs.values():
                if other is not own and part in other and before > 0:
                    other[part] *= own[part] / before

    def holds(self, settings: FusionSettings, calls: Calls) -> bool:
        """Whether a frame of so many calls is predicted to take at most the budget.

        True as long as nothing was measured.
        """
        return self._predict(settings, calls) <= self.budget_ms

    def _longest(self, share: float) -> int:
        """The first rung predicted to take at most that share of the budget, or the cheapest."""
        predicted = [self._predict(settings, self._warm(settings)) for settings in self._rungs]
        held = (index for index, milliseconds in enumerate(predicted)
                if milliseconds <= share * self.budget_ms)
        return next(held, predicted.index(min(predicted)))

    def _warm(self, settings: FusionSettings) -> Calls:
        """What a warm frame with fresh weights gives the network."""
        schedule, source_count = Schedule.of(settings), self._asked[1]
        steps = len(schedule.timesteps)
        return Calls(source_count * max(1, settings.draws) * len(schedule.levels),
                     steps - warm_step(steps))

    def _predict(self, settings: FusionSettings, calls: Calls) -> float:
        costs = self._costs_at(settings.scale)
        level = costs.get('level', 0.0)
        # Before any step was measured, a step is taken for as long as a level.
        step = costs.get('step', level)
        return (costs.get('fixed', 0.0) + calls.levels * level * _level_share(settings)
                + calls.steps * step)

    def _costs_at(self, scale: float) -> _Costs:
        """As measured; before that, as another size has it, by the pixels."""
        if scale in self._costs or not self._costs:
            return self._costs.get(scale, {})
        measured, costs = next(iter(self._costs.items()))
        return {part: value if part == 'fixed' else value * (scale / measured) ** 2
                for part, value in costs.items()}


def _level_share(settings: FusionSettings) -> float:
    """Time of the levels, in that of as many at full size."""
    schedule = Schedule.of(settings)
    return 1 - (1 - COARSE_COST) * schedule.coarse / len(schedule.levels)
