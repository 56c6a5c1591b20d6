"""FusionStream: a live camera's frames repeat, so most of the last frame's work still holds."""

import dataclasses
from collections.abc import Sequence

import numpy as np
import torch
from torch.nn import functional

from dig2dig_ros.engine.anytime import Calls, LatencyController, warm_step
from dig2dig_ros.engine.contrast import CUT_SHARE
from dig2dig_ros.engine.engine import FusionEngine
from dig2dig_ros.engine.filters import block_means, box_mean
from dig2dig_ros.engine.frame import Frame
from dig2dig_ros.engine.noise import deviation
from dig2dig_ros.engine.pipeline import Weighed
from dig2dig_ros.engine.result import FusionResult
from dig2dig_ros.settings import FusionSettings

# A block has moved where the mean of some source over its 8 x 8 pixels changed by more than 4 of
# 255 levels: seven deviations of a sensor noise of 3 levels. The prior's multiple holds the block.
BLOCK_PX = 8
MOTION_THRESHOLD = 4 / 127.5
# The same of a noisy source, in deviations of its noise: five of a block's difference.
NOISE_IN_MOTION = 5 * 2 ** 0.5 / BLOCK_PX
# Of a noisy source, so much of the frames before is kept where nothing changed: the deviation of
# what noise the denoiser leaves halves.
KEPT = 0.6
# A change of the clean end, averaged over a window of so many pixels, counts as a change from
# about this share of the noise on.
CHANGE_WINDOW = 5
NOISE_IN_CLEAN_END = 0.3
# What moved spoils the blocks around it, as far as weights and guidance reach.
MOTION_REACH_BLOCKS = 5
# Above CUT_SHARE of moved pixels nothing is carried over (a scene cut, a turning robot); below
# this one the scene is still.
STILL_SHARE = 0.001
# Weights are refreshed at least this often, so that slow changes do not add up.
LONGEST_HOLD = 15


@dataclasses.dataclass(frozen=True)
class _Memory:
    """The frame before: what it was, and what was made of it."""

    frame: Frame
    weighed: Weighed
    fused: torch.Tensor
    held: int


class FusionStream:
    """Fuses the frames of one live scene, carrying over what did not move.

    Where nothing moved, the weights of the frame before hold, and no level is denoised. Where
    little moved, sampling starts from the frame before at a low timestep, with the moved pixels
    taken from the present sources, so that nothing leaves a trail. Otherwise the frame is fused
    as if it were alone.

    Of a noisy camera, what did not move is averaged over frames.

    Attributes:
        noise: standard deviation of each camera's noise in the last frame, in grey levels.
        contrast: by which infrared was raised in the last frame, 1 where it was not.
        running: what ran for the last frame, such as `DIG-15, S = 15, ladder, warm`. Under a
            latency budget, a cold frame that would break it is `cut short`: sampled like a warm
            one, from its one-pass picture.
    """

    def __init__(self, engine: FusionEngine, latency_budget_ms: float = 0):
        """Start without a past.

        :param latency_budget_ms: choose the longest schedule up to the engine's settings that
            takes at most so long; 0 always runs the engine's settings.
        """
        self.running = 'nothing yet'
        self.noise: tuple[float, ...] = ()
        self.contrast = 1.0
        self._engine = engine
        self._controller = LatencyController(latency_budget_ms) if latency_budget_ms > 0 else None
        self._memory: _Memory | None = None

    def hold(self, latency_budget_ms: float) -> None:
        """Change the budget of a stream that was started with one, from the next frame on."""
        self._controller.budget_ms = latency_budget_ms

    def reset(self) -> None:
        """Forget the past, as after a jump in time or to another scene."""
        self._memory = None

    def fuse(
            self, sources: Sequence[np.ndarray],
            valid: Sequence[np.ndarray | None] | None = None) -> FusionResult:
        """Fuse the next frame; arguments, result and errors as `FusionEngine.fuse`."""
        settings = self._engine.settings
        if self._controller:
            settings = self._controller.choose(settings, len(sources))
        with self._engine.computing(sources):
            past = self._memory
            frame = self._engine.enter(
                sources, valid, settings, past and past.frame)
            pipeline = frame.pipeline
            moved = _moved(past, frame)
            share = 1.0 if moved is None else float(moved.mean())
            # A noisy camera's clean end must be made anew, so its frames never count as still.
            still = (share < STILL_SHARE and past.held < LONGEST_HOLD
                     and not any(frame.clean_ends))
            if still:
                weighed = pipeline.still(past.weighed, frame.sources)
            else:
                weighed = pipeline.weigh(frame.sources, frame.valid, frame.clean_ends)
                if share < CUT_SHARE:
                    weighed = _averaged(weighed, past.weighed, moved, frame)
            frame.watch.mark()
            calls = Calls(0 if still else pipeline.level_calls(frame.clean_ends),
                          pipeline.step_calls())
            start, guess, first = 'cold' if share >= CUT_SHARE else 'warm', None, 0
            ladder = None
            if calls.steps and share < CUT_SHARE:
                ladder = pipeline.ladder(weighed)
                guess = torch.where(moved > 0, ladder, past.fused)
            elif calls.steps and self._controller and not self._controller.holds(settings, calls):
                start = 'cut short'
                guess = ladder = pipeline.ladder(weighed)
            if guess is not None:
                first = warm_step(calls.steps)
                calls = Calls(calls.levels, pipeline.step_calls(first))
            fused = pipeline.sample(weighed, guess, first, ladder)
            frame.watch.mark()
            self._memory = _Memory(frame, weighed, fused, past.held + 1 if still else 0)
            result = self._engine.leave(frame, fused, weighed, sum(calls))
        if self._controller:
            self._controller.observe(settings, result.timing, calls)
        self.noise, self.contrast = frame.noise, frame.contrast.factor
        self.running = f'{describe(settings)}, {"still" if still else start}'
        return result


def _moved(past: _Memory | None, frame: Frame) -> torch.Tensor | None:
    """1 where a source changed since the frame before, h x w; None where there is no before."""
    if (past is None or past.frame.pipeline is not frame.pipeline
            or past.frame.sources.shape != frame.sources.shape
            or not _same(past.frame.valid, frame.valid)):
        return None
    change = block_means(frame.sources - past.frame.sources, BLOCK_PX).abs()
    threshold = torch.cat([
        torch.full((1, 1, 1), max(MOTION_THRESHOLD, NOISE_IN_MOTION * deviation(end)),
                   device=change.device) for end in frame.clean_ends])
    blocks = functional.max_pool2d(
        (change > threshold).any(dim=0).float()[None], MOTION_REACH_BLOCKS, stride=1,
        padding=MOTION_REACH_BLOCKS // 2)[0]
    return blocks.repeat_interleave(BLOCK_PX, dim=0).repeat_interleave(BLOCK_PX, dim=1)


def _averaged(weighed: Weighed, past: Weighed, moved: torch.Tensor, frame: Frame) -> Weighed:
    """The same, with what stood still of a noisy source averaged over the frames before.

    Less, where the clean ends differ by more than the denoiser leaves of the noise: so a faint
    thing that moves leaves no trail.

    :param moved: h x w, above 0 where a source moved.
    """
    if not any(frame.clean_ends):
        return weighed
    clean = weighed.clean.clone()
    for source, end in enumerate(frame.clean_ends):
        if end:
            change = past.clean[source] - clean[source]
            unit = NOISE_IN_CLEAN_END * deviation(end)
            doubt = (box_mean(change, CHANGE_WINDOW) / unit).square()
            clean[source] += KEPT * torch.exp(-doubt) * (moved == 0) * change
    return dataclasses.replace(weighed, clean=clean)


def _same(first: torch.Tensor | None, second: torch.Tensor | None) -> bool:
    if first is None or second is None:
        return first is second
    return torch.equal(first, second)


def describe(settings: FusionSettings) -> str:
    """One line on what settings run."""
    scale = f', scale {settings.scale:g}' if settings.scale < 1 else ''
    if settings.mode == 'one-pass':
        return f'one-pass, {settings.levels} levels, {settings.draws} draws{scale}'
    return f'DIG-{settings.steps}, S = {settings.interval}, {settings.guidance}{scale}'
