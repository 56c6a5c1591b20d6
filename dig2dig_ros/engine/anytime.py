"""The anytime scale: the longest schedule that holds a latency budget at the measured speed."""

import dataclasses

from dig2dig_ros.engine.result import Timing
from dig2dig_ros.engine.schedule import Schedule
from dig2dig_ros.engine.settings import FusionSettings

# Sampling steps of the rungs below the settings' own.
STEPS = (100, 50, 25, 20, 15, 10, 7, 5, 3)
# A longer schedule must fit with room to spare, or noise in the timing would switch to and fro.
CLIMB_MARGIN = 0.85
# Share of the newest frame in the running estimates: a slower machine is noticed in a few frames.
SMOOTHING = 0.25


def rungs(settings: FusionSettings) -> list[FusionSettings]:
    """The settings themselves, then ever cheaper ones.

    Fewer sampling steps first, then none (one-pass), no noise draws, and half the resolution.
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


class LatencyController:
    """Chooses a rung before each frame and learns from its timing after."""

    def __init__(self, budget_ms: float):
        """Take the budget, from images in to images out."""
        self._budget_ms = budget_ms
        self._settings: FusionSettings | None = None
        self._rungs: list[FusionSettings] = []
        self._chosen = 0
        self._fixed_ms = 0.0
        # Of one image at scale 1 through the network, with what is done around it.
        self._call_ms: float | None = None

    def choose(self, settings: FusionSettings) -> FusionSettings:
        """The settings for the next frame.

        :param settings: what the user wants where there is time; the top rung.
        """
        if settings != self._settings:
            self._settings, self._rungs = settings, rungs(settings)
            self._chosen = 0 if self._call_ms is None else self._longest(1.0)
        elif self._call_ms is not None:
            fitting = self._longest(1.0)
            climbing = self._longest(CLIMB_MARGIN)
            self._chosen = max(fitting, min(self._chosen, climbing))
        return self._rungs[self._chosen]

    def observe(self, settings: FusionSettings, timing: Timing) -> None:
        """Learn from a frame that ran with `settings`."""
        if not timing.network_calls:
            return
        fixed = timing.upload_ms + timing.download_ms
        call = ((timing.dig_ms + timing.sampling_ms)
                / (timing.network_calls * settings.scale ** 2))
        if self._call_ms is None:
            self._fixed_ms, self._call_ms = fixed, call
        self._fixed_ms += SMOOTHING * (fixed - self._fixed_ms)
        self._call_ms += SMOOTHING * (call - self._call_ms)

    def _longest(self, share: float) -> int:
        """The first rung predicted to take at most that share of the budget, or the last."""
        for index, settings in enumerate(self._rungs):
            if self._predict(settings) <= share * self._budget_ms:
                return index
        return len(self._rungs) - 1

    def _predict(self, settings: FusionSettings) -> float:
        """Milliseconds of a cold frame of two sources, which is what a live node has."""
        schedule = Schedule.of(settings)
        calls = 2 * max(1, settings.draws) * len(schedule.levels) + len(schedule.timesteps)
        return self._fixed_ms + calls * self._call_ms * settings.scale ** 2
