"""Calibrate an infrared and a visible camera from views of a board that both see.

The views come from two folders, a recording, or live topics. Writes infrared.yaml and visible.yaml
(ROS camera calibrations), rig.yaml (for the node, fuse-bag and fuse) and report.html. Views that
do not fit are dropped and named. Exit code 2, and nothing written, where the views do not suffice:
the message says what to record.
"""

import argparse
import re
import sys
from pathlib import Path

from dig2dig_ros.commands.scene_options import add_scene_options, read_scenes
from dig2dig_ros.errors import InputError
from dig2dig_ros.locations import output_file, output_folder, write_text

_VIEWS = 40
# Boards seen by live cameras count as other views from here on (`alignment.frames.change`).
_APART = 0.03


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_scene_options(parser, frames=_VIEWS, all_of_folders=True)
    parser.add_argument('--target', required=True,
                        choices=('chessboard', 'circles', 'acircles', 'charuco'),
                        help='kind of board; charuco takes markers of 4X4_50, 3/4 of a square')
    parser.add_argument('--size', required=True, metavar='CxR',
                        help='columns x rows of inner corners, of circles, or of squares for '
                             'charuco')
    parser.add_argument('--square', type=float, required=True, metavar='M',
                        help='distance of neighbouring corners or circles in metres; of '
                             'asymmetric circles half that along a row')
    parser.add_argument('--output', type=output_folder, required=True, metavar='DIR',
                        help='folder for the calibration')
    parser.add_argument('--json', type=output_file, metavar='FILE', help='write the figures')


def run(arguments: argparse.Namespace) -> int:
    """Calibrate and write."""
    import numpy as np

    from dig2dig_ros.alignment.calibrate import calibrate
    from dig2dig_ros.alignment.targets import Target, find
    from dig2dig_ros.evaluation.documents import write_json
    size = re.fullmatch(r'(\d+)x(\d+)', arguments.size)
    if not size:
        raise InputError(f'--size is {arguments.size}; it must be columns x rows, such as 6x4')
    target = Target(arguments.target, (int(size[1]), int(size[2])), arguments.square)
    scenes, unmatched = read_scenes(
        arguments, all_of_folders=True, apart=_APART,
        wanted=lambda pair: all(find(target, image) for image in pair.images))
    found = calibrate(target, scenes)
    median, p95 = (round(float(np.percentile(found.transfer_px, q)), 4) for q in (50, 95))
    _write(arguments.output, found, median, p95)
    if arguments.json:
        write_json(arguments.json, {
            'infrared': {'rms_px': found.rms_px[0]}, 'visible': {'rms_px': found.rms_px[1]},
            'transfer_px': {'median': median, 'p95': p95},
            'views': {'found': found.found, 'used': len(found.views), 'total': found.total,
                      'dropped': found.dropped},
            'coverage': dict(zip(('infrared', 'visible'),
                                 (grid.tolist() for grid in found.coverage), strict=True)),
            'uncertainty_px': found.uncertainty_px.tolist(), 'depth_m': found.depth_m})
    for name, why in found.dropped.items():
        print(f'left out {name}: {why}', file=sys.stderr)
    for name in unmatched:
        print(f'left out {name}: only one camera has it', file=sys.stderr)
    print(f'{len(found.views)} of {found.total} views used; corner rms {found.rms_px[0]:.3f} px '
          f'infrared, {found.rms_px[1]:.3f} px visible; held-out transfer error {median:.2f} px '
          f'of the infrared camera (median), {p95:.2f} (95 of 100)')
    print(f'written to {arguments.output}; look at {arguments.output / "report.html"}')
    return 0


def _write(folder: Path, found, median: float, p95: float) -> None:
    """Make every text first, so that an error leaves nothing half-written."""
    from dig2dig_ros.alignment.calibration_report import report_page
    from dig2dig_ros.alignment.camera_info import camera_info_yaml
    from dig2dig_ros.alignment.rig import write_rig
    rig = found.rig
    texts = {'infrared.yaml': camera_info_yaml('infrared', rig.infrared),
             'visible.yaml': camera_info_yaml('visible', rig.visible),
             'report.html': report_page(found)}
    for name, text in texts.items():
        write_text(folder / name, text)
    write_rig(folder / 'rig.yaml', rig, {
        'infrared_rms_px': found.rms_px[0], 'visible_rms_px': found.rms_px[1],
        'transfer_px_median': median, 'transfer_px_p95': p95, 'depth_m': found.depth_m,
        'views': len(found.views)})
