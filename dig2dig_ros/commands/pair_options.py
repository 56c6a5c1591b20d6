"""The options of every command that pairs two image topics, recorded or live."""

import argparse

from dig2dig_ros.errors import InputError
from dig2dig_ros.topics import CAMERAS, IMAGES, recorded


def add_pair_options(parser: argparse.ArgumentParser) -> None:
    """Add topics, slop and offset."""
    pairs = parser.add_argument_group('pairs')
    for camera in CAMERAS:
        pairs.add_argument(f'--{camera}-topic', default=recorded(IMAGES[camera]),
                           metavar='TOPIC', help='Image or CompressedImage')
    pairs.add_argument('--slop', type=float, default=0.02, metavar='S',
                       help='largest time difference in a pair, inclusive, seconds')
    pairs.add_argument('--offset', type=float, default=0.0, metavar='S',
                       help='added to infrared stamps, seconds')


def pair_values(arguments: argparse.Namespace) -> tuple[tuple[str, str], int, int]:
    """Give the topics, and slop and offset in nanoseconds.

    :raises InputError: for a value that cannot be.
    """
    if not arguments.slop >= 0:
        raise InputError(f'--slop is {arguments.slop:g}; it must be at least 0, in seconds')
    return ((arguments.infrared_topic, arguments.visible_topic),
            round(arguments.slop * 1e9), round(arguments.offset * 1e9))
