"""The options of every command that prepares pairs: gain control and registration."""

import argparse
import sys
from typing import Any

from dig2dig_ros.camera.preparation import Preparation, camera_options
from dig2dig_ros.commands.options import add_option
from dig2dig_ros.errors import InputError


def add_camera_options(parser: argparse.ArgumentParser) -> None:
    """Add one option for every setting; they mean what the node's parameters do."""
    group = parser.add_argument_group(
        'cameras', "as the node's parameters thermal.* and registration.*; images are taken in "
        'order as the frames of one camera')
    for option in camera_options():
        add_option(group, option)


def tell_misalignment(preparation: Preparation) -> None:
    """Say on stderr that infrared lay off, where the pairs prepared last show it."""
    monitor = preparation.monitor
    if monitor is None:
        return
    monitor.judge()
    if monitor.misaligned:
        print(f'infrared lies {monitor.misalignment_px:.1f} px off visible at the end; dig2dig '
              'align finds how, --refine slow follows it', file=sys.stderr)


def camera_values(arguments: argparse.Namespace, of_bag: bool = False) -> dict[str, Any]:
    """The settings that the options spell, by full name; tells what parallax remains.

    :param of_bag: the pairs come from a recording, which can hold camera_info and TF.
    :raises InputError: for a value out of range, or a calibration that cannot be used.
    """
    values = {option.name: option.validated(getattr(arguments, option.name))
              for option in camera_options() if hasattr(arguments, option.name)}
    source = values.get('registration.source', 'file')
    if source != 'file' and not of_bag:
        raise InputError(f'--source is {source}, which images do not come with; give '
                         '--calibration with a rig file that holds both lenses')
    parallax = Preparation(values).parallax
    if parallax and source == 'file':
        print(parallax, file=sys.stderr)
    return values
