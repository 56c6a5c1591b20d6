"""One command for the first minutes on a machine with a GPU.

    python studies/gpu_check.py --json gpu.json                    # checks and performance
    python studies/gpu_check.py --json gpu.json --train 60 --images images.npz --output trained
    python studies/gpu_check.py --pack FOLDER ... --images images.npz     # beforehand, elsewhere

Needs CUDA, torch >= 2.11, numpy and safetensors; no OpenCV, no OpenVINO, no network. Runs what
test/test_cuda.py checks; compares pictures of GPU and CPU; times one-pass and DIG-15 with the
small, medium and large priors and the 553 M guided-diffusion architecture (of all but small there
are no weights: random ones take as long), with CUDA graphs and without; with --train, trains the
medium and the large prior. The report is written after every row, so that
an end comes without loss. `--device cpu --quick` runs all of it in small, to see that it works.
"""

import argparse
import contextlib
import dataclasses
import json
import resource
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest import mock

import numpy as np
import torch

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / 'test')]

from cuda_checks import checks, made_up_scene  # noqa: E402  (found by the line above)

from dig2dig_ros.engine import FusionEngine, FusionSettings  # noqa: E402
from dig2dig_ros.engine.pipeline import FusionPipeline  # noqa: E402
from dig2dig_ros.prior import load_prior  # noqa: E402
from dig2dig_ros.prior.architecture import SIZES  # noqa: E402
from dig2dig_ros.prior.base import Prior  # noqa: E402
from dig2dig_ros.prior.checkpoint import save_compact  # noqa: E402
from dig2dig_ros.prior.compact import seeded  # noqa: E402
from dig2dig_ros.prior.crops import CropSampler  # noqa: E402
from dig2dig_ros.prior.training import Trainer, TrainingSettings, denoising_psnr  # noqa: E402
from dig2dig_ros.prior.unet import GuidedDiffusionPrior, UNet, UNetArchitecture  # noqa: E402

# 256x256_diffusion_uncond.pt of guided-diffusion.
PUBLISHED = UNetArchitecture(
    image_channels=3, base_channels=256, widths=(256, 256, 512, 512, 1024, 1024), blocks=2,
    attention=(False, False, False, True, True, True), residual_resampling=True,
    scale_shift=True, learned_sigma=True)
MODES = {'one-pass': FusionSettings(mode='one-pass'), 'DIG-15': FusionSettings(steps=15)}
SIZES_PX = (640, 512), (1024, 768)
# The budget of ten minutes: 32 rows, most of them short.
ROW_S, MOST_FRAMES, LEAST_FRAMES = 5.0, 100, 3
HELD_OUT_EVERY = 20


def main() -> int:
    """Check, measure, train; write the report as it grows."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--device', default='cuda')
    parser.add_argument('--quick', action='store_true', help='tiny frames, few rows')
    parser.add_argument('--json', type=Path, default=Path('gpu_check.json'), metavar='FILE')
    parser.add_argument('--train', type=float, metavar='MINUTES', help='for both priors together')
    parser.add_argument('--images', type=Path, metavar='NPZ', help='training images, packed')
    parser.add_argument('--pack', type=Path, nargs='+', metavar='DIR', help='pack and stop')
    parser.add_argument('--output', type=Path, default=Path('trained'), metavar='DIR')
    arguments = parser.parse_args()
    if (arguments.pack or arguments.train) and not arguments.images:
        parser.error('--pack and --train need --images FILE.npz')
    if arguments.pack:
        return pack(arguments.pack, arguments.images)
    report = Report(arguments.json)
    report.add('machine', lambda: machine(arguments.device))
    for name, check in checks():
        report.add(f'check: {name}', lambda check=check: check(arguments.device, made_up_scene()))
    for name, settings in MODES.items():
        report.add(f'pictures: {name}', lambda settings=settings: pictures(
            arguments.device, settings, arguments.quick))
    for name, row in rows(arguments.device, arguments.quick):
        report.add(name, row)
    if arguments.train:
        for size, share in ('medium', 0.4), ('large', 0.6):
            report.add(f'train: {size}', lambda size=size, share=share: train(
                size, share * arguments.train, arguments))
    print(f'{arguments.json}: {len(report.found)} entries, {report.failures} failed')
    return 1 if report.failures else 0


class Report:
    """What was found, on disk after each entry; a failure is an entry too."""

    def __init__(self, path: Path):
        """Write to a JSON file."""
        self.found: dict[str, dict] = {}
        self.failures = 0
        self._path = path

    def add(self, name: str, measure: Callable[[], dict | None]) -> None:
        """Measure, note, go on."""
        started = time.monotonic()
        try:
            entry = {'ok': True, **(measure() or {})}
        except Exception as error:  # one failure must not cost the rest of a short visit
            entry = {'ok': False, 'error': f'{type(error).__name__}: {error}'}
            self.failures += 1
        entry['took_s'] = round(time.monotonic() - started, 2)
        self.found[name] = entry
        self._path.write_text(json.dumps(self.found, indent=2) + '\n')
        print(f'{name}: {entry}', flush=True)


def machine(device: str) -> dict:
    """Where this runs."""
    found = {'torch': torch.__version__, 'device': device, 'cuda': torch.version.cuda}
    if device.startswith('cuda'):
        found |= {'name': torch.cuda.get_device_name(device),
                  'capability': torch.cuda.get_device_capability(device),
                  'memory_gb': torch.cuda.get_device_properties(device).total_memory / 2 ** 30}
    return found


def frames(width: int, height: int) -> list[np.ndarray]:
    """The made-up scene at any size: infrared H x W and visible H x W x 3."""
    rows = np.arange(height) * 96 // height
    columns = np.arange(width) * 128 // width
    return [image[rows][:, columns] for image in made_up_scene()]


def pictures(device: str, settings: FusionSettings, quick: bool) -> dict:
    """dB between the device's picture in its own precision and the CPU's in float32."""
    scene = frames(*((64, 48) if quick else (640, 512)))
    cpu = FusionEngine.load('small', 'cpu', dataclasses.replace(settings, precision='fp32'))
    one, other = cpu.fuse(scene), FusionEngine.load('small', device, settings).fuse(scene)
    error = np.square(one.image.astype(float) - other.image).mean()
    return {'db': float(10 * np.log10(255 ** 2 / max(error, 1e-9))),
            'weights': float(np.abs(one.weights - other.weights).mean())}


def priors(device: str, quick: bool) -> dict[str, Callable[[], Prior]]:
    """How to make each prior, so that one at a time is in memory."""
    where = torch.device(device)
    made = {'small': lambda: load_prior('small', where)}
    for size in ('medium', 'large'):
        made[size] = lambda size=size: seeded(SIZES[size], 0).to(where)
    made['553 M'] = lambda: published(where)
    if quick:
        made = {'small': made['small'], 'large': made['large']}
    return made


def published(device: torch.device) -> Prior:
    """The published architecture with random weights, made on the device."""
    with device:
        network = UNet(PUBLISHED)
    return GuidedDiffusionPrior(network).to(device)


def rows(device: str, quick: bool) -> Iterator[tuple[str, Callable[[], dict]]]:
    """Every row of the performance table: its name, and what measures it."""
    graphs = (True, False) if device.startswith('cuda') else (False,)
    for prior_name, make in priors(device, quick).items():
        for mode, settings in MODES.items():
            for width, height in ((64, 48),) if quick else SIZES_PX:
                for graphed in graphs:
                    name = f'{prior_name}, {mode}, {width}x{height}'
                    if len(graphs) > 1:
                        name += ', graphs' if graphed else ', no graphs'
                    yield name, lambda make=make, settings=settings, size=(width, height), \
                        graphed=graphed: performance(device, make, settings, size, graphed, quick)


@torch.inference_mode()
def performance(
        device: str, make: Callable[[], Prior], settings: FusionSettings,
        size: tuple[int, int], graphed: bool, quick: bool) -> dict:
    """Latency, stages and memory of one row."""
    on_gpu = device.startswith('cuda')
    if on_gpu:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    prior = make().eval().requires_grad_(False)
    without = contextlib.nullcontext() if graphed or not on_gpu else mock.patch(
        'dig2dig_ros.engine.engine.GraphedPipeline', FusionPipeline)
    parameters = prior.parameter_count  # OpenVINO's engine lets them go
    scene, timings = frames(*size), []
    with without:
        engine = FusionEngine(prior, torch.device(device), settings)
        engine.warm_up(size[1], size[0])
        engine.fuse(scene)
        started = time.monotonic()
        while len(timings) < LEAST_FRAMES or (
                not quick and len(timings) < MOST_FRAMES and time.monotonic() - started < ROW_S):
            timings.append(engine.fuse(scene).timing)
    totals = [timing.total_ms for timing in timings]
    memory = torch.cuda.max_memory_allocated() / 2 ** 20 if on_gpu else (
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2 ** 10)
    found = {f'p{q}_ms': round(float(np.percentile(totals, q)), 3) for q in (50, 90, 99)}
    found |= {f'{stage}_ms': round(float(np.median([getattr(t, f'{stage}_ms') for t in timings])),
                                   3) for stage in ('upload', 'dig', 'sampling', 'download')}
    return found | {'frames': len(totals), 'calls': timings[0].network_calls,
                    'precision': engine.precision, 'parameters': parameters,
                    'memory_mb': round(memory)}


def pack(folders: list[Path], output: Path) -> int:
    """Read folders of images, with OpenCV, into one file that numpy alone can read."""
    from dig2dig_ros.prior.image_folders import load_folders
    images = [image for found in load_folders(folders).values() for image in found]
    np.savez_compressed(output, **{f'{index:06d}': image for index, image in enumerate(images)})
    print(f'{output}: {len(images)} images')
    return 0


def train(size: str, minutes: float, arguments: argparse.Namespace) -> dict:
    """Train one prior; every 20th image is held out and measured on."""
    with np.load(arguments.images) as packed:
        images = [packed[name] for name in packed.files]
    held_out = images[::HELD_OUT_EVERY]
    seen = [image for index, image in enumerate(images) if index % HELD_OUT_EVERY]
    device = torch.device(arguments.device)
    settings = TrainingSettings(size=size, minutes=minutes, batch=2 if arguments.quick else 64,
                                crop=32 if arguments.quick else 128,
                                learning_rate=7e-4)
    trainer = Trainer(settings, CropSampler(seen, settings.crop, device))
    trainer.run(lambda _: None)
    recipe = dataclasses.asdict(settings) | {
        'steps': trainer.steps_done, 'loss': trainer.loss, 'images': len(seen),
        'denoising_psnr_db': denoising_psnr(trainer.average, held_out)}
    arguments.output.mkdir(parents=True, exist_ok=True)
    save_compact(trainer.average, arguments.output / f'compact-{size}.safetensors', recipe)
    return recipe


if __name__ == '__main__':
    sys.exit(main())
