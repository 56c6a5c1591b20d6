"""See how well two cameras are aligned: infrared edges over visible, px off on a 3 x 3 grid."""

import argparse

from dig2dig_ros.commands.camera_options import add_camera_options, camera_values
from dig2dig_ros.commands.scene_options import add_scene_options, read_scenes
from dig2dig_ros.locations import output_file


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_scene_options(parser, frames=8)
    parser.add_argument('--output', type=output_file, metavar='PICTURE',
                        help='write the overlay of the first of them here (PNG, JPEG)')
    parser.add_argument('--json', type=output_file, metavar='FILE', help='write the figures')
    add_camera_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Measure and draw."""
    from dig2dig_ros.alignment.check import overlay, residuals
    from dig2dig_ros.alignment.frames import loaded
    from dig2dig_ros.camera.preparation import Preparation
    from dig2dig_ros.evaluation.documents import write_json
    from dig2dig_ros.images import write_image
    preparation = Preparation(camera_values(arguments))
    scenes, _ = read_scenes(arguments)
    prepared = [preparation.prepare_images(*map(loaded, sources)) for _, sources in scenes]
    frames = [(each.infrared, each.visible, each.valid) for each in prepared]
    grid = residuals(frames)
    if arguments.output:
        write_image(arguments.output, overlay(frames[0], grid))
    known = [value for row in grid for value in row if value is not None]
    worst = max(known, default=None)
    if arguments.json:
        write_json(arguments.json, {'residual_px': grid, 'worst_px': worst,
                                    'frames': len(frames)})
    for row in grid:
        print('  '.join('     ?' if value is None else f'{value:6.2f}' for value in row))
    print(f'{len(frames)} frames; px off in each part of the visible image, ? where there is '
          'too little to tell')
    return 0
