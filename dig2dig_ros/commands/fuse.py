"""Fuse infrared and visible images, or any K >= 2 aligned sources, from files or folders."""

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from tqdm import tqdm

from dig2dig_ros.camera.preparation import Preparation
from dig2dig_ros.commands.camera_options import add_camera_options, camera_values
from dig2dig_ros.commands.engine_options import add_engine_options, settings_from
from dig2dig_ros.engine import FusionEngine, FusionResult
from dig2dig_ros.errors import InputError
from dig2dig_ros.images import SUFFIXES, match_folders, read_image, to_8_bit, write_image
from dig2dig_ros.overlay import weight_overlay

Prepare = Callable[
    [list[np.ndarray]], tuple[list[np.ndarray], list[np.ndarray | None] | None]]


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    sources = parser.add_argument_group('sources (files, or folders matched by stem)')
    sources.add_argument('--infrared', type=Path, metavar='PATH', help='infrared image or folder')
    sources.add_argument('--visible', type=Path, metavar='PATH', help='visible image or folder')
    sources.add_argument('--sources', type=Path, nargs='+', metavar='PATH',
                         help='two or more sources in place of --infrared and --visible')
    parser.add_argument('--output', type=Path, required=True, metavar='PATH',
                        help='fused image, or folder for fused images (PNG)')
    parser.add_argument('--weights-dir', type=Path, metavar='DIR',
                        help='write weight maps here: 16-bit PNG for each source (65535 is '
                             'weight 1), and an overlay picture')
    parser.add_argument('--report', type=Path, metavar='FILE.html',
                        help='write one self-contained page with pictures, curves and metrics')
    parser.add_argument('--json', type=Path, metavar='FILE',
                        help='write what was fused, what failed, and the time of each')
    add_camera_options(parser)
    add_engine_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Fuse everything; 1 where some scenes failed, after all others are done."""
    paths, names = _sources(arguments)
    scenes, unmatched = _scenes(paths, arguments.output)
    prepare = _preparer(arguments)
    settings = settings_from(arguments)
    engine = FusionEngine.load(arguments.checkpoint, arguments.device, settings)
    fused, failed = [], [
        {'stem': stem, 'error': 'not in every source folder'} for stem in unmatched]
    report = []
    for stem, files, output in tqdm(scenes, desc='fusing', unit='image',
                                    disable=None if len(scenes) > 1 else True):
        try:
            images, valid = prepare([read_image(file) for file in files])
            result = engine.fuse(images, valid)
            write_image(output, result.image)
        except InputError as error:
            if len(scenes) == 1 and not unmatched:
                raise
            failed.append({'stem': stem, 'error': str(error)})
            continue
        if arguments.weights_dir:
            _write_weights(arguments.weights_dir, stem, names, result)
        if arguments.report:
            report.append((stem, dict(zip(names, images, strict=True)), result))
        fused.append({'stem': stem, 'output': str(output), 'ms': result.timing.total_ms,
                      'network_calls': result.timing.network_calls})
    if arguments.report:
        _write_report(arguments.report, report, engine)
    if arguments.json:
        _write_json(arguments.json, {'fused': fused, 'failed': failed})
    _summarise(fused, failed, arguments.output)
    return 1 if failed else 0


def _preparer(arguments: argparse.Namespace) -> Prepare:
    """Choose how the images of a scene become 8 bits of one size.

    Infrared and visible are prepared as a node does, other sources each by itself.
    """
    if arguments.sources:
        return lambda images: ([to_8_bit(image) for image in images], None)
    preparation = Preparation(camera_values(arguments))

    def prepare(images: list[np.ndarray]) -> tuple[list[np.ndarray], list[np.ndarray | None]]:
        infrared, visible, valid, _ = preparation.prepare_images(*images)
        return [infrared, visible], [valid, None]

    return prepare


def _sources(arguments: argparse.Namespace) -> tuple[list[Path], list[str]]:
    if arguments.sources:
        if arguments.infrared or arguments.visible:
            raise InputError('give either --sources, or --infrared and --visible, not both')
        if len(arguments.sources) < 2:
            raise InputError('--sources names 1 path; a fusion takes at least 2')
        return arguments.sources, [f'source{i + 1}' for i in range(len(arguments.sources))]
    if not arguments.infrared or not arguments.visible:
        raise InputError('--infrared and --visible are both needed (or --sources)')
    return [arguments.infrared, arguments.visible], ['infrared', 'visible']


def _scenes(
        paths: list[Path], output: Path) -> tuple[list[tuple[str, list[Path], Path]], list[str]]:
    """(stem, files, output file) of every scene, and the stems without a match."""
    for path in paths:
        if not path.exists():
            raise InputError(f'{path}: no such file or folder')
    folders = [path.is_dir() for path in paths]
    if any(folders) and not all(folders):
        raise InputError('sources mix files and folders; give either all files or all folders')
    if not any(folders):
        stem = paths[-1].stem
        is_file = output.suffix and not output.is_dir()
        return [(stem, paths, output if is_file else output / f'{stem}.png')], []
    if output.is_file() or output.suffix.lower() in SUFFIXES:
        raise InputError(f'{output}: the sources are folders, so --output must be a folder')
    matched, unmatched = match_folders(paths)
    return [(stem, files, output / f'{stem}.png') for stem, files in matched], unmatched


def _write_weights(folder: Path, stem: str, names: list[str], result: FusionResult) -> None:
    for name, weight in zip(names, result.weights, strict=True):
        levels = (weight * 65535).round().astype(np.uint16)
        write_image(folder / f'{stem}_{name}.png', levels)
    write_image(folder / f'{stem}_overlay.png', weight_overlay(result.image, result.weights))


def _write_report(path: Path, entries: list, engine: FusionEngine) -> None:
    from dig2dig_ros.evaluation.report import write_report
    write_report(path, entries, engine)


def _write_json(path: Path, content: dict) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2) + '\n')


def _summarise(fused: list[dict], failed: list[dict], output: Path) -> None:
    if fused:
        mean = sum(entry['ms'] for entry in fused) / len(fused)
        print(f'fused {len(fused)} into {output}, {mean:.0f} ms each')
    for entry in failed:
        print(f'failed: {entry["stem"]}: {entry["error"]}', file=sys.stderr)
