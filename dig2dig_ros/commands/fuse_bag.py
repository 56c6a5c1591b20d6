"""Fuse the two cameras of a rosbag2 into a new one, which holds inputs and outputs.

Every pair is fused, whatever the time it takes. No ROS is needed.
"""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from dig2dig_ros.camera.preparation import Preparation
from dig2dig_ros.commands.camera_options import (
    add_camera_options,
    camera_values,
    tell_misalignment,
)
from dig2dig_ros.commands.engine_options import add_engine_options, settings_from
from dig2dig_ros.commands.pair_options import LONGEST_S, add_pair_options, pair_values
from dig2dig_ros.errors import InputError
from dig2dig_ros.evaluation.documents import write_json
from dig2dig_ros.fleet.options import RayOptions, add_ray_options, ray_options
from dig2dig_ros.locations import is_remote, location, output_file, output_folder
from dig2dig_ros.topics import CAMERAS

if TYPE_CHECKING:
    from dig2dig_ros.bag.fuse import Fuse, FusionReport, Rig


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument('input', type=location, nargs='+', metavar='IN',
                        help='bag folder, .mcap or .db3 file; with --ray also several of them, a '
                             'folder of bags, and URLs')
    parser.add_argument('output', type=location, metavar='OUT',
                        help='new bag, not there yet; of several bags, the folder for theirs')
    parser.add_argument('--no-weights', action='store_true',
                        help='leave out the weight maps, which take 8 bytes a pixel')
    parser.add_argument('--stream', action='store_true',
                        help='carry over what did not move from frame to frame, as the live node '
                             'does; faster, not the same to the bit')
    parser.add_argument('--json', type=output_file, metavar='FILE',
                        help='write what became of the bag')
    parser.add_argument('--figures', type=output_folder, metavar='DIR',
                        help='write flicker, time and mean weights of every frame, as video.csv '
                             'and video.png')
    add_pair_options(parser)
    add_camera_options(parser)
    add_engine_options(parser)
    add_ray_options(parser).add_argument(
        '--segment', type=float, default=30.0, metavar='S',
        help='cut longer recordings into segments of so many seconds, whose order and messages '
             'stay as they are; 0: cut none. With --stream each warms up on the 30 pairs before '
             'it')


def run(arguments: argparse.Namespace) -> int:
    """Fuse the bag; 1 where some pair could not be fused, or there was none."""
    from dig2dig_ros.bag.fuse import fuse_bag
    rig = _rig(arguments)
    options = ray_options(arguments)
    if options:
        return _run_on_ray(arguments, rig, options)
    source = _single(arguments)
    from dig2dig_ros.engine import FusionEngine, FusionStream
    from dig2dig_ros.engine.stream import describe
    engine = FusionEngine.load(arguments.checkpoint, arguments.device, settings_from(arguments))
    stream = FusionStream(engine)
    fuse = stream.fuse if arguments.stream else engine.fuse
    rows: dict[str, dict[str, float]] = {}
    if arguments.figures:
        fuse = _followed(fuse, rows)
    report = fuse_bag(source, arguments.output, rig, fuse, on_jump=stream.reset,
                      with_weights=not arguments.no_weights)
    _summarise(report, arguments.output)
    tell_misalignment(rig.preparation)
    if rows:
        _write_figures(arguments.figures, source.name, describe(engine.settings), rows)
    if arguments.json:
        write_json(arguments.json, _entry(report))
    return 1 if report.failed or not report.fused else 0


def _entry(report: 'FusionReport') -> dict:
    return {'fused': report.fused, 'failed': report.failed, 'dropped': report.dropped,
            'not_copied': report.not_copied}


def _single(arguments: argparse.Namespace) -> Path:
    if len(arguments.input) > 1:
        raise InputError(f'{len(arguments.input)} bags are given; several need --ray')
    for place in (*arguments.input, arguments.output):
        if is_remote(place):
            raise InputError(f'{place}: URLs need --ray')
    return arguments.input[0]


def _run_on_ray(arguments: argparse.Namespace, rig: 'Rig', options: RayOptions) -> int:
    """Fuse one bag or many; 1 where a bag, or some pair of one, could not be fused."""
    from dig2dig_ros.fleet.bag_run import BagRun, find_bags
    from dig2dig_ros.fleet.bags import BagJob
    from dig2dig_ros.fleet.engines import EngineChoice
    if arguments.figures:
        raise InputError('--figures follows one bag from frame to frame; leave out --ray')
    if not 0 <= arguments.segment <= LONGEST_S:
        raise InputError(f'--segment is {arguments.segment:g}; it must be from 0 to '
                         f'{LONGEST_S:g}, in seconds')
    rig.preparation.expect(0)  # no worker sees a whole bag
    choice = EngineChoice(settings_from(arguments), arguments.checkpoint, arguments.device)
    bags = find_bags(arguments.input, arguments.output)
    run = BagRun(bags, BagJob(choice, rig, not arguments.no_weights, arguments.stream,
                              arguments.segment))
    run.run(options)
    if run.errors and len(bags) == 1:
        raise InputError(run.errors[0])
    entries, complete = [], not run.errors
    for index, (source, target) in enumerate(bags):
        if report := run.reports.get(index):
            _summarise(report, target)
            entries.append({'input': str(source), 'output': str(target)} | _entry(report))
            complete = complete and bool(report.fused) and not report.failed
    failed = [{'input': str(bags[index][0]), 'error': error}
              for index, error in sorted(run.errors.items())]
    for entry in failed:
        print(f'failed: {entry["input"]}: {entry["error"]}', file=sys.stderr)
    if arguments.json:
        write_json(arguments.json,
                   entries[0] if len(bags) == 1 else {'bags': entries, 'failed': failed})
    return 0 if complete else 1


def _followed(fuse: 'Fuse', rows: dict[str, dict[str, float]]) -> 'Fuse':
    """The same fusion, which also notes figures of every frame, by its number."""
    from dig2dig_ros.evaluation.study import engine_scores
    from dig2dig_ros.evaluation.video import StreamMeter
    meter = StreamMeter(CAMERAS)

    def fuse_and_measure(sources, valid):
        result = fuse(sources, valid)
        rows[f'{len(rows):06d}'] = engine_scores(result) | meter.next(result, sources)
        return result

    return fuse_and_measure


def _write_figures(
        folder: Path, title: str, method: str, rows: dict[str, dict[str, float]]) -> None:
    from dig2dig_ros.evaluation.plots import plot_video
    from dig2dig_ros.evaluation.study import Cell
    from dig2dig_ros.evaluation.tables import write_csv
    cell = Cell(method, rows)
    write_csv(folder / 'video.csv', {method: rows})
    plot_video(folder / 'video.png', title, [cell], CAMERAS)
    mean = cell.mean()
    print(f'{method}: {mean["ms"]:.1f} ms a frame (median), flicker {mean["flicker"]:.3f} grey '
          f'levels, mean weight of infrared {mean["weight infrared"]:.3f}; frame by frame in '
          f'{folder}')


def _rig(arguments: argparse.Namespace) -> 'Rig':
    from dig2dig_ros.bag.fuse import Rig
    return Rig(*pair_values(arguments), Preparation(camera_values(arguments, of_bag=True)))


def _summarise(report: 'FusionReport', output: Path) -> None:
    print(f'fused {report.fused} pairs into {output}')
    for reason, count in sorted(report.dropped.items()):
        print(f'{count} images in no pair: {reason}', file=sys.stderr)
    if report.last_miss_ns is not None:
        print(f'the last image without a partner was {abs(report.last_miss_ns) * 1e-6:.1f} ms '
              'from the other camera; --slop is the largest difference, --offset shifts infrared',
              file=sys.stderr)
    for topic in report.not_copied:
        print(f'not copied: {topic}, the bag does not define its type', file=sys.stderr)
    for line in report.failed:
        print(f'failed: {line}', file=sys.stderr)
