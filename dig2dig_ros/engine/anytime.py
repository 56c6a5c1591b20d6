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


def rungs(settings: FusionSettings) -> list[FusionSettings]:
    """The settings themselves, then ever cheaper ones.

    By quality for each millisecond: fewer sampling steps first, then none (one-pass), no noise
    draws, and all at half the resolution.
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
        # Milliseconds; a call is one image at scale 1, with what is done around it.
        self._fixed = _RunningMean()
        self._level_call = _RunningMean()
        self._step_call = _RunningMean()

    def choose(self, settings: FusionSettings, source_count: int) -> FusionSettings:
        """The settings for the next frame.

        :param settings: what the user wants where there is time; the top rung.
        """
        asked = settings, source_count
        if asked != self._asked:
            self._asked, self._rungs = asked, rungs(settings)
            self._chosen = 0 if self._level_call.value is None else self._longest(1.0)
        elif self._level_call.value is not None:
            fitting = self._longest(1.0)
            climbing = self._longest(CLIMB_MARGIN)
            self._chosen = max(fitting, min(self._chosen, climbing))
        return self._rungs[self._chosen]

    def observe(self, settings: FusionSettings, timing: Timing, ran: Calls) -> None:
        """Learn from a frame that ran with `settings` and gave the network so many images."""
        pixels = settings.scale ** 2
        self._fixed.add(timing.upload_ms + timing.download_ms)
        if ran.levels:
            self._level_call.add(timing.dig_ms / (ran.levels * pixels * _level_share(settings)))
        if ran.steps:
            self._step_call.add(timing.sampling_ms / (ran.steps * pixels))

    def holds(self, settings: FusionSettings, calls: Calls) -> bool:
        """Whether a frame of so many calls is predicted to take at most the budget.

        True as long as nothing was measured.
        """
        return self._predict(settings, calls) <= self.budget_ms

    def _longest(self, share: float) -> int:
        """The first rung predicted to take at most that share of the budget, or the last."""
        for index, settings in enumerate(self._rungs):
            if self._predict(settings, self._warm(settings)) <= share * self.budget_ms:
                return index
        return len(self._rungs) - 1

    def _warm(self, settings: FusionSettings) -> Calls:
        """What a warm frame with fresh weights gives the network."""
        schedule, source_count = Schedule.of(settings), self._asked[1]
        steps = len(schedule.timesteps)
        return Calls(source_count * max(1, settings.draws) * len(schedule.levels),
                     steps - warm_step(steps))

    def _predict(self, settings: FusionSettings, calls: Calls) -> float:
        level = self._level_call.value or 0.0
        # Before any step was measured, a step is taken for as long as a level.
        step = level if self._step_call.value is None else self._step_call.value
        return ((self._fixed.value or 0.0)
                + (calls.levels * level * _level_share(settings) + calls.steps * step)
                * settings.scale ** 2)


def _level_share(settings: FusionSettings) -> float:
    """Time of the levels, in that of as many at full size."""
    schedule = Schedule.of(settings)
    return 1 - (1 - COARSE_COST) * schedule.coarse / len(schedule.levels)


class _RunningMean:
    """An exponential mean that starts at the first value."""

    def __init__(self):
        self.value: float | None = None

    def add(self, value: float) -> None:
        self.value = value if self.value is None else (
            self.value + SMOOTHING * (value - self.value))
