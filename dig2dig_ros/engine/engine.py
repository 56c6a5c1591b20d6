"""FusionEngine: images in, fused image and weight maps out."""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import torch

from dig2dig_ros.engine.device import DTYPES, pick_precision, resolve_device, threads_for
from dig2dig_ros.engine.graphs import GraphedPipeline
from dig2dig_ros.engine.luminance import luminance, with_chroma
from dig2dig_ros.engine.pipeline import FusionPipeline
from dig2dig_ros.engine.result import FusionResult, Timing
from dig2dig_ros.engine.settings import FusionSettings
from dig2dig_ros.engine.tiling import BoundedPrior
from dig2dig_ros.engine.transfer import Stopwatch, Transfer
from dig2dig_ros.errors import InputError
from dig2dig_ros.prior import load_prior
from dig2dig_ros.prior.base import Prior

# Fused luminance h x w, shares in the picture K x h x w, and images through the network.
Fusion = tuple[torch.Tensor, torch.Tensor, int]
Method = Callable[
    [FusionPipeline, torch.Tensor, torch.Tensor, Callable[[], None]], Fusion]

# A live camera has one size, and the anytime scale switches between a few settings.
KEPT_PIPELINES = 8


class FusionEngine:
    """Runs the Dig2DIG method on one device.

    Not thread-safe: one thread at a time may call `fuse`.

    Attributes:
        settings: of the next frame; assign a changed copy to switch between frames.
        device: where it runs, such as `cpu` or `cuda:0`.
        precision: of the network, `fp32`, `bf16` or `fp16`.
        prior_name: architecture of the prior.
    """

    def __init__(self, prior: Prior, device: torch.device, settings: FusionSettings):
        """Take a loaded prior; use `load` to find one."""
        self.device = str(device)
        self.precision = pick_precision(settings.precision, device)
        self.prior_name = prior.kind
        self.settings = settings
        self._device = device
        self._prior = BoundedPrior(prior.to_precision(DTYPES[self.precision]))
        self._transfer = Transfer(device)
        self._pipelines: dict[tuple, FusionPipeline] = {}

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
        pipeline = self._pipeline(self.settings, height, width)
        size = (pipeline.size.height, pipeline.size.width)
        self._prior.specialise(pipeline.level_calls(source_count), *size)
        if pipeline.step_calls():
            self._prior.specialise(1, *size)
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
        return self.run(sources, valid, _fuse_alone)

    @torch.inference_mode()
    def run(
            self, sources: Sequence[np.ndarray], valid: Sequence[np.ndarray | None] | None,
            method: Method, settings: FusionSettings | None = None) -> FusionResult:
        """Take images to the device, fuse their luminance by a method, and bring all back.

        :param method: called with the pipeline, the sources and their validity (None where all
            pixels are valid) at the working size, and a function that it calls when the weights
            are there.
        :param settings: of this frame, in place of the engine's.
        """
        watch = Stopwatch(self._device)
        height, width = check_sources(sources, valid)
        pipeline = self._pipeline(settings or self.settings, height, width)
        with threads_for(height * width) if self._prior.own_threads else nullcontext():
            return self._run(sources, valid, method, pipeline, watch)

    def _run(
            self, sources: Sequence[np.ndarray], valid: Sequence[np.ndarray | None] | None,
            method: Method, pipeline: FusionPipeline, watch: Stopwatch) -> FusionResult:
        images = [self._transfer.upload(source, slot) for slot, source in enumerate(sources)]
        luminances = [luminance(image) for image in images]
        masks = self._masks(valid or [], *sources[0].shape[:2])
        stacked = torch.stack(luminances) / 127.5 - 1
        if masks is not None:
            stacked = fill_invalid(stacked, masks)
        working = pipeline.size.enter(stacked)
        watch.mark()
        working_masks = None if masks is None else pipeline.size.enter(masks)
        fused, shares, calls = method(pipeline, working, working_masks, watch.mark)
        watch.mark()
        fused, shares = pipeline.size.leave(fused, shares, working, stacked, masks)
        image = self._transfer.download(
            with_chroma((fused + 1) * 127.5, images, luminances), slot=0)
        shares = self._transfer.download(shares, slot=1)
        timing = Timing(*watch.finish(), calls)
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
        working = pipeline.size.enter(torch.stack(luminances) / 127.5 - 1)
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


def _fuse_alone(
        pipeline: FusionPipeline, sources: torch.Tensor, valid: torch.Tensor | None,
        weighed: Callable[[], None]) -> Fusion:
    """Fuse a frame that has nothing to do with the one before."""
    weighing = pipeline.weigh(sources, valid)
    weighed()
    fused = pipeline.sample(sources, weighing)
    calls = pipeline.level_calls(len(sources)) + pipeline.step_calls()
    return fused, weighing.shares, calls


def check_sources(
        sources: Sequence[np.ndarray],
        valid: Sequence[np.ndarray | None] | None) -> tuple[int, int]:
    """Refuse what cannot be fused.

    :returns: height and width of the frames.
    :raises InputError: naming the source by number, what is wrong with it and what is right.
    """
    if len(sources) < 2:
        raise InputError(f'{len(sources)} source(s) given; a fusion takes at least 2')
    size = sources[0].shape[:2]
    for number, source in enumerate(sources, start=1):
        name = f'source {number} of {len(sources)}'
        if source.dtype != np.uint8:
            raise InputError(f'{name} is {source.dtype}; it must be uint8')
        if source.ndim not in (2, 3) or (source.ndim == 3 and source.shape[2] != 3):
            raise InputError(f'{name} has shape {source.shape}; it must be H x W or H x W x 3')
        if 0 in source.shape:
            raise InputError(f'{name} has shape {source.shape}; it must not be empty')
        if source.shape[:2] != size:
            raise InputError(f'{name} is {source.shape[1]}x{source.shape[0]} pixels and source 1 '
                             f'is {size[1]}x{size[0]}; all must have one size')
    _check_masks(valid, len(sources), size)
    return size


def _check_masks(
        valid: Sequence[np.ndarray | None] | None, count: int, size: tuple[int, int]) -> None:
    if valid is None:
        return
    if len(valid) != count:
        raise InputError(f'{len(valid)} validity masks for {count} sources; give one for each')
    for number, mask in enumerate(valid, start=1):
        if mask is not None and (mask.shape != size or mask.dtype != bool):
            raise InputError(f'validity mask {number} is {mask.dtype} of shape {mask.shape}; '
                             f'it must be bool of shape {size}')
    if all(mask is not None for mask in valid) and not np.any(valid, axis=0).all():
        raise InputError('some pixels are valid in no source; each needs one at least')


def fill_invalid(sources: torch.Tensor, valid: torch.Tensor) -> torch.Tensor:
    """Where a source has no pixel, give it the mean of those that have.

    Whatever stands there gets no weight, but it is in the network's view: an edge at the border
    of the footprint would be taken for information.

    :param sources: K x H x W.
    :param valid: K x H x W, 0 or 1.
    """
    others = (valid * sources).sum(dim=0) / valid.sum(dim=0)
    return torch.where(valid > 0, sources, others)
