"""Find how an infrared camera's pixels lie on a visible camera's, from what both look at.

Needs no target: frames of one rig, best of different and distant scenes, are pooled. They come
from two folders, a recording, or live topics. Exit code 0: accepted; 1: refused, nothing written;
2: bad input.
"""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from dig2dig_ros.commands.scene_options import add_scene_options, read_scenes
from dig2dig_ros.locations import output_file
from dig2dig_ros.topics import CAMERAS

if TYPE_CHECKING:
    from dig2dig_ros.alignment.turn import Lenses


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_scene_options(parser, frames=8)
    parser.add_argument('--scale', type=float, metavar='S',
                        help='visible pixels to an infrared pixel, about, where the two fields '
                             'of view are far apart (default: from the sizes)')
    for camera in CAMERAS:
        parser.add_argument(f'--{camera}-info', type=Path, metavar='YAML',
                            help='calibration of this lens as camera_calibration or dig2dig '
                                 'calibrate writes it; with both, distortion is taken out, and '
                                 'a rotation and a ratio of focal lengths found')
    parser.add_argument('--output', type=output_file, metavar='rig.yaml',
                        help='write the rig file here, where accepted')
    parser.add_argument('--json', type=output_file, metavar='FILE', help='write the figures')


def run(arguments: argparse.Namespace) -> int:
    """Align; 1 where the result is refused."""
    from dig2dig_ros.alignment.align import align
    from dig2dig_ros.alignment.frames import loaded
    from dig2dig_ros.alignment.rig import write_rig
    from dig2dig_ros.errors import InputError
    from dig2dig_ros.evaluation.documents import write_json
    if arguments.scale is not None and not 0.02 <= arguments.scale <= 50:
        raise InputError(f'--scale is {arguments.scale:g}; it must be between 0.02 and 50')
    lenses = _lenses(arguments)
    scenes, _ = read_scenes(arguments)
    frames = [tuple(map(loaded, sources)) for _, sources in scenes]
    found = align(frames, arguments.scale, lenses)
    figures = {'ncc': round(found.ncc, 4), 'z': round(found.z, 2),
               'halves_px': found.halves_px, 'frames': found.frames}
    if arguments.output and found.accepted:
        write_rig(arguments.output, found.rig, figures)
    if arguments.json:
        write_json(arguments.json, {'accepted': found.accepted, 'reason': found.reason,
                                    'homography': found.homography.tolist(), **figures})
    of = 'the frames' if found.frames > 1 else 'the frame'
    agreement = f', two halves of {of} agree within {found.halves_px:.1f} px'
    print(f'{found.frames} frames: NCC {found.ncc:.2f}, z {found.z:.1f}{agreement}')
    if not found.accepted:
        print(f'refused: {found.reason}', file=sys.stderr)
        return 1
    print('homography, infrared to visible pixels' + ' without distortion' * bool(lenses) + ':',
          ' '.join(f'{value:.6g}' for value in found.homography.ravel()))
    if arguments.output:
        print(f'written to {arguments.output}')
    return 0


def _lenses(arguments: argparse.Namespace) -> 'Lenses | None':
    from dig2dig_ros.alignment.camera_info import camera_of
    from dig2dig_ros.bag.calibration import read_camera_info
    from dig2dig_ros.errors import InputError
    files = {camera: getattr(arguments, f'{camera}_info') for camera in CAMERAS}
    if not any(files.values()):
        return None
    if not all(files.values()):
        raise InputError('only one of --infrared-info and --visible-info is given; a rotation '
                         'takes the lenses of both cameras')
    return tuple(camera_of(read_camera_info(file, None), f'{camera} camera, {file}')
                 for camera, file in files.items())
