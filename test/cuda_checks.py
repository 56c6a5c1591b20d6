"""What must hold on a GPU, checked against the CPU: for test_cuda.py and studies/gpu_check.py.

Needs numpy and torch alone, as a bare machine with a GPU has them. Every check takes a device and
a scene, and raises AssertionError.
"""

import dataclasses
from collections.abc import Callable, Iterator
from itertools import product

import numpy as np
import torch

from dig2dig_ros.engine import FusionEngine, FusionSettings, FusionStream
from dig2dig_ros.prior import load_prior

SINGLE = FusionSettings(precision='fp32', steps=5, interval=5)

Scene = tuple[np.ndarray, np.ndarray]


def made_up_scene() -> Scene:
    """An infrared and a visible image (BGR) of one made-up scene, 96 x 128, uint8.

    Infrared: a warm blob on a dark ramp. Visible: stripes, in colour, blind to the blob.
    """
    rows, columns = np.mgrid[0:96, 0:128].astype(np.float32)
    blob = 180 * np.exp(-((rows - 60) ** 2 + (columns - 40) ** 2) / 200)
    infrared = (40 + 0.3 * columns + blob).clip(0, 255).astype(np.uint8)
    stripes = 100 + 60 * np.sign(np.sin(columns / 3))
    visible = np.stack([stripes, 0.8 * stripes + 20, 0.5 * rows + 60], axis=-1)
    return infrared, visible.clip(0, 255).astype(np.uint8)


def mirrored(scene: Scene) -> list[np.ndarray]:
    """Another scene of the same size."""
    return [image[::-1].copy() for image in scene]


def engines(device: str, settings: FusionSettings) -> list[FusionEngine]:
    """The same weights on a device and on the CPU."""
    return [FusionEngine(load_prior(None, torch.device('cpu')).to(where), torch.device(where),
                         settings) for where in (device, 'cpu')]


def results_are_those_of_the_cpu(
        device: str, scene: Scene, mode: str = 'sample', guidance: str = 'ladder') -> None:
    """Above 50 dB, weights within 0.01, at the first run and at each replay of its graphs."""
    on_gpu, on_cpu = engines(device, dataclasses.replace(SINGLE, mode=mode, guidance=guidance))
    expected = on_cpu.fuse(scene)
    for _ in range(3):
        result = on_gpu.fuse(scene)
        error = (result.image.astype(float) - expected.image) ** 2
        assert 10 * np.log10(255 ** 2 / max(error.mean(), 1e-9)) > 50
        assert np.abs(result.weights - expected.weights).max() < 0.01


def graphs_follow_new_input(device: str, scene: Scene) -> None:
    """A replay fuses the new frame, not the one that was captured."""
    on_gpu, on_cpu = engines(device, SINGLE)
    on_gpu.fuse(scene)
    other = mirrored(scene)
    difference = on_gpu.fuse(other).image.astype(int) - on_cpu.fuse(other).image
    assert np.abs(difference).mean() < 0.5


def results_are_the_callers_own(device: str, scene: Scene) -> None:
    """The next frame does not write into the result of the one before."""
    on_gpu, _ = engines(device, SINGLE)
    first = on_gpu.fuse(scene)
    kept = first.image.copy()
    on_gpu.fuse(mirrored(scene))
    assert np.array_equal(first.image, kept)


def a_still_stream_is_still(device: str, scene: Scene) -> None:
    """The stream carries over there what it does on the CPU."""
    stream = FusionStream(engines(device, SINGLE)[0])
    stream.fuse(scene)
    stream.fuse(scene)
    assert stream.running.endswith('still')


def memory_does_not_grow(device: str, scene: Scene) -> None:
    """50 frames leave no allocation behind; nothing to measure on a CPU."""
    on_gpu, _ = engines(device, SINGLE)
    for _ in range(5):
        on_gpu.fuse(scene)
    if on_gpu.device == 'cpu':
        return
    before = torch.cuda.memory_allocated()
    for _ in range(50):
        on_gpu.fuse(scene)
    assert torch.cuda.memory_allocated() <= before


def checks() -> Iterator[tuple[str, Callable[[str, Scene], None]]]:
    """Every check by name."""
    for mode, guidance in product(('sample', 'one-pass'), ('ladder', 'em', 'ddfm', 'plain')):
        yield f'as on the CPU, {mode}, {guidance}', (
            lambda device, scene, mode=mode, guidance=guidance:
            results_are_those_of_the_cpu(device, scene, mode, guidance))
    for check in (graphs_follow_new_input, results_are_the_callers_own, a_still_stream_is_still,
                  memory_does_not_grow):
        yield check.__name__.replace('_', ' '), check
