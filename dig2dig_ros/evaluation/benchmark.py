"""Speed and memory of the engine, measured the way a live camera would use it."""

import platform
import resource
from collections.abc import Callable

import numpy as np
import torch
from tqdm import tqdm

from dig2dig_ros.engine import FusionEngine, FusionResult
from dig2dig_ros.errors import InputError

STAGES = ('upload', 'dig', 'sampling', 'download')


def parse_size(text: str) -> tuple[int, int]:
    """Read WIDTHxHEIGHT.

    :returns: (width, height) in pixels.
    :raises InputError: for anything else.
    """
    width, _, height = text.lower().partition('x')
    if not (width.isdigit() and height.isdigit() and int(width) and int(height)):
        raise InputError(f'size is {text!r}; it must be WIDTHxHEIGHT in pixels, such as 640x512')
    return int(width), int(height)


def camera_frames(width: int, height: int, count: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Grey infrared and colour visible frames of a drifting random texture.

    :returns: `count` pairs of uint8 arrays, H x W and H x W x 3.
    """
    random = np.random.default_rng(0)
    infrared = random.integers(0, 256, (height, width), np.uint8)
    visible = random.integers(0, 256, (height, width, 3), np.uint8)
    return [(np.roll(infrared, 2 * i, axis=1), np.roll(visible, 2 * i, axis=1))
            for i in range(count)]


def run_benchmark(
        engine: FusionEngine, fuse: Callable[[list[np.ndarray]], FusionResult],
        width: int, height: int, frames: int) -> dict:
    """Time single frames, one after the other, from arrays in to arrays out.

    :param fuse: the engine's or a stream's `fuse`.
    :param frames: frames counted, after a warm-up of 3 that are not.
    :returns: the contract's report: `fps`, `latency_ms` (p50, p90, p99), `stages_ms` (medians),
        `network_calls`, `peak_memory_mb`, and what was measured where.
    """
    on_cuda = engine.device.startswith('cuda')
    pairs = camera_frames(width, height, 8)
    engine.warm_up(height, width)
    for pair in pairs[:3]:
        fuse(list(pair))
    if on_cuda:
        torch.cuda.reset_peak_memory_stats()
    timings = [fuse(list(pairs[i % len(pairs)])).timing
               for i in tqdm(range(frames), desc='benchmark', unit='frame', disable=None)]
    totals = np.array([timing.total_ms for timing in timings])
    return {
        'fps': 1e3 / totals.mean(),
        'latency_ms': {f'p{q}': float(np.percentile(totals, q)) for q in (50, 90, 99)},
        'stages_ms': {stage: float(np.median([getattr(timing, f'{stage}_ms')
                                              for timing in timings])) for stage in STAGES},
        'network_calls': timings[-1].network_calls,
        'peak_memory_mb': _peak_memory_mb(on_cuda),
        'device': device_name(engine.device),
        'threads': torch.get_num_threads(),
        'precision': engine.precision,
        'prior': engine.prior_name,
        'size': f'{width}x{height}',
        'frames': frames,
        'torch': torch.__version__,
    }


def _peak_memory_mb(on_cuda: bool) -> float:
    """Peak of the GPU's allocations in the run, or of the process's resident memory."""
    if on_cuda:
        return torch.cuda.max_memory_allocated() / 2 ** 20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2 ** 10


def device_name(device: str) -> str:
    """The device as its maker calls it."""
    if device.startswith('cuda'):
        return torch.cuda.get_device_name(device)
    try:
        with open('/proc/cpuinfo') as lines:
            return next(line.split(':', 1)[1].strip() for line in lines
                        if line.startswith('model name'))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
