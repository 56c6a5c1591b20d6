"""Write a rosbag2 of two camera topics from folders of images or videos.

Infrared is written as mono8 or mono16, visible as bgr8 (gray images as mono8), with stamps at
regular intervals. No ROS is needed.
"""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from dig2dig_ros.errors import InputError
from dig2dig_ros.topics import CAMERAS, IMAGES, INFOS, recorded

if TYPE_CHECKING:
    from dig2dig_ros.bag.frames import FramePairs

START_NS = 1_000_000_000
"""Stamp of the first frame: not 0, which means a stamp that was never set."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    for camera in CAMERAS:
        parser.add_argument(f'--{camera}', type=Path, required=True, metavar='PATH',
                            help='folder of images (matched by stem) or video')
    parser.add_argument('--output', type=Path, required=True, metavar='BAG',
                        help='folder of the bag, not there yet')
    parser.add_argument('--rate', type=float, metavar='HZ',
                        help="frames a second (default: the videos' own, 30 for images)")
    parser.add_argument('--storage', choices=('mcap', 'sqlite3'), default='mcap',
                        help='file format of the bag')
    for camera in CAMERAS:
        parser.add_argument(f'--{camera}-info', type=Path, metavar='YAML',
                            help='calibration to write as camera_info with each frame')


def run(arguments: argparse.Namespace) -> int:
    """Write the bag; 1 where frames lacked a partner."""
    from dig2dig_ros.bag.frames import paired_frames
    pairs = paired_frames(arguments.infrared, arguments.visible)
    rate_hz = arguments.rate if arguments.rate is not None else pairs.rate_hz or 30.0
    if not 0 < rate_hz <= 1e6:
        raise InputError(f'--rate is {rate_hz:g}; it must be above 0, in frames a second')
    count = _write(arguments, pairs, 1e9 / rate_hz)
    print(f'wrote {count} pairs at {rate_hz:g} Hz into {arguments.output}')
    for name in pairs.unmatched:
        print(f'left out: {name} has no partner', file=sys.stderr)
    return 1 if pairs.unmatched else 0


def _write(arguments: argparse.Namespace, pairs: 'FramePairs', period_ns: float) -> int:
    from tqdm import tqdm

    from dig2dig_ros.bag.calibration import CAMERA_INFO, read_camera_info
    from dig2dig_ros.bag.messages import IMAGE, add_topic, header, image_message, write
    from dig2dig_ros.bag.storage import create_bag
    files = {camera: getattr(arguments, f'{camera}_info') for camera in CAMERAS}
    infos = {camera: read_camera_info(file, None) for camera, file in files.items() if file}
    count = 0
    with create_bag(arguments.output, arguments.storage) as writer:
        images = {camera: add_topic(writer, recorded(IMAGES[camera]), IMAGE)
                  for camera in CAMERAS}
        calibrations = {camera: add_topic(writer, recorded(INFOS[camera]), CAMERA_INFO)
                        for camera in infos}
        for pair in tqdm(pairs.frames, 'writing', pairs.count, unit='pair', disable=None):
            stamp_ns = START_NS + round(count * period_ns)
            for camera, image in zip(CAMERAS, pair, strict=True):
                stamped = header(stamp_ns, f'{camera}_optical_frame')
                write(writer, images[camera], stamp_ns,
                      image_message(image, _encoding(image), stamped))
                if camera in infos:
                    infos[camera].header = stamped
                    write(writer, calibrations[camera], stamp_ns, infos[camera])
            count += 1
        if count == 0:
            raise InputError(f'{arguments.infrared} and {arguments.visible} have no frames')
    return count


def _encoding(image) -> str:
    """Name the encoding that keeps the image as it is."""
    return ('mono' if image.ndim == 2 else 'bgr') + str(8 * image.itemsize)
