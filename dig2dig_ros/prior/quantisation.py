"""What int8 needs beside the float weights: ranges, in a small file next to them.

The weights themselves are not stored twice: OpenVINO rounds them when the graph is compiled.
`studies/quantise.py` makes the file, with NNCF.
"""

import dataclasses
import hashlib
import json
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from dig2dig_ros.errors import InputError

FAMILY = 'dig2dig-compact-int8'
AGAIN = 'make it again with studies/quantise.py, or remove it'


@dataclasses.dataclass(frozen=True)
class LayerRanges:
    """How one convolution is rounded to 8 bits.

    Attributes:
        inputs: lowest and highest value of its input, float32, 2.
        weights: largest magnitude of each output channel's weights, float32, C.
        bias: a bias that makes up for the rounding of the weights, float32, C.
    """

    inputs: np.ndarray
    weights: np.ndarray
    bias: np.ndarray


Ranges = dict[str, LayerRanges]
FIELDS = tuple(field.name for field in dataclasses.fields(LayerRanges))


def ranges_path(weights: Path) -> Path:
    """Where the ranges of `NAME.safetensors` lie: in `NAME.int8.safetensors` beside it."""
    return weights.with_suffix('.int8.safetensors')


def write_ranges(weights: Path, ranges: Ranges, recipe: dict) -> Path:
    """Write the ranges of a weights file beside it.

    :param recipe: what they were measured on and how; JSON-serialisable, kept in the metadata.
    :returns: the file written.
    """
    path = ranges_path(weights)
    tensors = {f'{layer}.{name}': np.ascontiguousarray(getattr(found, name), np.float32)
               for layer, found in ranges.items() for name in FIELDS}
    path.write_bytes(save(tensors, {
        'family': FAMILY, 'weights': _digest(weights), 'recipe': json.dumps(recipe)}))
    return path


def read_ranges(weights: Path, channels: dict[str, int]) -> Ranges | None:
    """Read the ranges beside a weights file.

    :param channels: output channels of every convolution that int8 can compute, by name.
    :returns: of the layers that are quantised; None where there is no such file.
    :raises InputError: where the file cannot be read, does not fit the network, or was made for
        other weights.
    """
    path = ranges_path(weights)
    if not path.is_file():
        return None
    try:
        with safe_open(path, 'np') as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        if metadata.get('family') != FAMILY:
            raise ValueError('holds something else than int8 ranges')
        if metadata.get('weights') != _digest(weights):
            raise ValueError(f'was made for other weights than {weights.name} holds')
        return _layers(tensors, channels)
    except (SafetensorError, ValueError) as error:
        raise InputError(f'{path}: {error}; {AGAIN}') from None


def _layers(tensors: dict[str, np.ndarray], channels: dict[str, int]) -> Ranges:
    layers = {name.rpartition('.')[0] for name in tensors}
    expected = {f'{layer}.{name}' for layer in layers for name in FIELDS}
    if not layers <= set(channels) or set(tensors) != expected:
        raise ValueError('names layers that int8 cannot compute in this network')
    for name, tensor in tensors.items():
        layer, _, field = name.rpartition('.')
        shape = (2,) if field == 'inputs' else (channels[layer],)
        if tensor.shape != shape or tensor.dtype != np.float32:
            raise ValueError(f'{name} is {tensor.dtype} of shape {tensor.shape} where float32 '
                             f'of {shape} is needed')
        sound = tensor[0] < tensor[1] if field == 'inputs' else (
            field == 'bias' or (tensor > 0).all())
        if not np.isfinite(tensor).all() or not sound:
            raise ValueError(f'{name} holds values that make no range')
    return {layer: LayerRanges(*(tensors[f'{layer}.{name}'] for name in FIELDS))
            for layer in sorted(layers)}


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
