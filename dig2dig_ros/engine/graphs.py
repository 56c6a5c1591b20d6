"""CUDA graphs: a frame's hundreds of small kernels, launched as one.

A kernel of a small network runs shorter than its launch takes, so replaying a captured graph is
what lets a GPU work at its own speed. Nothing here runs on a CPU.
"""

import logging
from collections.abc import Callable, Sequence

import torch

from dig2dig_ros.engine.pipeline import FusionPipeline, Weighed

WARM_UP_RUNS = 3


class CapturedFunction:
    """A function of tensors, captured for the shapes of its first inputs."""

    def __init__(self, function: Callable[..., tuple[torch.Tensor, ...]],
                 inputs: tuple[torch.Tensor, ...]):
        """Warm up on a side stream, as capture asks, and capture.

        :raises RuntimeError: where the function does what cannot be captured.
        """
        self._inputs = tuple(tensor.clone() for tensor in inputs)
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(WARM_UP_RUNS):
                function(*self._inputs)
        torch.cuda.current_stream().wait_stream(side)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            self._outputs = function(*self._inputs)

    def __call__(self, *inputs: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Replay on new inputs; the outputs are overwritten by the next call."""
        for static, tensor in zip(self._inputs, inputs, strict=True):
            static.copy_(tensor)
        self._graph.replay()
        return self._outputs


class GraphedPipeline(FusionPipeline):
    """A pipeline whose two stages replay captured graphs.

    What cannot be captured (an out-of-memory, an operation of some future prior) runs as it is.
    """

    def __init__(self, *arguments, **keywords):
        """Take what `FusionPipeline` takes."""
        super().__init__(*arguments, **keywords)
        self._captured: dict[tuple, Callable] = {}

    def weigh(self, sources: torch.Tensor, valid: torch.Tensor | None,
              clean_ends: Sequence[int]) -> Weighed:
        """See `FusionPipeline.weigh`."""
        def run(sources, *masks):
            weighed = super(GraphedPipeline, self).weigh(
                sources, *(masks or (None,)), clean_ends)
            return _fields(weighed)
        tensors = (sources,) if valid is None else (sources, valid)
        key = ('weigh', sources.shape, valid is None, tuple(clean_ends))
        return Weighed(*self._replay(key, run, *tensors))

    def sample(
            self, weighed: Weighed, guess: torch.Tensor | None = None,
            first: int = 0, ladder: torch.Tensor | None = None) -> torch.Tensor:
        """See `FusionPipeline.sample`; the ladder is captured with the rest, so made anew."""
        fields = _fields(weighed)

        def run(*tensors):
            guesses = tensors[len(fields):] or (None,)
            return (super(GraphedPipeline, self).sample(
                Weighed(*tensors[:len(fields)]), *guesses, first),)
        tensors = fields if guess is None else (*fields, guess)
        key = ('sample', weighed.clean.shape, first, guess is None)
        return self._replay(key, run, *tensors)[0]

    def _replay(self, key: tuple, function: Callable, *tensors: torch.Tensor) -> tuple:
        if key not in self._captured:
            try:
                self._captured[key] = CapturedFunction(function, tensors)
            except RuntimeError as error:
                logging.getLogger(__name__).warning(
                    'no CUDA graph for %s, running without: %s', key[0], error)
                self._captured[key] = function
        return self._captured[key](*tensors)


def _fields(weighed: Weighed) -> tuple[torch.Tensor, ...]:
    """The tensors of `weighed` themselves, which `dataclasses.astuple` would copy."""
    return tuple(vars(weighed).values())
