"""Measure the int8 ranges of compact priors, with NNCF, and what int8 costs in quality.

    pip install nncf
    python studies/quantise.py --images TRAIN_FOLDER ... --check DATA [--weights FILE ...]

Calibrates on crops of the images and of rendered streets, at all timesteps, half of them noised
and half as the one-pass fusion gives them to the network, and writes NAME.int8.safetensors beside
each weights file. Then compares with float32 on the development pairs, DATA/dev_pairs: the
network's estimate at each level, the fused picture and the weight maps; writes
studies/quantise.json.

Ranges are the lowest and highest value ever seen: NNCF's default, a mean over samples, cuts off
the strong features of low timesteps (t = 10: 9 dB of denoising lost, not 0.5). Input and output
layers, upsampling and the additive skips stay in float, for the same reason: 10 dB less error.
So do the blocks at full size, for 9 dB (tiny's DIG-15 takes 6 % longer so, docs/priors.md), and
the depthwise convolutions of 5 x 5, which 8 bits make no faster. Weights have 7 bits: on a
processor without VNNI sums of two products of 8 bits overflow, which costs 12 dB.
"""

import argparse
import dataclasses
import json
import sys
from pathlib import Path

import nncf
import numpy as np
import openvino
import torch
from nncf.quantization.advanced_parameters import AdvancedQuantizationParameters, OverflowFix
from nncf.quantization.range_estimator import (
    AggregatorType,
    RangeEstimatorParameters,
    StatisticsCollectorParameters,
    StatisticsType,
)
from tqdm import tqdm

from dig2dig_ros.camera.thermal import GainControl
from dig2dig_ros.engine import FusionEngine, FusionSettings
from dig2dig_ros.images import match_folders, read_image, to_8_bit
from dig2dig_ros.prior import load_prior
from dig2dig_ros.prior.architecture import Architecture
from dig2dig_ros.prior.checkpoint import EMBEDDED
from dig2dig_ros.prior.compact import in_parts, input_levels, preconditioning
from dig2dig_ros.prior.image_folders import load_folders
from dig2dig_ros.prior.noise_schedule import alpha_bar_table
from dig2dig_ros.prior.openvino_graph import build
from dig2dig_ros.prior.quantisation import LayerRanges, Ranges, ranges_path, write_ranges
from dig2dig_ros.synthetic.street import StreetScene

HERE = Path(__file__).parent
WEIGHTS = HERE.parent / 'dig2dig_ros' / 'prior' / 'weights'
CPU = torch.device('cpu')
CROP = 256
LEVELS = (10, 30, 60, 120, 250, 350, 450, 700, 999)
SETS = 'RoadScene', 'MSRS', 'VIFB'
MODES = {'one-pass': FusionSettings(mode='one-pass'), 'DIG-15': FusionSettings(steps=15)}


def main() -> int:
    """Quantise, check, and write both down."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--images', type=Path, nargs='+', required=True, metavar='DIR')
    parser.add_argument('--pattern', default='*', help='of the file names that may be used')
    parser.add_argument('--rendered', type=int, default=16, help='rendered streets')
    parser.add_argument('--samples', type=int, default=192)
    parser.add_argument('--check', type=Path, metavar='DATA')
    parser.add_argument('--weights', type=Path, nargs='+', metavar='FILE',
                        default=[WEIGHTS / f'compact-{name}.safetensors' for name in EMBEDDED])
    arguments = parser.parse_args()
    images = load_folders(arguments.images, pattern=arguments.pattern)
    images['rendered'] = rendered(arguments.rendered)
    recipe = {'tool': f'nncf {nncf.__version__}', 'samples': arguments.samples,
              'images': {name: len(found) for name, found in images.items()}}
    pool = [image for found in images.values() for image in found]
    report = {}
    for path in arguments.weights:
        ranges_path(path).unlink(missing_ok=True)
        ranges = quantise(path, calibration(pool, arguments.samples))
        written = write_ranges(path, ranges, recipe)
        print(f'{written}: {len(ranges)} layers, {written.stat().st_size} bytes', flush=True)
        if arguments.check:
            report[path.stem] = recipe | check(path, arguments.check / 'dev_pairs')
            print(json.dumps(report[path.stem], indent=1), flush=True)
    if report:
        (HERE / 'quantise.json').write_text(json.dumps(report, indent=2) + '\n')
    return 0


def rendered(count: int) -> list[np.ndarray]:
    """Luminance of rendered streets, infrared and visible in turn."""
    frames = [StreetScene(seed=seed).render(float(seed)) for seed in range((count + 1) // 2)]
    both = [half for frame in frames for half in (GainControl()(frame.infrared), frame.visible)]
    return [half if half.ndim == 2 else half.mean(axis=2).astype(np.uint8) for half in both]


def noised(image: np.ndarray, timestep: int, noise: float, seed: int) -> torch.Tensor:
    """x_t of an image, 1 x 1 x H x W; `noise` 0 leaves its noise out, as the levels do."""
    alpha_bar = float(alpha_bar_table()[timestep])
    clean = torch.from_numpy(image.astype(np.float32))[None, None] / 127.5 - 1
    drawn = torch.randn(clean.shape, generator=torch.Generator().manual_seed(seed))
    return alpha_bar ** 0.5 * clean + noise * (1 - alpha_bar) ** 0.5 * drawn


def calibration(pool: list[np.ndarray], count: int) -> list[dict[str, np.ndarray]]:
    """Inputs of the network, as the engine makes them; timesteps evenly from 1 to 999."""
    random = np.random.default_rng(0)
    timesteps = np.linspace(1, 999, count).round().astype(int)
    samples = []
    for index, timestep in enumerate(timesteps):
        image = pool[random.integers(len(pool))]
        top, left = (random.integers(side - CROP + 1) for side in image.shape)
        crop = image[top:top + CROP, left:left + CROP]
        if random.random() < 0.2:
            crop = 255 - crop
        scaled = preconditioning()[timestep, 0] * noised(crop, timestep, index % 2, index)
        samples.append({
            'scaled': in_parts(scaled, torch.bfloat16).numpy(),
            'levels': in_parts(input_levels()[timestep][None, :, None, None],
                               torch.bfloat16).numpy()})
    return samples


def quantise(path: Path, samples: list[dict[str, np.ndarray]]) -> Ranges:
    """The ranges that NNCF finds."""
    network = load_prior(path, CPU).network
    network.take_parts()
    weights = {name: tensor.numpy() for name, tensor in network.state_dict().items()}
    model = build(network.architecture, weights, (-1, -1, -1))
    lowest = StatisticsCollectorParameters(
        statistics_type=StatisticsType.MIN, aggregator_type=AggregatorType.MIN)
    highest = StatisticsCollectorParameters(
        statistics_type=StatisticsType.MAX, aggregator_type=AggregatorType.MAX)
    quantised = nncf.quantize(
        model, nncf.Dataset(samples), subset_size=len(samples),
        preset=nncf.QuantizationPreset.MIXED,
        ignored_scope=nncf.IgnoredScope(names=in_float(network.architecture)),
        advanced_parameters=AdvancedQuantizationParameters(
            overflow_fix=OverflowFix.ENABLE,
            activations_range_estimator_params=RangeEstimatorParameters(lowest, highest)))
    ranges = read_off(quantised)
    again = build(network.architecture, weights, (-1, -1, -1), ranges)
    first, second = (np.array(openvino.compile_model(one, 'CPU')(samples[0])[0])
                     for one in (quantised, again))
    print(f'rebuilt from ranges: differs by {np.abs(first - second).max():.2g}')
    return ranges


def in_float(architecture: Architecture) -> list[str]:
    """Operations that are not quantised."""
    names = ['head', 'head.levels', 'head.sum', 'tail']
    for level, blocks in enumerate(architecture.blocks):
        last = level == len(architecture.blocks) - 1
        names += [] if last else [f'ups.{level}', f'merges.{level}']
        kept = ['sum'] if architecture.kernel == 3 else ['around', 'sum']
        if level == 0:
            kept += ['first', 'second']
        names += [f'{stack}.{block}.{part}' for block in range(blocks) for part in kept
                  for stack in (['bottleneck'] if last else
                                [f'encoders.{level}', f'decoders.{level}'])]
    return names


def read_off(quantised: openvino.Model) -> Ranges:
    """Ranges of the convolutions that a model of NNCF's computes in int8."""
    ranges = {}
    for layer in quantised.get_ops():
        if layer.get_type_name() != 'Convolution':
            continue
        source, kernel = (layer.input_value(port).get_node() for port in (0, 1))
        if source.get_type_name() != 'FakeQuantize':
            continue
        inputs = [float(source.input_value(port).get_node().data) for port in (1, 2)]
        scale = kernel.input_value(1).get_node().data.reshape(-1)
        bias = next(iter(layer.output(0).get_target_inputs())).get_node()
        ranges[layer.get_friendly_name()] = LayerRanges(
            np.array(inputs, np.float32), (127 * scale).astype(np.float32),
            bias.input_value(1).get_node().data.reshape(-1).astype(np.float32))
    return ranges


def check(path: Path, pairs: Path) -> dict:
    """Quality of int8 against float32: every fifth development pair."""
    sources = []
    for name in SETS:
        found, _ = match_folders([pairs / name / 'ir', pairs / name / 'vi'])
        sources += [[to_8_bit(read_image(path)) for path in paths] for _, paths in found[::5]]
    return estimates(path, sources) | pictures(path, sources)


@torch.inference_mode()
def estimates(path: Path, sources: list[list[np.ndarray]]) -> dict:
    """dB of x0_hat against that of float32, and of denoising lost, by level."""
    exact, fast = load_prior(path, CPU), load_prior(path, CPU).to_precision(torch.int8)
    found = {'clean': {}, 'noised': {}, 'denoising_lost': {}}
    for level in tqdm(LEVELS, 'levels', disable=None):
        errors = {'clean': [], 'noised': []}
        lost = []
        for seed, (infrared, visible) in enumerate(sources):
            image = (infrared, visible)[seed % 2]
            image = image if image.ndim == 2 else image.mean(axis=2).astype(np.uint8)
            height, width = (min(256, side - side % exact.multiple) for side in image.shape)
            image = image[:height, :width]
            clean = torch.from_numpy(image.astype(np.float32)) / 127.5 - 1
            for noise, name in enumerate(errors):
                one, other = (prior(noised(image, level, noise, seed), torch.tensor([level]))
                              for prior in (exact, fast))
                errors[name].append(float((one - other).square().mean()))
            lost.append(decibels(float((one - clean).square().mean()))
                        - decibels(float((other - clean).square().mean())))
        for name, values in errors.items():
            found[name][level] = round(decibels(float(np.mean(values))), 1)
        found['denoising_lost'][level] = round(float(np.mean(lost)), 2)
    return found


def pictures(path: Path, sources: list[list[np.ndarray]]) -> dict:
    """dB of the fused picture against that of float32, and mean difference of the weights."""
    found = {}
    for mode, settings in MODES.items():
        exact, fast = (
            FusionEngine.load(path, 'cpu', dataclasses.replace(settings, precision=precision))
            for precision in ('fp32', 'int8'))
        pictures, weights = [], []
        for pair in tqdm(sources, mode, disable=None):
            one, other = exact.fuse(pair), fast.fuse(pair)
            error = np.square(one.image.astype(float) - other.image).mean()
            pictures.append(decibels(error, 255))
            weights.append(float(np.abs(one.weights - other.weights).mean()))
        found[mode] = {'picture_db': [round(min(pictures), 1), round(float(np.mean(pictures)), 1)],
                       'weights': [round(float(np.mean(weights)), 4), round(max(weights), 4)]}
    return found


def decibels(squared_error: float, peak: float = 2) -> float:
    """PSNR of a mean squared error."""
    return float(10 * np.log10(peak ** 2 / max(squared_error, 1e-12)))


if __name__ == '__main__':
    sys.exit(main())
