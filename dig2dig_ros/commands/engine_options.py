"""The options that every command with an engine shares."""

import argparse
from pathlib import Path

from dig2dig_ros.commands.options import add_option
from dig2dig_ros.settings import OPTIONS, PRESETS, FusionSettings


def add_engine_options(parser: argparse.ArgumentParser) -> None:
    """Add the preset, one option for every setting, and the device and checkpoint."""
    group = parser.add_argument_group('engine')
    add_preset_option(group)
    for option in OPTIONS:
        add_option(group, option)
    group.add_argument('--device', default='auto', help='auto, cpu, cuda or cuda:N')
    group.add_argument('--checkpoint', type=Path, metavar='FILE',
                       help='prior: tiny or small (embedded), .safetensors of `dig2dig train`, '
                            'or guided-diffusion .pt (default: small)')


def add_preset_option(parser: argparse._ActionsContainer) -> None:
    """Add `--preset`."""
    parser.add_argument(
        '--preset', choices=tuple(PRESETS), default=argparse.SUPPRESS,
        help='settings in place of the defaults; single ones go before it; ' + '; '.join(
            f'{name}: {preset.description}' for name, preset in PRESETS.items()))


def settings_from(arguments: argparse.Namespace) -> FusionSettings:
    """The settings that the options spell.

    Sources that are no infrared and visible camera (`--sources`) are fused alike by default.

    :raises InputError: for a value out of range.
    """
    given = {option.name: getattr(arguments, option.name) for option in OPTIONS
             if hasattr(arguments, option.name)}
    preset = getattr(arguments, 'preset', None)
    if preset is None and getattr(arguments, 'sources', None):
        preset = 'symmetric'
    if preset is not None:
        return FusionSettings.preset(preset, arguments.device, **given)
    return FusionSettings(**given)
