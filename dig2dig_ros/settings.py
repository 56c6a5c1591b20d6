"""Every knob of the fusion, stated once, and the presets, which are named sets of them.

Validation, the options of the command line, the node's parameters, config/fusion.yaml and the
tables of the documentation all come from the fields of `FusionSettings` and from `PRESETS`. No
torch here, and no ROS.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

from dig2dig_ros.errors import InputError
from dig2dig_ros.option import Option, option, options

TRAINING_TIMESTEPS = 1000
# What denoises coarse levels has means over squares of this side, and knows the timesteps from
# here on.
COARSE_SIDE, COARSE_FROM = 4, 400
# The one default of S, with a shorter schedule all its steps.
INTERVAL = 15


@dataclasses.dataclass(frozen=True)
class FusionSettings:
    """Settings of one fusion. Immutable: derive a changed copy with `dataclasses.replace`.

    :raises InputError: naming the setting, its value and what is allowed.
    """

    mode: str = option(
        'sample', "sample: the paper's reverse process; one-pass: the denoised levels of the "
        'sources, fused band by band, with one network batch and no sampling',
        paper='sample (Eq. 1, 3, 10)', choices=('sample', 'one-pass'))
    steps: int = option(
        15, 'N of DIG-N, sampling timesteps', paper='DIG-15, 20, 25 and 50 in Table 5',
        bounds=(1, TRAINING_TIMESTEPS))
    interval: int | None = option(
        None, 'S, sampling steps between two refreshes of the weights, at most steps; 0 or left '
        f'out: {INTERVAL}, or all steps where they are fewer', paper='S = 10, the best of Table 4',
        bounds=(0, TRAINING_TIMESTEPS), kind=int)
    guidance: str = option(
        'ladder', "how the sources correct the estimate at each step; em: DDFM's EM step as "
        "derived; ddfm: the step of DDFM's public code, its mirror image; ladder: a pull to the "
        'one-pass fusion; plain: a pull to the weighted mean',
        paper="em: the paper takes DDFM's EM correction and weighs it",
        choices=('em', 'ddfm', 'ladder', 'plain'))
    weighting: str = option(
        'dig', 'dig: by information gain; uniform: 1/K everywhere, which is DDFM',
        paper='dig (Eq. 11)', choices=('dig', 'uniform'))
    divergence: str = option(
        'l2', 'l of DIG; ssim is 1 - SSIM', paper='l2 in Eq. 8, the others in Table 3',
        choices=('l2', 'l1', 'ssim'))
    strength: float = option(
        0.8, 'share of the way that ladder and plain guidance pull', bounds=(0.0, 1.0))
    temperature: float = option(
        0.5, 'of the softmax that makes the weights: low follows the more informative source, '
        'high averages', paper='1 (Eq. 11 has none)', bounds=(1e-4, 1e4))
    base_temperature: float = option(
        2.5, 'the same for the coarsest level of the ladder: high mixes the overall brightness '
        'of the sources more evenly; with a reference the brightness is its own',
        bounds=(1e-4, 1e4))
    normalise: bool = option(
        True, 'measure DIG in units of its mean magnitude in the frame, so that temperature '
        'means the same at every level and for every divergence; with a reference it always '
        'is',
        paper='false (Eq. 11 takes DIG as it is)')
    window: int = option(
        11, 'side of the box that averages l, applied twice; 1: none', bounds=(1, 255), step=2,
        unit='pixels')
    power: float = option(
        2.0, 'p of the timesteps t_i = t_max (1 - i / (N - 1))^p; 1: even strides',
        paper='above 1 (end of section 4.5: large strides at high noise, small ones at low '
        'noise); no law is given', bounds=(1.0, 100.0))
    t_max: int = option(
        535, 'highest timestep', paper=f'{TRAINING_TIMESTEPS - 1} (it starts from noise, x_T)',
        bounds=(1, TRAINING_TIMESTEPS - 1))
    levels: int = option(
        1, 'levels of the one-pass ladder, at most t_max', bounds=(1, TRAINING_TIMESTEPS - 1))
    sampler: str = option(
        'ddim', 'reverse step; ddim: eta = 0; ddpm: ancestral', paper='ddpm (Eq. 1, 3)',
        choices=('ddim', 'ddpm'))
    draws: int = option(
        0, 'noise draws averaged in each level, in antithetic pairs; 0: the sources as they are, '
        "with the network told the level's timestep", paper='1 (Eq. 9)', bounds=(0, 64))
    reference: str = option(
        'visible', 'of an infrared and a visible image, the one whose brightness the fused image '
        'keeps, with black lifted where a visible frame is dark; the other one gains by what '
        'it adds to it, and a noisy camera is denoised at its own timestep; none: all sources '
        'alike and as they are, as more than two always are',
        paper='none', choices=('visible', 'infrared', 'none'))
    precision: str = option(
        'auto', 'of the network; auto: half precision, or on a CPU int8, where that is faster',
        choices=('auto', 'fp32', 'bf16', 'fp16', 'int8'), changes='configure')
    scale: float = option(
        1.0, "size of the network's input relative to the frame", bounds=(0.05, 1.0))
    coarse_from: int = option(
        COARSE_FROM, 'timestep from which a level without draws is denoised at a quarter of the '
        'size, a sixteenth of the pixels, by a network that the prior taught; a prior without '
        f'one denoises all at full size; {TRAINING_TIMESTEPS}: none smaller',
        paper=f'{TRAINING_TIMESTEPS}', bounds=(COARSE_FROM, TRAINING_TIMESTEPS))
    seed: int = option(
        0, 'of all noise; one seed and one input give one picture', bounds=(0, 2**31 - 1))

    def __post_init__(self) -> None:
        """Check every value, alone and together, and resolve `interval` to a number."""
        for each in OPTIONS:
            object.__setattr__(self, each.name, each.validated(getattr(self, each.name)))
        if not self.interval:
            object.__setattr__(self, 'interval', min(INTERVAL, self.steps))
        self._require_at_most('interval', self.steps, 'steps')
        self._require_at_most('levels', self.t_max, 't_max')
        if self.mode == 'sample':
            self._require_at_most('steps', self.t_max + 1, 't_max + 1')

    def _require_at_most(self, name: str, limit: int, words: str) -> None:
        value = getattr(self, name)
        if value > limit:
            raise InputError(f'{name} is {value}; it must be from 1 to {words} ({limit})')

    @classmethod
    def preset(cls, name: str, device: str = 'auto', **settings: Any) -> 'FusionSettings':
        """Make the settings of a preset, with single ones in their place.

        A preset's own S is limited to the steps, where these are given and S is not.

        :param name: of `PRESETS`.
        :param device: that will run them, as `FusionEngine.load` takes it.
        :raises InputError: for a preset or value that there is not.
        """
        Option('preset', '', '', choices=tuple(PRESETS)).validated(name)
        values = {**PRESETS[name].on(device), **settings}
        if 'interval' in settings:
            return cls(**values)
        interval = values.pop('interval', None)
        made = cls(**values)
        return dataclasses.replace(made, interval=interval and min(interval, made.steps))


OPTIONS = tuple(options(FusionSettings))
FusionSettings.__doc__ += '\n    Attributes:\n' + ''.join(
    f'        {each.name}: {each.help}. {each.allowed.capitalize()}.\n'
    for each in OPTIONS)


@dataclasses.dataclass(frozen=True)
class Preset:
    """A named base, which single settings override.

    Attributes:
        values: what differs from the defaults of `FusionSettings`. Not `precision`, which a
            running node cannot change.
        on_cpu: what is different on a CPU.
    """

    description: str
    values: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    on_cpu: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def on(self, device: str) -> dict[str, Any]:
        """The values for a device: `auto`, `cpu`, `cuda` or `cuda:N`."""
        if not self.on_cpu:
            return dict(self.values)
        if device == 'auto':
            # The only question here that needs torch.
            from dig2dig_ros.engine.device import resolve_device
            device = resolve_device(device).type
        return {**self.values, **(self.on_cpu if device == 'cpu' else {})}


PRESETS = {
    'paper': Preset(
        'the method as printed', {
            'mode': 'sample', 'steps': 15, 'interval': 10, 'guidance': 'em', 'weighting': 'dig',
            'divergence': 'l2', 'temperature': 1.0, 'normalise': False, 'window': 1,
            'power': 2.0, 't_max': TRAINING_TIMESTEPS - 1, 'sampler': 'ddpm', 'draws': 1,
            'reference': 'none'}),
    'symmetric': Preset(
        'all sources alike, for multi-focus and multi-exposure',
        {'reference': 'none', 'temperature': 0.4}),
    'live': Preset(
        "the node's default: DIG-15 with one refresh a frame; on a CPU one-pass",
        {'mode': 'sample', 'steps': 15, 'interval': 15}, on_cpu={'mode': 'one-pass'}),
}
