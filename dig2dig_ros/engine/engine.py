"""FusionEngine: images in, fused image and weight maps out."""

import contextlib
import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch

from dig2dig_ros.engine.contrast import Contrast, contrast_of
from dig2dig_ros.engine.device import DTYPES, pick_precision, resolve_device, threads_for
from dig2dig_ros.engine.exposure import saturation_of
from dig2dig_ros.engine.frame import Frame, check_sources, fill_invalid
from dig2dig_ros.engine.graphs import GraphedPipeline
from dig2dig_ros.engine.luminance import luminance, with_chroma
from dig2dig_ros.engine.noise import matched_timestep, noise_levels
from dig2dig_ros.engine.pipeline import FusionPipeline, Weighed
from dig2dig_ros.engine.reference import INFRARED, VISIBLE
from dig2dig_ros.engine.result import FusionResult, Timing
from dig2dig_ros.engine.tiling import BoundedPrior
from dig2dig_ros.engine.tint import added_by_infrared
from dig2dig_ros.engine.transfer import Stopwatch, Transfer
from dig2dig_ros.prior import load_prior
from dig2dig_ros.prior.base import Prior
from dig2dig_ros.settings import TRAINING_TIMESTEPS, FusionSettings

# A live camera has one size, and the anytime scale switches between a few settings.
KEPT_PIPELINES = 8


class FusionEngine:
    """Runs the Dig2DIG method on one device.

    Not thread-safe: one thread at a time may call `fuse`.

    Attributes:
        settings: of the next frame; assign a changed copy to switch between frames. Without a
            network for that (`Prior.coarse`), all levels are denoised at full size.
        device: where it runs, such as `cpu` or `cuda:0`.
        precision: of the network, `fp32`, `bf16`, `fp16` or `int8`.
        prior_name: architecture of the prior.
    """

    def __init__(self, prior: Prior, device: torch.device, settings: FusionSettings):
        """Take a loaded prior; use `load` to find one."""
        self.device = str(device)
        self.precision = pick_precision(settings.precision, device, prior)
        self.prior_name = prior.kind
        self._device = device
        self._prior = BoundedPrior(prior.to_precision(DTYPES[self.precision]))
        self.settings = settings
        self._transfer = Transfer(device)
        self._pipelines: dict[tuple, FusionPipeline] = {}

    @property
    def settings(self) -> FusionSettings:
        """See the attributes."""
        return self._settings

    @settings.setter
    def settings(self, settings: FusionSettings) -> None:
        self._settings = settings if self._prior.coarse else dataclasses.replace(
            settings, coarse_from=TRAINING_TIMESTEPS)

    @classmethod
    def load(
            cls, checkpoint: str | Path | None = None, device: str = 'auto',
            settings: FusionSettings | None = None) -> 'FusionEngine':
        """Load a prior and make it ready.

        :param checkpoint: weights file; None for the embedded prior that suits the device.
        :param device: `auto` (CUDA where there is one), `cpu`, `cuda` or `cuda:N`.
        :raises InputError: for a device that is not there, or weights that do not load.
        """
        resolved = resolve_device(device)
        return cls(load_prior(checkpoint, resolved), resolved, settings or FusionSettings())

    def warm_up(self, height: int, width: int, source_count: int = 2) -> None:
        """Fuse an empty frame of that size, so that the first real one is not slow."""
        self._pipeline(self.settings, height, width).specialise(source_count)
        self.fuse([np.zeros((height, width), np.uint8)] * source_count)

    def close(self) -> None:
        """Free the device's memory. The engine cannot be used after."""
        self._pipelines.clear()
        self._prior = None
        if self._device.type == 'cuda':
            torch.cuda.empty_cache()

    def fuse(
            self, sources: Sequence[np.ndarray],
            valid: Sequence[np.ndarray | None] | None = None) -> FusionResult:
        """Fuse K >= 2 aligned images.

        :param sources: uint8, all H x W or H x W x 3 (BGR) of one size, infrared first.
        :param valid: for each source None, or H x W bool: False where it has no pixel, so that
            its weight there is 0. At every pixel some source must be valid.
        :raises InputError: naming the source that is wrong, and how.
        """
        with self.computing(sources):
            frame = self.enter(sources, valid)
            weighed = frame.pipeline.weigh(frame.sources, frame.valid, frame.clean_ends)
            frame.watch.mark()
            fused = frame.pipeline.sample(weighed)
            frame.watch.mark()
            calls = frame.pipeline.level_calls(frame.clean_ends) + frame.pipeline.step_calls()
            return self.leave(frame, fused, weighed, calls)

    @contextlib.contextmanager
    def computing(self, sources: Sequence[np.ndarray]) -> Iterator[None]:
        """Within, tensors keep no gradients, and torch takes the threads that suit the frame."""
        pixels = int(np.prod(sources[0].shape[:2])) if sources else 0
        with (torch.inference_mode(),
              threads_for(pixels) if self._prior.own_threads else contextlib.nullcontext()):
            yield

    def enter(
            self, sources: Sequence[np.ndarray], valid: Sequence[np.ndarray | None] | None,
            settings: FusionSettings | None = None, before: Frame | None = None) -> Frame:
        """Take images to the device and to the size that the network works at.

        :param sources: as for `fuse`; so are `valid` and what is raised.
        :param settings: of this frame, in place of the engine's.
        :param before: the last frame: its clean ends hold while the noise is about the same, and
            infrared's contrast follows its own.
        """
        watch = Stopwatch(self._device)
        height, width = check_sources(sources, valid)
        pipeline = self._pipeline(settings or self.settings, height, width)
        against = pipeline.reference_of(len(sources))
        images = [self._transfer.upload(source, slot) for slot, source in enumerate(sources)]
        masks = self._masks(valid or [], height, width)
        full = luminances = torch.stack([luminance(image) for image in images])
        contrast = Contrast()
        if against == VISIBLE:
            contrast = contrast_of(
                full[INFRARED], None if masks is None else masks[INFRARED],
                before and before.contrast)
        if contrast.factor > 1:
            full = torch.stack([contrast(full[INFRARED]), full[VISIBLE]])
        if masks is not None:
            full = fill_invalid(full, masks, against is not None)
        working = pipeline.size.enter(full)
        valid = None if masks is None else pipeline.size.enter(masks)
        noise, ends = (0.0,) * len(full), (0,) * len(full)
        if against is not None:
            own = full if contrast.factor == 1 else luminances
            noise = tuple(noise_levels(own, masks).tolist())
            at_work = noise if working is own else noise_levels(working, valid).tolist()
            ends = tuple(map(matched_timestep, at_work, before.clean_ends if before else ends))
        frame = Frame(
            pipeline, images, luminances, full, masks, working, valid,
            tuple(127.5 * level for level in noise), ends, contrast, watch)
        watch.mark()
        return frame

    def leave(
            self, frame: Frame, fused: torch.Tensor, weighed: Weighed,
            calls: int) -> FusionResult:
        """Bring a fused frame back to its own size, to colour, and to the host.

        :param fused: luminance, h x w in [-1, 1], at the working size.
        :param weighed: what it was made of.
        :param calls: images that went through the network.
        """
        size = frame.pipeline.size
        fused, shares = size.leave(
            fused, weighed.shares, frame.sources, frame.full, frame.full_valid, frame.clean_ends)
        clean = size.restore(weighed.clean) if any(frame.clean_ends) else frame.luminances
        against, tinted = frame.pipeline.reference_of(len(frame.images)), None
        if against == VISIBLE and frame.images[VISIBLE].dim() == 3:
            seen = size.restore(weighed.base[VISIBLE:])[0]
            tinted = added_by_infrared(fused, clean[VISIBLE], weighed.lift, seen)
        image = self._transfer.download(
            with_chroma(
                fused, frame.images, frame.luminances, clean, frame.noise,
                saturation_of(weighed.lift), tinted), slot=0)
        shares = self._transfer.download(shares, slot=1)
        timing = Timing(*frame.watch.finish(), calls)
        return FusionResult(self._transfer.keep(image), self._transfer.keep(shares), timing)

    @torch.inference_mode()
    def information_gain(
            self, sources: Sequence[np.ndarray]) -> tuple[tuple[int, ...], np.ndarray]:
        """DIG maps of a frame (Eq. 8) at every level that the settings visit.

        :param sources: as for `fuse`.
        :returns: E falling timesteps; and DIG, float32, E x K x H x W (below scale 1: of the
            working size), of a level from it to the next one, of the last to the clean source.
        :raises InputError: naming the source that is wrong, and how.
        """
        height, width = check_sources(sources, None)
        pipeline = self._pipeline(self.settings, height, width)
        luminances = [luminance(self._transfer.upload(source, slot))
                      for slot, source in enumerate(sources)]
        working = pipeline.size.enter(torch.stack(luminances))
        gain = pipeline.gain(working)[..., :height, :width]
        return pipeline.schedule.levels, gain.cpu().numpy()

    def _pipeline(self, settings: FusionSettings, height: int, width: int) -> FusionPipeline:
        key = (settings, height, width)
        if key not in self._pipelines:
            while len(self._pipelines) >= KEPT_PIPELINES:
                del self._pipelines[next(iter(self._pipelines))]
            kind = GraphedPipeline if self._device.type == 'cuda' else FusionPipeline
            self._pipelines[key] = kind(
                self._prior, settings, height, width, self._device)
        return self._pipelines[key]

    def _masks(
            self, valid: Sequence[np.ndarray | None], height: int, width: int,
    ) -> torch.Tensor | None:
        """K x H x W, 1 where a source has a pixel, else 0; None where all have all."""
        if all(mask is None for mask in valid):
            return None
        everywhere = torch.ones(height, width, device=self._device)
        return torch.stack([
            everywhere if mask is None else self._transfer.upload(mask, len(valid) + slot).float()
            for slot, mask in enumerate(valid)])
