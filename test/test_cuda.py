"""The GPU path against the CPU's; every test needs a CUDA device."""

import dataclasses

import numpy as np
import pytest
import torch

from dig2dig_ros.engine import FusionEngine, FusionSettings, FusionStream
from dig2dig_ros.prior import load_prior

pytestmark = pytest.mark.skipif(
    not torch.cuda.is_available(), reason='torch sees no CUDA device on this machine')

SINGLE = FusionSettings(precision='fp32', steps=5, interval=5)


def engines(settings):
    """The same weights on the GPU and on the CPU."""
    return [FusionEngine(load_prior(None, torch.device('cpu')).to(device), torch.device(device),
                         settings) for device in ('cuda', 'cpu')]


@pytest.mark.parametrize('mode', ['sample', 'one-pass'])
@pytest.mark.parametrize('guidance', ['ladder', 'em', 'ddfm', 'plain'])
def test_replayed_graphs_give_what_the_cpu_gives(scene, mode, guidance):
    settings = dataclasses.replace(SINGLE, mode=mode, guidance=guidance)
    on_gpu, on_cpu = engines(settings)
    expected = on_cpu.fuse(scene)
    for _ in range(3):
        result = on_gpu.fuse(scene)
        error = (result.image.astype(float) - expected.image) ** 2
        assert 10 * np.log10(255 ** 2 / max(error.mean(), 1e-9)) > 50
        assert np.abs(result.weights - expected.weights).max() < 0.01


def test_graphs_follow_new_input(scene):
    on_gpu, on_cpu = engines(SINGLE)
    on_gpu.fuse(scene)
    other = [scene[0][::-1].copy(), scene[1][::-1].copy()]
    difference = on_gpu.fuse(other).image.astype(int) - on_cpu.fuse(other).image
    assert np.abs(difference).mean() < 0.5


def test_results_are_the_callers_own(scene):
    on_gpu, _ = engines(SINGLE)
    first = on_gpu.fuse(scene)
    kept = first.image.copy()
    on_gpu.fuse([scene[0][::-1].copy(), scene[1][::-1].copy()])
    assert np.array_equal(first.image, kept)


def test_stream_runs_warm_and_still_on_the_gpu(scene):
    on_gpu, _ = engines(SINGLE)
    stream = FusionStream(on_gpu)
    stream.fuse(scene)
    stream.fuse(scene)
    assert stream.running.endswith('still')


def test_memory_does_not_grow(scene):
    on_gpu, _ = engines(SINGLE)
    for _ in range(5):
        on_gpu.fuse(scene)
    before = torch.cuda.memory_allocated()
    for _ in range(50):
        on_gpu.fuse(scene)
    assert torch.cuda.memory_allocated() <= before
