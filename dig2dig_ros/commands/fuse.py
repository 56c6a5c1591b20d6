"""Fuse infrared and visible images, or any K >= 2 aligned sources, from files or folders."""

import argparse
import sys
from pathlib import Path

from tqdm import tqdm

from dig2dig_ros.commands.camera_options import (
    add_camera_options,
    camera_values,
    tell_misalignment,
)
from dig2dig_ros.commands.engine_options import add_engine_options, settings_from
from dig2dig_ros.engine import FusionEngine
from dig2dig_ros.errors import InputError
from dig2dig_ros.evaluation.documents import write_json
from dig2dig_ros.fleet.engines import EngineChoice
from dig2dig_ros.fleet.options import RayOptions, add_ray_options, ray_options
from dig2dig_ros.fleet.run import Task, finish_all
from dig2dig_ros.fleet.scenes import Scene, SceneFuser, SceneJob, with_memory
from dig2dig_ros.images import SUFFIXES, match_folders
from dig2dig_ros.locations import location, output_file, output_folder, signatures


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    sources = parser.add_argument_group(
        'sources (files, or folders matched by stem; paths or fsspec URLs)')
    sources.add_argument('--infrared', type=location, metavar='PATH',
                         help='infrared image or folder')
    sources.add_argument('--visible', type=location, metavar='PATH',
                         help='visible image or folder')
    sources.add_argument('--sources', type=location, nargs='+', metavar='PATH',
                         help='two or more sources in place of --infrared and --visible')
    parser.add_argument('--output', type=location, required=True, metavar='PATH',
                        help='fused image, or folder for fused images (PNG)')
    parser.add_argument('--weights-dir', type=output_folder, metavar='DIR',
                        help='write weight maps here: 16-bit PNG for each source (65535 is '
                             'weight 1), and an overlay picture')
    parser.add_argument('--report', type=output_file, metavar='FILE.html',
                        help='write one self-contained page with pictures, curves and metrics')
    parser.add_argument('--json', type=output_file, metavar='FILE',
                        help='write what was fused, what failed, and the time of each')
    add_camera_options(parser)
    add_engine_options(parser)
    add_ray_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Fuse everything; 1 where some scenes failed, after all others are done."""
    paths, names = _sources(arguments)
    scenes, unmatched = _scenes(paths, arguments.output)
    choice = EngineChoice(settings_from(arguments), arguments.checkpoint, arguments.device)
    camera = None if arguments.sources else camera_values(arguments)
    options = ray_options(arguments)
    if options:
        if arguments.report:
            raise InputError('--report shows a few pictures of one process; leave out --ray')
        job = SceneJob(choice, names, camera, arguments.weights_dir)
        fused, failed = _fuse_with_ray(job, scenes, options)
    else:
        engine = choice.load()
        fuser = SceneFuser(engine, names, camera, arguments.weights_dir, len(scenes))
        fused, failed = _fuse(fuser, scenes, engine, arguments)
    if failed and len(scenes) == 1 and not unmatched:
        raise InputError(failed[0]['error'])
    failed += [{'stem': stem, 'error': 'not in every source folder'} for stem in unmatched]
    if arguments.json:
        write_json(arguments.json, {'fused': fused, 'failed': failed})
    _summarise(fused, failed, arguments.output)
    return 1 if failed else 0


def _fuse(fuser: SceneFuser, scenes: list[Scene], engine: FusionEngine,
          arguments: argparse.Namespace) -> tuple[list[dict], list[dict]]:
    fused, failed, report = [], [], []
    for scene in tqdm(scenes, desc='fusing', unit='image',
                      disable=None if len(scenes) > 1 else True):
        try:
            entry, images, result = fuser.fuse(scene)
        except InputError as error:
            failed.append({'stem': scene.stem, 'error': str(error)})
            continue
        fused.append(entry)
        if arguments.report:
            report.append((scene.stem, dict(zip(fuser.names, images, strict=True)), result))
    if arguments.report:
        from dig2dig_ros.evaluation.report import write_report
        write_report(arguments.report, report, engine)
    if fuser.preparation:
        tell_misalignment(fuser.preparation)
    return fused, failed


def _fuse_with_ray(
        job: SceneJob, scenes: list[Scene], options: RayOptions) -> tuple[list[dict], list[dict]]:
    """Fuse what no earlier run has fused, or whose sources or output have changed since."""
    way = {**job.choice.identity(), 'camera': job.camera, 'weights': str(job.weights_folder)}
    folders = {file.parent for scene in scenes for file in (*scene.files, scene.output)}
    there = {folder: signatures(folder) for folder in folders}
    tasks = [Task(scene.stem, scene,
                  [there[file.parent].get(file.name) for file in scene.files])
             for scene in with_memory(scenes, job.camera)]
    outcomes = finish_all(
        job, tasks, options, job.choice.device, scenes[0].output.parent, 'fuse', way,
        is_there=lambda task: task.content.output.name in there[task.content.output.parent])
    return ([outcome.value for outcome in outcomes.values() if outcome.error is None],
            [{'stem': stem, 'error': outcome.error} for stem, outcome in outcomes.items()
             if outcome.error is not None])


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


def _scenes(paths: list[Path], output: Path) -> tuple[list[Scene], list[str]]:
    """Every scene, and the stems without a match."""
    for path in paths:
        if not path.exists():
            raise InputError(f'{path}: no such file or folder')
    folders = [path.is_dir() for path in paths]
    if any(folders) and not all(folders):
        raise InputError('sources mix files and folders; give either all files or all folders')
    if not any(folders):
        stem = paths[-1].stem
        is_file = output.suffix and not output.is_dir()
        return [Scene(stem, paths, output if is_file else output / f'{stem}.png')], []
    if output.is_file() or output.suffix.lower() in SUFFIXES:
        raise InputError(f'{output}: the sources are folders, so --output must be a folder')
    matched, unmatched = match_folders(paths)
    return [Scene(stem, files, output / f'{stem}.png') for stem, files in matched], unmatched


def _summarise(fused: list[dict], failed: list[dict], output: Path) -> None:
    if fused:
        mean = sum(entry['ms'] for entry in fused) / len(fused)
        print(f'fused {len(fused)} into {output}, {mean:.0f} ms each')
    for entry in failed:
        print(f'failed: {entry["stem"]}: {entry["error"]}', file=sys.stderr)
