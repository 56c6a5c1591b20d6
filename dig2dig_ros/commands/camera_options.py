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


def camera_values(arguments: argparse.Namespace) -> dict[str, Any]:
    """The settings that the options spell, by full name; tells what parallax remains.

    :raises InputError: for a value out of range, or a calibration that cannot be used.
    """
    values = {option.name: option.validated(getattr(arguments, option.name))
              for option in camera_options() if hasattr(arguments, option.name)}
    if values.get('registration.source', 'file') != 'file':
        raise InputError(f'--source is {values["registration.source"]}, which only the live node '
                         'can hear; give --calibration with the rig file')
    parallax = Preparation(values).parallax
    if parallax:
        print(parallax, file=sys.stderr)
    return values
