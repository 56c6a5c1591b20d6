"""The options of every command that pairs two image topics, recorded or live."""

import argparse

from dig2dig_ros.errors import InputError
from dig2dig_ros.topics import CAMERAS, IMAGES, recorded

LONGEST_S = 1e9
"""Largest difference of two clocks: 30 years, of which 64 bits hold the nanoseconds."""


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
    if not 0 <= arguments.slop <= LONGEST_S:
        raise InputError(f'--slop is {arguments.slop:g}; it must be from 0 to {LONGEST_S:g}, in '
                         'seconds')
    if not -LONGEST_S <= arguments.offset <= LONGEST_S:
        raise InputError(f'--offset is {arguments.offset:g}; it must be from {-LONGEST_S:g} to '
                         f'{LONGEST_S:g}, in seconds')
    return ((arguments.infrared_topic, arguments.visible_topic),
            round(arguments.slop * 1e9), round(arguments.offset * 1e9))
