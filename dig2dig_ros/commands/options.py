"""Options that several commands have: those of a setting, and of frames of two cameras."""

import argparse
from pathlib import Path

from dig2dig_ros.option import Option
from dig2dig_ros.topics import CAMERAS


def add_option(group: argparse._ArgumentGroup, option: Option) -> None:
    """Add the option of a setting, `--low-percentile` for `thermal.low_percentile`.

    Only what is given is in the parsed arguments, under the setting's full name.
    """
    if option.kind is bool:
        kind = {'action': argparse.BooleanOptionalAction}
    else:
        metavar = None if option.choices else option.kind.__name__.upper()
        kind = {'type': option.kind, 'choices': option.choices, 'metavar': metavar,
                'nargs': option.length}
    text = option.help if option.default is None else f'{option.help} (default: {option.default})'
    flag = '--' + option.name.rpartition('.')[2].replace('_', '-')
    added = group.add_argument(flag, dest=option.name, help=text.replace('%', '%%'), **kind)
    added.default = argparse.SUPPRESS


def add_frame_options(parser: argparse.ArgumentParser) -> None:
    """Add what `alignment.frames.spread_frames` takes: two folders and how many pairs of them."""
    for camera in CAMERAS:
        parser.add_argument(f'--{camera}', type=Path, required=True, metavar='DIR',
                            help='folder of images, matched by stem; the two sizes may differ')
    parser.add_argument('--frames', type=int, default=8, metavar='N',
                        help='most pairs to pool, spread evenly over the folders')
