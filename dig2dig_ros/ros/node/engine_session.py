"""The fusion engine as the node uses it. The only module here that brings in torch, and late."""

import dataclasses
import math
import sys
from collections.abc import Mapping
from typing import Any

import numpy as np

from dig2dig_ros.errors import InputError
from dig2dig_ros.ros.node.parameters import AUTO_BUDGET, FROM_PRESET
from dig2dig_ros.settings import OPTIONS, FusionSettings
from dig2dig_ros.topics import CAMERAS

# Of the cameras' period: what a frame's messages take comes on top of the engine.
ENGINE_SHARE = 0.75


def fusion_settings(values: Mapping[str, Any], device: str) -> FusionSettings:
    """Make the engine's settings from the node's parameters.

    :param device: that runs them, `cpu`, `cuda` or `cuda:N`; presets may depend on it.
    :raises InputError: where they do not fit together.
    """
    return FusionSettings.preset(values['engine.preset'], device, **own_settings(values))


def own_settings(values: Mapping[str, Any]) -> dict[str, Any]:
    """The engine's settings that the parameters take out of the preset's hands."""
    return {option.name: values[f'engine.{option.name}'] for option in OPTIONS
            if values[f'engine.{option.name}'] != FROM_PRESET}


def _engine_module() -> Any:
    try:
        from dig2dig_ros import engine
    except ModuleNotFoundError as error:
        if error.name in ('torch', 'safetensors'):
            raise InputError(f'{error.name} is not installed in this Python; install it with: '
                             f'{sys.executable} -m pip install {error.name}') from error
        raise
    return engine


class EngineSession:
    """A loaded engine with its stream. Belongs to one thread, the worker's."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        """Load and warm up.

        :raises InputError: for a device, checkpoint or setting that cannot be used, or where
            torch is not installed.
        """
        module = _engine_module()
        device = str(module.resolve_device(values['engine.device']))
        self._settings = fusion_settings(values, device)
        self._preset = _preset_in_words(values)
        self._engine = module.FusionEngine.load(
            values['engine.checkpoint'] or None, device, self._settings)
        self._stream = module.FusionStream(
            self._engine, latency_budget_ms=_budget(values))
        width, height = values['engine.warm_up_size']
        self._engine.warm_up(height, width)
        self._rehearse(module, height, width)

    def _rehearse(self, module: Any, height: int, width: int) -> None:
        """Fuse two frames of noise, in a stream of their own.

        Noisy cameras in a stream take the most memory: a node that is configured has what it will
        need, and one that cannot have it says so now, not while a robot drives.
        """
        noise = np.random.default_rng(0).normal(128, 10, (height, width, 3)).astype(np.uint8)
        stream = module.FusionStream(self._engine)
        for _ in range(2):
            stream.fuse([noise[..., 0], noise])

    def apply(self, values: Mapping[str, Any]) -> None:
        """Take changed settings from the next frame on."""
        settings = fusion_settings(values, self._engine.device)
        self._preset = _preset_in_words(values)
        if settings != self._settings:
            self._engine.settings = self._settings = settings
            self._stream.reset()

    def fuse(self, infrared: np.ndarray, visible: np.ndarray, valid: np.ndarray | None) -> Any:
        """Fuse a pair; valid is False where infrared has no pixel, or None."""
        return self._stream.fuse(
            [infrared, visible], None if valid is None else [valid, None])

    def hold(self, period_ms: float) -> None:
        """Have later frames take so much of the cameras' period that the rest has room, too."""
        self._stream.hold(ENGINE_SHARE * period_ms)

    def reset(self) -> None:
        """Forget the frames seen, as after a jump in time."""
        self._stream.reset()

    @property
    def on_gpu(self) -> bool:
        """Whether it runs on a CUDA device."""
        return self._engine.device.startswith('cuda')

    def describe(self) -> dict[str, str]:
        """Tell what runs, for diagnostics."""
        return {'device': self._engine.device, 'precision': self._engine.precision,
                'prior': self._engine.prior_name, 'preset': self._preset,
                'settings': _in_words(dataclasses.asdict(self._settings)),
                'running': self._stream.running} | {
                    f'{camera} noise (grey levels)': f'{level:.1f}'
                    for camera, level in zip(CAMERAS, self._stream.noise, strict=False)} | {
                    'infrared contrast (times)': f'{self._stream.contrast:.2f}'}

    def close(self) -> None:
        """Free the device's memory."""
        self._stream.reset()
        self._engine.close()


def _budget(values: Mapping[str, Any]) -> float:
    """Milliseconds; without end where the cameras' rate, not known yet, is to set it."""
    budget_ms = values['engine.latency_budget_ms']
    return math.inf if budget_ms == AUTO_BUDGET else budget_ms


def _preset_in_words(values: Mapping[str, Any]) -> str:
    """The preset and the settings that go before it."""
    own = own_settings(values)
    return values['engine.preset'] + (f' with {_in_words(own)}' if own else '')


def _in_words(settings: Mapping[str, Any]) -> str:
    return ', '.join(f'{name} {value}' for name, value in settings.items())
