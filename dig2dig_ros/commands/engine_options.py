"""The options that every command with an engine shares."""

import argparse
from pathlib import Path

from dig2dig_ros.settings import KNOBS, PRESETS, FusionSettings


def add_engine_options(parser: argparse.ArgumentParser) -> None:
    """Add the preset, one option for every setting, and the device and checkpoint."""
    group = parser.add_argument_group('engine')
    add_preset_option(group)
    for knob in KNOBS:
        kind = {'action': argparse.BooleanOptionalAction} if knob.kind is bool else {
            'type': knob.kind, 'choices': knob.choices,
            'metavar': None if knob.choices else knob.kind.__name__.upper()}
        default = '' if knob.default is None else f' (default: {knob.default})'
        option = group.add_argument(
            f'--{knob.name.replace("_", "-")}', help=knob.description + default, **kind)
        # Only what is given takes the place of the preset's.
        option.default = argparse.SUPPRESS
    group.add_argument('--device', default='auto', help='auto, cpu, cuda or cuda:N')
    group.add_argument('--checkpoint', type=Path, metavar='FILE',
                       help='prior: tiny, small or medium (embedded), .safetensors of `dig2dig '
                            'train`, or guided-diffusion .pt (default: by device)')


def add_preset_option(parser: argparse._ActionsContainer) -> None:
    """Add `--preset`."""
    parser.add_argument(
        '--preset', choices=tuple(PRESETS), default=argparse.SUPPRESS,
        help='settings in place of the defaults; single ones go before it; ' + '; '.join(
            f'{name}: {preset.description}' for name, preset in PRESETS.items()))


def settings_from(arguments: argparse.Namespace) -> FusionSettings:
    """The settings that the options spell.

    :raises InputError: for a value out of range.
    """
    given = {knob.name: getattr(arguments, knob.name) for knob in KNOBS
             if hasattr(arguments, knob.name)}
    if 'preset' in arguments:
        return FusionSettings.preset(arguments.preset, arguments.device, **given)
    return FusionSettings(**given)
