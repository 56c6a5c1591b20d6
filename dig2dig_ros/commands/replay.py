"""Publish a rosbag2 with its original spacing, and its time on /clock.

Space pauses and goes on; Ctrl-C ends. Publishers are reliable.
"""

import argparse
import math
import sys
from pathlib import Path

from dig2dig_ros.errors import InputError


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument('bag', type=Path, metavar='BAG', help='bag folder, .mcap or .db3 file')
    parser.add_argument('--rate', type=float, default=1.0, help='recorded seconds per second')
    parser.add_argument('--loop', action='store_true',
                        help='start again at the end; stamps and /clock jump back then')
    parser.add_argument('--topics', nargs='+', metavar='TOPIC',
                        help='play these only (default: all)')
    parser.add_argument('--wait', type=float, default=2.0, metavar='S',
                        help='longest wait for subscribers of the image topics, seconds')


def run(arguments: argparse.Namespace) -> int:
    """Play until the end, or until Ctrl-C, which is no failure."""
    if not (arguments.rate > 0 and math.isfinite(arguments.rate)):
        raise InputError(f'--rate is {arguments.rate:g}; it must be above 0')
    from dig2dig_ros.bag.keyboard import key_presses
    from dig2dig_ros.bag.storage import open_bag
    try:
        from dig2dig_ros.ros.bag_player import BagPlayer
        from dig2dig_ros.ros.spin import command_node
    except ImportError as error:
        raise InputError(f'replay needs ROS 2 ({error}): source one, or pip install '
                         '"dig2dig[ros]"') from error
    with (open_bag(arguments.bag) as reader, command_node('bag_player') as node,
          key_presses() as key_pressed):
        player = BagPlayer(node, reader, arguments.topics, key_pressed)
        for topic in player.unknown:
            print(f'not played: {topic}, its type is not installed', file=sys.stderr)
        try:
            player.wait_for_subscribers(arguments.wait)
            player.play(arguments.rate)
            while arguments.loop:
                player.play(arguments.rate)
            player.finish()
        except KeyboardInterrupt:
            pass
        print(f'played {player.played} messages, at most {player.latest_ns * 1e-6:.0f} ms late')
    return 0
