"""The options that every command with an engine shares."""

import argparse
import dataclasses
from pathlib import Path

from dig2dig_ros.engine.settings import CHOICES, FusionSettings

_HELP = {
    'mode': 'sample: the paper\'s reverse process; one-pass: the ladder, no sampling',
    'steps': 'N of DIG-N, the sampling timesteps',
    'interval': 'S, sampling steps between two refreshes of the weights; left out: 15, or all '
                'steps where they are fewer',
    'guidance': 'how the sources correct the estimate at each step',
    'weighting': 'dig: Eq. 11; uniform: 1/K everywhere',
    'divergence': 'l of DIG, Eq. 8',
    'strength': 'share of the way that ladder and plain guidance pull, 0..1',
    'temperature': 'of the softmax over DIG',
    'base_temperature': 'of the softmax over the coarsest level of the ladder',
    'window': 'side of the box window over the divergence, pixels, odd',
    'power': 'p of the timestep law t_max (1 - i/(N-1))^p',
    't_max': 'highest timestep, 1..999',
    'levels': 'levels of the one-pass ladder',
    'sampler': 'reverse step',
    'draws': 'noise draws averaged in each level; 1 is the paper, 0 adds no noise',
    'precision': 'of the network',
    'scale': 'size of the network\'s input relative to the frame, (0, 1]',
    'seed': 'of all noise',
}


def add_engine_options(parser: argparse.ArgumentParser) -> None:
    """Add one option for every setting, and the device and checkpoint."""
    group = parser.add_argument_group('engine')
    for field in dataclasses.fields(FusionSettings):
        if field.type is bool or field.type == 'bool':
            continue
        group.add_argument(
            f'--{field.name.replace("_", "-")}', type=type(field.default),
            choices=CHOICES.get(field.name), help=_HELP[field.name],
            default=None if field.name == 'interval' else field.default)
    group.add_argument(
        '--normalise', action=argparse.BooleanOptionalAction,
        default=FusionSettings.normalise,
        help='measure DIG in units of its mean magnitude; Eq. 11 as printed does not')
    group.add_argument('--device', default='auto', help='auto, cpu, cuda or cuda:N')
    group.add_argument('--checkpoint', type=Path, metavar='FILE',
                       help='prior: tiny, small or medium (embedded), .safetensors of `dig2dig '
                            'train`, or guided-diffusion .pt (default: by device)')


def settings_from(arguments: argparse.Namespace) -> FusionSettings:
    """The settings that the options spell.

    :raises InputError: for a value out of range.
    """
    values = {field.name: getattr(arguments, field.name)
              for field in dataclasses.fields(FusionSettings)}
    if arguments.interval is None:
        # So that `--steps 5` alone is no contradiction.
        values['interval'] = max(1, min(FusionSettings.interval, arguments.steps))
    return FusionSettings(**values)
