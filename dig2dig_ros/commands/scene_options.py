"""Where `align`, `calibrate` and `check-alignment` have their pictures from.

Two folders, a recording, or live topics.
"""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from dig2dig_ros.commands.pair_options import add_pair_options, pair_values
from dig2dig_ros.errors import InputError
from dig2dig_ros.topics import CAMERAS

if TYPE_CHECKING:
    from dig2dig_ros.alignment.frames import Scene, TimedPair

LEAST_CHANGE = 0.01
"""By so much pairs taken live must differ; sensor noise alone reaches 0.006."""


def add_scene_options(parser: argparse.ArgumentParser, frames: int, all_of_folders: bool = False
                      ) -> None:
    """Add the options.

    :param frames: how many pairs are taken by default.
    :param all_of_folders: of folders all are taken, whatever --frames says.
    """
    parser.add_argument('bag', type=Path, nargs='?', metavar='BAG',
                        help='recording: bag folder, .mcap or .db3 file')
    for camera in CAMERAS:
        parser.add_argument(f'--{camera}', type=Path, metavar='DIR',
                            help='folder of images, 8- or 16-bit, matched by stem; the two sizes '
                                 'may differ')
    parser.add_argument('--live', action='store_true', help='listen to live topics (needs ROS 2)')
    parser.add_argument('--frames', type=int, default=frames, metavar='N',
                        help='pairs to take ' + ('from a bag or live topics; of folders all are '
                                                 'taken' if all_of_folders else 'at most')
                        + ', spread evenly')
    add_pair_options(parser)
    parser.add_argument('--time-limit', type=float, default=120.0, metavar='S',
                        help='longest time to listen to live topics, seconds')


def read_scenes(arguments: argparse.Namespace, all_of_folders: bool = False,
                apart: float = LEAST_CHANGE,
                wanted: Callable[['TimedPair'], bool] = lambda pair: True
                ) -> tuple[list['Scene'], list[str]]:
    """Read the scenes that the options name.

    :param all_of_folders: see `add_scene_options`.
    :param apart: by how much live pairs must differ, see `alignment.frames.change`.
    :param wanted: tells whether a live pair is of use.
    :returns: the scenes, and stems that only one of two folders has.
    :raises InputError: for bad input.
    """
    from dig2dig_ros.alignment.frames import folder_scenes, require_count
    folders = [getattr(arguments, camera) for camera in CAMERAS]
    given = [any(folders), arguments.bag is not None, arguments.live]
    if sum(given) != 1 or given[0] and not all(folders):
        raise InputError('give two folders (--infrared and --visible), or a BAG, or --live')
    require_count(arguments.frames)
    if given[0]:
        return folder_scenes(*folders, None if all_of_folders else arguments.frames)
    topics, slop_ns, offset_ns = pair_values(arguments)
    if arguments.live:
        if not arguments.time_limit > 0:
            raise InputError(f'--time-limit is {arguments.time_limit:g}; it must be above 0, in '
                             'seconds')
        return _live()(topics, slop_ns, offset_ns, arguments.frames, arguments.time_limit, apart,
                       wanted), []
    from dig2dig_ros.bag.fuse import Rig
    from dig2dig_ros.bag.scenes import bag_scenes
    from dig2dig_ros.camera.preparation import Preparation
    rig = Rig(topics, slop_ns, offset_ns, Preparation())
    return bag_scenes(arguments.bag, rig, arguments.frames), []


def _live() -> Callable[..., list['Scene']]:
    try:
        from dig2dig_ros.ros.live_scenes import live_scenes
    except ImportError as error:
        raise InputError(f'--live needs ROS 2 ({error}): source one, or pip install '
                         '"dig2dig[ros]"') from error
    return live_scenes
