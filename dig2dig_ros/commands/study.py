"""Run a declared grid of settings over pairs of images and compare what it gave.

The grid is a YAML or JSON file; studies has those of the paper's tables. Finished cells are
kept, so a study that was stopped goes on where it was.
"""

import argparse
import sys
from pathlib import Path

from tqdm import tqdm

from dig2dig_ros.commands.engine_options import add_preset_option
from dig2dig_ros.commands.evaluate import add_source_options, source_folders
from dig2dig_ros.engine import FusionEngine, FusionSettings
from dig2dig_ros.engine.device import resolve_device
from dig2dig_ros.errors import InputError
from dig2dig_ros.evaluation.curves import GLOBAL, dig_curves, mean_curve, write_curves
from dig2dig_ros.evaluation.grid import Grid, load_grid
from dig2dig_ros.evaluation.plots import plot_cells, plot_curves, plot_video
from dig2dig_ros.evaluation.study import (
    Pairs,
    Study,
    choose,
    fingerprint,
    fit_pairs,
    read_pair,
)
from dig2dig_ros.evaluation.tables import comparison, markdown, write_csv
from dig2dig_ros.fleet.cells import CellJob, finish_cells
from dig2dig_ros.fleet.options import add_ray_options, ray_options
from dig2dig_ros.images import match_folders
from dig2dig_ros.locations import make_folder, output_folder, write_text
from dig2dig_ros.prior import load_prior


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument('grid', type=Path, metavar='GRID', help='grid file, YAML or JSON')
    add_source_options(parser)
    parser.add_argument('--output', type=output_folder, required=True, metavar='DIR',
                        help='fused images, tables (Markdown, CSV), plots, and what resumes it')
    parser.add_argument('--limit', type=int, metavar='N',
                        help='take N scenes, evenly spaced in the folder, or the first N frames')
    parser.add_argument('--video', action='store_true',
                        help='the images are the frames of a video, in the order of their stems: '
                             'fuse them as a live stream, and follow flicker, time and weights')
    add_preset_option(parser)
    parser.add_argument('--device', default='auto', help='auto, cpu, cuda or cuda:N')
    parser.add_argument('--checkpoint', type=Path, metavar='FILE',
                        help='prior weights, in place of the embedded ones')
    add_ray_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Run the cells that are not there yet, then write the tables and plots of all.

    :returns: 1 where pairs had to be left out, or a cell could not be finished.
    """
    grid = load_grid(arguments.grid, getattr(arguments, 'preset', None), arguments.device)
    folders = source_folders(arguments)
    pairs, unmatched = match_folders(list(folders.values()))
    pairs, faults = fit_pairs(choose(pairs, arguments.limit, arguments.video))
    for stem, fault in faults.items():
        print(f'left out: {stem}: {fault}', file=sys.stderr)
    if unmatched:
        print(f'{len(unmatched)} left out, not in every folder', file=sys.stderr)
    make_folder(arguments.output)
    if grid.cells and not _run_cells(grid, pairs, list(folders), arguments):
        faults |= {'cells': 'not all are finished'}
    if grid.curves:
        _run_curves(grid, pairs, list(folders), arguments)
    print(f'written to {arguments.output}')
    return 1 if faults else 0


def _run_cells(grid: Grid, pairs: Pairs, names: list[str], arguments: argparse.Namespace) -> bool:
    """Run the cells; False where workers could not finish some, which the tables then lack."""
    device = resolve_device(arguments.device)
    prior = load_prior(arguments.checkpoint, device)
    identity = f'{prior.kind} {fingerprint(prior)} on {device.type}'
    wanted = grid.cells
    if options := ray_options(arguments):
        job = CellJob(names, arguments.output, identity, arguments.video, arguments.checkpoint,
                      arguments.device)
        failed = finish_cells(job, pairs, wanted, options)
        for part, why in failed.items():
            print(f'failed: {part}: {why}', file=sys.stderr)
        study = job.study(pairs)
        wanted = {name: settings for name, settings in wanted.items()
                  if study.finished(name, settings) is not None}
        if not wanted:
            raise InputError('no cell could be finished')
    with tqdm(total=len(wanted) * len(pairs), unit='image', disable=None) as bar:
        def on_image(cell: str, stem: str) -> None:
            bar.set_description(cell)
            bar.update()
        study = Study(
            pairs, names, arguments.output,
            lambda settings: FusionEngine.load(arguments.checkpoint, arguments.device, settings),
            identity, arguments.video, on_image)
        cells = study.run(wanted)
    means = {cell.name: cell.mean() for cell in cells}
    print(comparison(means))
    heading = f'{grid.title}, mean of {len(pairs)} {"frames" if arguments.video else "scenes"}'
    table = markdown(means, 'cell', list(next(iter(means.values()))))
    write_text(arguments.output / 'table.md', f'{heading}\n\n{table}\n')
    write_csv(arguments.output / 'table.csv', {cell.name: cell.per_image for cell in cells})
    plot_cells(arguments.output / 'table.png', grid.title, cells)
    if arguments.video:
        plot_video(arguments.output / 'video.png', grid.title, cells, names)
    return len(wanted) == len(grid.cells)


def _run_curves(grid: Grid, pairs: Pairs, names: list[str],
                arguments: argparse.Namespace) -> None:
    engine = FusionEngine.load(arguments.checkpoint, arguments.device, FusionSettings())
    found = {}
    for stem, paths in tqdm(pairs, desc='curves', unit='image', disable=None):
        regions = grid.curves.regions.get(stem, {})
        for region, curve in dig_curves(engine, read_pair(paths), grid.curves, regions).items():
            found[stem, region] = curve
    everywhere = mean_curve([curve for (_, region), curve in found.items() if region == GLOBAL])
    shown = {('all scenes', GLOBAL): everywhere} | {
        key: curve for key, curve in found.items() if key[0] in grid.curves.regions}
    write_curves(arguments.output / 'curves.csv', found, names)
    plot_curves(arguments.output / 'curves.png', grid.title, shown, names)
