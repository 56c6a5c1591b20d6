"""Compare the priors of the compact family: quality against time.

    python studies/priors.py DATA

DATA has dev_pairs/{MSRS,RoadScene,VIFB}/{ir,vi}. Measures, for each embedded prior, denoising at
the levels of DIG-15 over all of the noise schedule, how far DIG agrees with that of the largest,
the one-pass fusion of every second pair, and the time of a 640x512 frame, which wants free cores;
for the large one, of which no weights are shipped, the time alone, on random weights. Fusion and
time are by the default settings. Quality and times lie under --work when they are finished, and
are not measured again; so do the fused images, to look at. Writes the table of docs/priors.md,
studies/priors.json and docs/images/priors.png.
"""

import argparse
import sys
from pathlib import Path

import matplotlib
import numpy as np
import torch
from regenerate import DEV_SETS, DOCS, HERE, kept, link_pairs
from tqdm import tqdm

from dig2dig_ros.engine import FusionEngine, FusionSettings
from dig2dig_ros.engine.device import resolve_device
from dig2dig_ros.engine.schedule import dig_timesteps
from dig2dig_ros.evaluation.benchmark import device_name, run_benchmark
from dig2dig_ros.evaluation.documents import write_json
from dig2dig_ros.evaluation.evaluate import mean_scores
from dig2dig_ros.evaluation.metrics import measure
from dig2dig_ros.evaluation.pages import fill, markdown_table
from dig2dig_ros.evaluation.study import choose, read_pair
from dig2dig_ros.images import match_folders, write_image
from dig2dig_ros.prior import load_prior
from dig2dig_ros.prior.architecture import SIZES
from dig2dig_ros.prior.checkpoint import EMBEDDED
from dig2dig_ros.prior.compact import seeded
from dig2dig_ros.prior.image_folders import load_luminance
from dig2dig_ros.prior.training import denoising_psnr

matplotlib.use('Agg')  # before pyplot: no display is needed
from matplotlib import pyplot as plt

LEVELS = dig_timesteps(15, 999, 2.0)
METRICS = ('PSNR', 'SSIM', 'CC', 'Nabf', 'Qabf', 'VIF', 'SCD')
FRAME = (640, 512)
MODES = {'one-pass': FusionSettings(mode='one-pass'), 'DIG-15': FusionSettings()}


def main() -> int:
    """Measure everything and write it down."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('data', type=Path, metavar='DATA')
    parser.add_argument('--work', type=Path, default=Path('out/priors'), metavar='DIR')
    parser.add_argument('--device', default='auto')
    arguments = parser.parse_args()
    work, device = arguments.work.resolve(), resolve_device(arguments.device)
    link_pairs(arguments.data.resolve(), work / 'pairs', dict.fromkeys(DEV_SETS))
    pairs, _ = match_folders([work / 'pairs/infrared', work / 'pairs/visible'])
    pairs = choose(pairs, (len(pairs) + 1) // 2, video=False)
    measured = kept(work / 'quality.json', lambda: quality(device, pairs, work))
    ms = kept(work / 'times.json', lambda: {
        name: times(name, device) for name in (*EMBEDDED, 'large')})
    found = {name: {'ms': ms[name], **measured.get(name, {})} for name in ms}
    write_json(HERE / 'priors.json', {
        'device': device_name(str(device)), 'threads': torch.get_num_threads(),
        'pairs': len(pairs), 'levels': LEVELS, 'priors': found})
    plot(DOCS / 'images' / 'priors.png', found)
    page = DOCS / 'priors.md'
    page.write_text(fill(page.read_text(), 'family', table(found)))
    return 0


def quality(device: torch.device, pairs: list, work: Path) -> dict[str, dict]:
    """Denoising, fusion, and agreement of DIG with the largest's, of each embedded prior."""
    found, gains = {}, {}
    for name in EMBEDDED:
        scores, gains[name] = fusion(name, device, pairs, work)
        found[name] = {'denoising_psnr_db': denoising(name, device, pairs), 'fusion': scores}
    for name in EMBEDDED:
        found[name]['dig_correlation'] = float(np.mean([
            np.corrcoef(mine.ravel(), largest.ravel())[0, 1]
            for mine, largest in zip(gains[name], gains[EMBEDDED[-1]], strict=True)]))
    return found


def times(name: str, device: torch.device) -> dict[str, float]:
    """Median milliseconds of a frame in each mode."""
    medians = {}
    for mode, settings in MODES.items():
        prior = load_prior(name, device) if name in EMBEDDED else (
            seeded(SIZES[name], seed=0).eval().requires_grad_(False).to(device))
        engine = FusionEngine(prior, device, settings)
        frames = 30 if name in EMBEDDED else 5
        medians[mode] = run_benchmark(engine, engine.fuse, *FRAME, frames)['latency_ms']['p50']
    return medians


def denoising(name: str, device: torch.device, pairs: list) -> dict[int, float]:
    """PSNR in dB by level, over both sources of every fourth of these pairs."""
    images = [load_luminance(path) for _, paths in pairs[::4] for path in paths]
    return denoising_psnr(load_prior(name, device), tqdm(images, f'denoise {name}'), LEVELS)


def fusion(name: str, device: torch.device, pairs: list, work: Path) -> tuple[dict, list]:
    """Mean metrics of the one-pass fusion, and the DIG maps of every pair."""
    engine = FusionEngine.load(name, str(device), MODES['one-pass'])
    scores, gains = [], []
    for stem, paths in tqdm(pairs, f'fuse {name}'):
        sources = read_pair(paths)
        image = engine.fuse(sources).image
        write_image(work / name / f'{stem}.png', image)
        measured = measure(image, sources)
        scores.append({metric: measured[metric] for metric in METRICS})
        gains.append(engine.information_gain(sources)[1])
    return mean_scores(scores), gains


def plot(path: Path, found: dict) -> None:
    """Denoising by level, and what it buys in the fused picture, against time."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4), constrained_layout=True)
    for name in EMBEDDED:
        curve = found[name]['denoising_psnr_db']
        left.plot(list(map(int, curve)), list(curve.values()), marker='.', label=name)
    left.set_xlim(max(LEVELS) + 20, -20)
    left.set_xlabel('timestep')
    left.set_ylabel('denoising PSNR, dB')
    left.legend(frameon=False)
    ms = [found[name]['ms']['one-pass'] for name in EMBEDDED]
    for metric in ('SSIM', 'CC', 'Qabf', 'VIF', 'SCD'):
        values = np.array([found[name]['fusion'][metric] for name in EMBEDDED])
        right.plot(ms, 100 * (values / values[-1] - 1), marker='o', label=metric)
    for name, time in zip(EMBEDDED, ms, strict=True):
        right.annotate(name, (time, 0), textcoords='offset points', xytext=(4, -12), fontsize=8)
    right.set_xscale('log')
    right.xaxis.set_minor_formatter('{x:.0f}')
    right.set_xlabel(f'time of a one-pass frame, {FRAME[0]}x{FRAME[1]}, ms')
    right.set_ylabel(f'fused metrics, % above those of {EMBEDDED[-1]}')
    right.legend(frameon=False)
    for axis in (left, right):
        axis.spines[['top', 'right']].set_visible(False)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def table(found: dict) -> str:
    """A line for each prior, as Markdown."""
    low = [level for level in LEVELS if level <= FusionSettings.t_max]
    rows = []
    for name, prior in found.items():
        cells = [name, *(f'{prior["ms"][mode]:.0f}' for mode in MODES)]
        if 'fusion' in prior:
            curve = prior['denoising_psnr_db']
            halves = low, [level for level in LEVELS if level not in low]
            cells += [*(f'{np.mean([curve[str(level)] for level in half]):.1f}'
                        for half in halves),
                      f'{prior["dig_correlation"]:.3f}']
            cells += [f'{prior["fusion"][metric]:.{4 if metric == "Nabf" else 3}f}'
                      for metric in METRICS]
        else:
            cells += ['–'] * (3 + len(METRICS))
        rows.append(cells)
    return markdown_table(
        ('prior', 'one-pass ms', 'DIG-15 ms', f'denoising dB, t <= {FusionSettings.t_max}',
         'above', 'DIG, r', *METRICS), rows)


if __name__ == '__main__':
    sys.exit(main())
