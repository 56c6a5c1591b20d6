"""Prior files, told apart by content: compact safetensors and guided-diffusion state dicts.

Nothing is unpickled beyond tensors and plain containers (`weights_only`), and every file is
checked against the architecture that it claims before a weight is used.
"""

import dataclasses
import json
import os
import warnings
import zipfile
from importlib import resources
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import nn

from dig2dig_ros.errors import InputError
from dig2dig_ros.prior.architecture import KERNELS, STEMS, Architecture
from dig2dig_ros.prior.base import Prior
from dig2dig_ros.prior.compact import CompactNetwork, CompactPrior
from dig2dig_ros.prior.quantisation import Ranges, ranges_path, read_ranges
from dig2dig_ros.prior.unet import GuidedDiffusionPrior, UNet, UNetArchitecture

FAMILY = 'dig2dig-compact'
EMBEDDED = ('tiny', 'small')
EXPECTED = (f'expected {", ".join(EMBEDDED)} (embedded), a .safetensors written by `dig2dig '
            'train`, or the state dict (.pt) of an unconditional guided-diffusion model')
WIDEST, DEEPEST = 4096, 64

Tensors = dict[str, torch.Tensor]


def load_prior(checkpoint: str | Path | None, device: torch.device) -> Prior:
    """Load a prior for inference.

    :param checkpoint: weights file, or the name of an embedded prior (`EMBEDDED`); None for the
        small one.
    :returns: in eval mode, float32, on the device, without gradients.
    :raises InputError: where the file is missing, unreadable, of another kind, or holds
        weights that do not fit or are not finite.
    """
    name = str(checkpoint or 'small')
    if name not in EMBEDDED:
        path = Path(name)
        return _load(path, coarse_path(path)).to(device)
    with resources.as_file(resources.files('dig2dig_ros.prior') / 'weights') as folder:
        # One for coarse levels serves all: that which the best one-pass picture comes of.
        return _load(folder / f'compact-{name}.safetensors',
                     coarse_path(folder / 'compact-small.safetensors')).to(device)


def save_compact(prior: CompactPrior, path: Path, recipe: dict) -> None:
    """Write the weights in half precision, the recipe in their metadata and as JSON beside them.

    The weights appear whole or not at all.

    :param path: ends in .safetensors; the model card takes its name with .json.
    :param recipe: what the prior was trained on and how; JSON-serialisable.
    """
    architecture = dataclasses.asdict(prior.network.architecture)
    metadata = {'family': FAMILY, 'recipe': json.dumps(recipe)} | {
        name: json.dumps(value) for name, value in architecture.items()}
    tensors = {name: tensor.detach().to('cpu', torch.float16).contiguous()
               for name, tensor in prior.network.state_dict().items()}
    # Not by save_file, which writes for the owner only whatever the umask.
    draft = path.with_name(f'.{path.name}.draft')
    draft.write_bytes(save(tensors, metadata))
    os.replace(draft, path)
    # They belong to the weights that were there.
    ranges_path(path).unlink(missing_ok=True)
    coarse_path(path).unlink(missing_ok=True)
    path.with_suffix('.json').write_text(json.dumps(recipe, indent=2) + '\n')


def coarse_path(weights: Path) -> Path:
    """Where the network for coarse levels lies that `NAME.safetensors` taught: beside it."""
    return weights.with_suffix('.coarse.safetensors')


def _load(path: Path, beside: Path | None = None) -> Prior:
    """Read a file, and the network for coarse levels of another one where that is there."""
    if not path.is_file():
        raise InputError(f'{path}: {"is a folder" if path.is_dir() else "no such file"}; '
                         f'{EXPECTED}')
    try:
        tensors, metadata = _read(path)
        network, prior_type = _describe(tensors, metadata)
        _check(tensors, network)
    except ValueError as error:
        raise InputError(f'{path}: {error}; {EXPECTED}') from None
    # Assigned, not copied: a float32 checkpoint of gigabytes stays mapped from its file.
    network.load_state_dict({name: tensor.float() for name, tensor in tensors.items()},
                            assign=True)
    prior = (CompactPrior(network, _ranges(path, network), _coarse(beside))
             if prior_type is CompactPrior else prior_type(network))
    return prior.eval().requires_grad_(False)


def _coarse(beside: Path | None) -> CompactPrior | None:
    found = _load(beside) if beside and beside.is_file() else None
    if not isinstance(found, CompactPrior | None):
        raise InputError(f'{beside}: is a {found.kind}; expected a compact prior, written by '
                         '`dig2dig train --coarse-of`')
    return found


def _ranges(path: Path, network: CompactNetwork) -> Ranges | None:
    return read_ranges(path, {
        name: layer.out_channels for name, layer in network.named_modules()
        if isinstance(layer, nn.Conv2d) and layer.groups == 1})


def _read(path: Path) -> tuple[Tensors, dict[str, str]]:
    """Take tensors and metadata out of either container; ValueError where it is neither."""
    with path.open('rb') as file:
        start = file.read(9)
    try:
        if start[8:] == b'{':  # after the length of the header
            with safe_open(path, 'pt') as file:
                names = file.keys()
                return {name: file.get_tensor(name) for name in names}, file.metadata() or {}
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')  # of pickle's newer protocols; what counts is refused
            tensors = torch.load(path, map_location='cpu', weights_only=True,
                                 mmap=zipfile.is_zipfile(path))
    except Exception as error:  # a malformed or hostile file can make the parsers raise anything
        raise ValueError(f'cannot be read as weights ({_reason(error)})') from None
    if not isinstance(tensors, dict) or not all(
            isinstance(name, str) and isinstance(tensor, torch.Tensor)
            for name, tensor in tensors.items()):
        raise ValueError('is no state dict, names with tensors')
    return tensors, {}


def _reason(error: Exception) -> str:
    """What a parser has against a file, in a line."""
    if isinstance(error, (OSError, RuntimeError, SafetensorError)):
        return (str(error).splitlines() or [type(error).__name__])[0].rstrip('.')
    # Of an unpickler: a stray byte, or how to run what is in the file all the same.
    return 'no pickle of tensors alone'


def _describe(tensors: Tensors, metadata: dict[str, str]) -> tuple[nn.Module, type[Prior]]:
    """Build the network that the file claims to hold, without memory; ValueError if none."""
    with torch.device('meta'):
        if metadata.get('family') == FAMILY:
            return CompactNetwork(_compact_architecture(metadata)), CompactPrior
        if 'time_embed.0.weight' in tensors:
            return UNet(UNetArchitecture.from_tensors(tensors)), GuidedDiffusionPrior
    raise ValueError('holds weights of something else')


def _compact_architecture(metadata: dict[str, str]) -> Architecture:
    """What the file says of itself; the fields with defaults are younger than some files."""
    names = [field.name for field in dataclasses.fields(Architecture)]
    try:
        found = Architecture(**{name: _counts(json.loads(metadata[name]))
                                for name in names if name in metadata})
        fits = (len(found.multipliers) == len(found.blocks) and 0 < sum(found.blocks) <= DEEPEST
                and min(found.channels, *found.multipliers) > 0
                and max(found.channels, *found.multipliers) <= WIDEST
                and found.kernel in KERNELS and found.stem in STEMS)
    except (TypeError, ValueError):
        fits = False
    if not fits:
        raise ValueError(f'its metadata names no compact architecture ({", ".join(names)})')
    return found


def _counts(value: object) -> int | tuple[int, ...]:
    """A count or several, as JSON has them; ValueError if it is something else."""
    several = value if isinstance(value, list) else [value]
    if not all(type(count) is int and count >= 0 for count in several):
        raise ValueError('no count')
    return tuple(several) if several is value else value


def _check(tensors: Tensors, network: nn.Module) -> None:
    """Compare names, shapes and values with what the network needs; ValueError on the first."""
    needed = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    for name, shape in needed.items():
        if name not in tensors:
            raise ValueError(f'lacks {name} {shape}')
        if tuple(tensors[name].shape) != shape:
            raise ValueError(f'{name} is {tuple(tensors[name].shape)} where {shape} is needed')
        if not torch.isfinite(tensors[name]).all():
            raise ValueError(f'{name} holds values that are not finite')
    for name in tensors:
        if name not in needed:
            raise ValueError(f'holds {name}, which its architecture does not have')
