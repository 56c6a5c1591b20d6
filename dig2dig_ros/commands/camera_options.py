"""The options of every command that prepares pairs: gain control and registration."""

import argparse
from typing import Any

from dig2dig_ros.camera.preparation import settings_fields


def add_camera_options(parser: argparse.ArgumentParser) -> None:
    """Add one option for every setting; they mean what the node's parameters do."""
    group = parser.add_argument_group(
        'cameras', "as the node's parameters thermal.* and registration.*; images are taken in "
        'order as the frames of one camera')
    for name, field in settings_fields():
        several = {'nargs': len(field.default)} if isinstance(field.default, tuple) else {}
        kind = type(field.default[0] if several else field.default)
        metavar = None if field.metadata['choices'] else 'N' if kind in (int, float) else 'TEXT'
        group.add_argument(
            _option(name), dest=name, type=kind, default=field.default, metavar=metavar,
            choices=field.metadata['choices'], help=field.metadata['help'], **several)


def camera_values(arguments: argparse.Namespace) -> dict[str, Any]:
    """The settings that the options spell, by full name."""
    return {name: getattr(arguments, name) for name, _ in settings_fields()}


def _option(name: str) -> str:
    return '--' + name.rpartition('.')[2].replace('_', '-')
