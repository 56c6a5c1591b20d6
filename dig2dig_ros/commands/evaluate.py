"""Measure fused images against their sources, on 8-bit luminance: per image and mean.

Images of one scene share their file stem. PSNR, SSIM, VIF, SCD and MI are sums over the sources,
MSE and CC means. With several --fused the methods stand side by side, best and second best
marked, over the images that all of them have. Without --fused, and with --noise, the pairs are
fused here. With --labels and --detector, average precision of what detectors find in the fused
images, in each camera, in pixelwise mean and maximum, and in both cameras together (late fusion).
"""

import argparse
import math
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from tqdm import tqdm

from dig2dig_ros.commands.detection_options import (
    add_detection_options,
    check_detection_options,
    detection_table,
    measure_detection,
    noise_from,
)
from dig2dig_ros.commands.engine_options import add_engine_options
from dig2dig_ros.errors import InputError
from dig2dig_ros.evaluation.documents import write_json
from dig2dig_ros.evaluation.evaluate import Evaluation, Scores, evaluate
from dig2dig_ros.evaluation.perceptual import load_lpips
from dig2dig_ros.evaluation.tables import align, comparison, format_value, write_csv
from dig2dig_ros.evaluation.video import flicker_scores
from dig2dig_ros.fleet.options import add_ray_options, ray_options
from dig2dig_ros.locations import output_file


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_source_options(parser)
    parser.add_argument('--fused', action='append', metavar='[NAME=]DIR',
                        help='folder of fused images; several times to compare methods; left '
                             'out: fuse here, by the options of the engine')
    parser.add_argument('--video', action='store_true',
                        help='the images are the frames of a video, in the order of their stems: '
                             'measure flicker too, in grey levels: frame-to-frame change of the '
                             'fused minus the largest of the sources, on static pixels')
    parser.add_argument('--json', type=output_file, metavar='FILE',
                        help='write all figures as JSON')
    parser.add_argument('--csv', type=output_file, metavar='FILE',
                        help='write a line for each image')
    add_detection_options(parser)
    add_engine_options(parser)
    add_ray_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Measure everything; 1 where some images failed, after all others are done."""
    folders = source_folders(arguments)
    check_detection_options(arguments, folders)
    if ray_options(arguments) and not arguments.fused:
        raise InputError('--ray measures what --fused names; `dig2dig fuse --ray` makes it')
    if arguments.fused:
        return _measure(arguments, folders, fused_folders(arguments.fused), {})
    from dig2dig_ros.commands.own_fusion import fuse_folders
    with tempfile.TemporaryDirectory(prefix='dig2dig-') as place:
        methods = {'fused': Path(place)}
        failed = fuse_folders(arguments, folders, methods['fused'], noise_from(arguments))
        return _measure(arguments, folders, methods, failed)


def _measure(arguments: argparse.Namespace, folders: Mapping[str, Path],
             methods: Mapping[str, Path], not_fused: Mapping[str, str]) -> int:
    lpips, why_not = load_lpips()
    extras = [lpips] if lpips else []
    if arguments.video:
        extras.append(flicker_scores())
    result = evaluate(list(folders.values()), methods, extras, progress=_progress,
                      measured=_measured_on_ray(arguments, folders, methods))
    result.unmatched = [stem for stem in result.unmatched if stem not in not_fused]
    result.failed |= not_fused
    if why_not:
        print(why_not, file=sys.stderr)
    _report_problems(result)
    means = result.means()
    count = len(next(iter(result.per_image.values())))
    if count:
        print(_table(result, means))
    print(f'{count} images measured, {len(result.failed)} failed')
    detection = {}
    if arguments.detector:
        detection = {'detection': measure_detection(arguments, folders, methods, result.failed,
                                                    _progress)}
        print(detection_table(detection['detection']))
    if arguments.csv:
        write_csv(arguments.csv, result.per_image)
    if arguments.json:
        write_json(arguments.json, _document(result, means) | detection)
    return 1 if result.failed else 0


def _measured_on_ray(arguments: argparse.Namespace, folders: Mapping[str, Path],
                     methods: Mapping[str, Path]) -> Callable | None:
    """Measuring by workers; detectors run here all the same."""
    options = ray_options(arguments)
    if not options:
        return None
    from dig2dig_ros.fleet.measures import MeasureJob, measure_on
    # What is done is kept beside the figures; without a file of them it would be in the way.
    figures = arguments.json or arguments.csv
    return measure_on(options, MeasureJob(len(folders), list(methods), arguments.video),
                      figures.parent if figures else None)


def _progress(images: Iterable) -> Iterable:
    return tqdm(images, unit='image', disable=None)


def add_source_options(parser: argparse.ArgumentParser) -> None:
    """Declare the options that `source_folders` reads."""
    parser.add_argument('--infrared', type=Path, metavar='DIR', help='folder of infrared images')
    parser.add_argument('--visible', type=Path, metavar='DIR', help='folder of visible images')
    parser.add_argument('--sources', type=Path, nargs='+', metavar='DIR',
                        help='folders of the K sources, in place of --infrared and --visible')


def source_folders(arguments: argparse.Namespace) -> dict[str, Path]:
    """The K source folders by name, from --sources or --infrared and --visible.

    :raises InputError: where neither or both were given.
    """
    pair = {'infrared': arguments.infrared, 'visible': arguments.visible}
    if arguments.sources and not any(pair.values()):
        return {f'source{number}': folder for number, folder in enumerate(arguments.sources, 1)}
    if not arguments.sources and all(pair.values()):
        return pair
    raise InputError('give the sources as --infrared DIR --visible DIR, or as --sources DIR DIR')


def fused_folders(values: list[str]) -> dict[str, Path]:
    """Folders of fused images by the name of the method, from [NAME=]DIR options.

    :raises InputError: where two have one name.
    """
    methods: dict[str, Path] = {}
    for value in values:
        name, separator, folder = value.partition('=')
        if not separator or Path(value).is_dir():
            name, folder = Path(value).resolve().name, value
        if name in methods:
            raise InputError(f'--fused names {name} twice; give each method its own NAME=DIR')
        methods[name] = Path(folder)
    return methods


def _report_problems(result: Evaluation) -> None:
    for stem, why in result.failed.items():
        print(f'{stem}: {why}', file=sys.stderr)
    if result.unmatched:
        shown = ', '.join(result.unmatched[:5]) + (', ...' if len(result.unmatched) > 5 else '')
        print(f'{len(result.unmatched)} left out, not in every folder: {shown}', file=sys.stderr)


def _table(result: Evaluation, means: Mapping[str, Scores]) -> str:
    if len(means) > 1:
        return comparison(means)
    (images,), (mean,) = result.per_image.values(), means.values()
    rows = [['', 'mean', 'lowest', 'highest']]
    for metric, value in mean.items():
        figures = [scores[metric] for scores in images.values()]
        # The first frame of a video has no flicker.
        figures = [figure for figure in figures if not math.isnan(figure)] or [value]
        rows.append([metric, *(format_value(metric, figure)
                               for figure in (value, min(figures), max(figures)))])
    return align(rows)


def _document(result: Evaluation, means: Mapping[str, Scores]) -> dict:
    """The JSON document: `metrics` is the first method's, `methods` has them all by name."""
    methods = {method: {'mean': means[method], 'per_image': images}
               for method, images in result.per_image.items()}
    document = {'metrics': next(iter(methods.values())), 'failed': result.failed,
                'unmatched': result.unmatched}
    return document | ({'methods': methods} if len(methods) > 1 else {})
