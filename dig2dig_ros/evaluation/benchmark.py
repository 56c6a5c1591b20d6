"""Speed and memory of the engine, measured the way a live camera would use it."""

import platform
import resource
from collections.abc import Callable

import numpy as np
import torch
from tqdm import tqdm

from dig2dig_ros.camera.encodings import MAX_PIXELS
from dig2dig_ros.camera.thermal import GainControl
from dig2dig_ros.engine import FusionEngine, FusionResult
from dig2dig_ros.errors import InputError
from dig2dig_ros.synthetic.street import StreetScene

# Rendered frames kept in memory.
MOST_FRAMES = 60
STAGES = ('upload', 'dig', 'sampling', 'download')


def parse_size(text: str) -> tuple[int, int]:
    """Read WIDTHxHEIGHT.

    :returns: (width, height) in pixels.
    :raises InputError: for anything else.
    """
    width, _, height = text.lower().partition('x')
    if not (width.isdigit() and height.isdigit() and int(width) and int(height)):
        raise InputError(f'size is {text!r}; it must be WIDTHxHEIGHT in pixels, such as 640x512')
    if int(width) * int(height) > MAX_PIXELS:
        raise InputError(f'size is {text!r}; it must have at most {MAX_PIXELS} pixels')
    return int(width), int(height)


def camera_frames(width: int, height: int, count: int) -> list[list[np.ndarray]]:
    """Consecutive frames of the rendered street at 30 Hz, as its two cameras see them.

    :returns: `count` pairs, infrared H x W and visible H x W x 3, uint8.
    """
    scene = StreetScene(width, height)
    gain = GainControl()
    frames = [scene.render(i / 30, i) for i in range(count)]
    return [[gain(frame.infrared), frame.visible] for frame in frames]


def run_benchmark(
        engine: FusionEngine, fuse: Callable[[list[np.ndarray]], FusionResult],
        width: int, height: int, frames: int) -> dict:
    """Time single frames, one after the other, from arrays in to arrays out.

    :param fuse: the engine's or a stream's `fuse`.
    :param frames: frames counted, after a warm-up of 3 that are not.
    :returns: `fps`, `latency_ms` (p50, p90, p99), `stages_ms` and `network_calls` (medians),
        `peak_memory_mb`, and what was measured where.
    """
    on_cuda = engine.device.startswith('cuda')
    # Played forwards and backwards, so that a stream never sees a cut.
    pairs = camera_frames(width, height, min(frames, MOST_FRAMES))
    pairs += pairs[-2:0:-1]
    engine.warm_up(height, width)
    for pair in pairs[:3]:
        fuse(pair)
    if on_cuda:
        torch.cuda.reset_peak_memory_stats()
    timings = [fuse(pairs[i % len(pairs)]).timing
               for i in tqdm(range(frames), desc='benchmark', unit='frame', disable=None)]
    totals = np.array([timing.total_ms for timing in timings])
    return {
        'fps': 1e3 / totals.mean(),
        'latency_ms': {f'p{q}': float(np.percentile(totals, q)) for q in (50, 90, 99)},
        'stages_ms': {stage: float(np.median([getattr(timing, f'{stage}_ms')
                                              for timing in timings])) for stage in STAGES},
        'network_calls': int(np.median([timing.network_calls for timing in timings])),
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
