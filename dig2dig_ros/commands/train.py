"""Train a compact prior on folders of images (searched recursively, colour taken as luminance).

The weights are written in half precision with their model card (JSON) beside them. An
interrupted training leaves its state beside the output; `--resume` goes on from there.
"""

import argparse
import dataclasses
import datetime
import os
import pickle
import signal
import sys
import time
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from dig2dig_ros.errors import InputError
from dig2dig_ros.locations import make_folder, output_file
from dig2dig_ros.prior.architecture import SIZES
from dig2dig_ros.prior.checkpoint import load_prior, save_compact
from dig2dig_ros.prior.coarse import CoarseTrainer
from dig2dig_ros.prior.compact import CompactPrior
from dig2dig_ros.prior.crops import CropSampler
from dig2dig_ros.prior.image_folders import load_folders
from dig2dig_ros.prior.team import Team, run_team, torchrun_team
from dig2dig_ros.prior.training import (
    AUTOCAST,
    CURVE_POINTS,
    Trainer,
    TrainingSettings,
    denoising_psnr,
)
from dig2dig_ros.settings import COARSE_SIDE

SAVE_INTERVAL_S = 60.0


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    default = TrainingSettings()
    parser.add_argument('--images', type=Path, nargs='+', required=True, metavar='DIR',
                        help='folders of training images')
    parser.add_argument('--output', type=output_file, required=True, metavar='FILE.safetensors',
                        help='where the weights go')
    parser.add_argument('--validate', type=Path, nargs='+', default=[], metavar='DIR',
                        help='folders of held-out images; their denoising PSNR goes into the card')
    parser.add_argument('--size', choices=sorted(SIZES), default=default.size,
                        help='size of the network')
    parser.add_argument('--coarse-of', type=Path, metavar='FILE',
                        help='teach the network that denoises coarse levels of this compact prior '
                             'at a quarter of the size; the engine takes it where --output is '
                             'NAME.coarse.safetensors beside NAME.safetensors')
    parser.add_argument('--initial', type=Path, metavar='FILE',
                        help='start from the weights of this compact prior, not random ones')
    parser.add_argument('--steps', type=int, default=default.steps, help='optimiser steps')
    parser.add_argument('--minutes', type=float, default=None,
                        help='train for this long instead of counting steps')
    parser.add_argument('--batch', type=int, default=default.batch, help='crops per step')
    parser.add_argument('--crop', type=int, default=default.crop, help='side of a crop in pixels')
    parser.add_argument('--learning-rate', type=float, default=default.learning_rate,
                        help='peak learning rate')
    parser.add_argument('--precision', choices=sorted(AUTOCAST), default=default.precision,
                        help='arithmetic of the network')
    parser.add_argument('--device', choices=('auto', 'cpu', 'cuda'), default='auto',
                        help='where to train')
    parser.add_argument('--devices', type=int, default=1, metavar='N',
                        help='processes that share each batch (DistributedDataParallel): one a '
                             'GPU, or so many on the CPU; torchrun can start them, too')
    parser.add_argument('--seed', type=int, default=default.seed, help='of weights, crops, noise')
    parser.add_argument('--resume', action='store_true',
                        help='go on from the state file beside the output')


def run(arguments: argparse.Namespace) -> int:
    """Train, save, report; in as many processes as wanted."""
    _check(arguments)
    team = torchrun_team()
    (team or Team(0, arguments.devices)).share(arguments.batch)
    if team:
        # torchrun ends its processes with the signal that it was sent itself.
        with team.assembled(signals=(signal.SIGINT, signal.SIGTERM)):
            return train(arguments, team)
    if arguments.devices > 1:
        return run_team(arguments.devices, train, arguments)
    return train(arguments, Team())


def train(arguments: argparse.Namespace, team: Team) -> int:
    """Be one process of a training."""
    settings = TrainingSettings(
        size=arguments.size, steps=arguments.steps, minutes=arguments.minutes,
        batch=arguments.batch, crop=arguments.crop, learning_rate=arguments.learning_rate,
        precision=arguments.precision, seed=arguments.seed)
    images = load_folders(arguments.images, quiet=not team.leads)
    torch.backends.cudnn.benchmark = True  # every batch has one shape
    held_out = load_folders(arguments.validate, quiet=True) if team.leads else {}
    flat = [image for folder in images.values() for image in folder]
    sampler = CropSampler(flat, settings.crop, _device(arguments.device, team))
    if arguments.coarse_of:
        teacher = _teacher(arguments.coarse_of, sampler.device)
        teacher.specialise(2 * settings.batch, settings.crop, settings.crop)
        trainer = CoarseTrainer(settings, sampler, teacher,
                                _initial(arguments.initial, settings.size), team)
    else:
        trainer = Trainer(settings, sampler, _initial(arguments.initial, settings.size), team)
    state_file = arguments.output.with_suffix('.state')
    if arguments.resume:
        _load_state(trainer, state_file)
    sources = {'images': {name: len(folder) for name, folder in images.items()},
               'initial_weights': arguments.initial and arguments.initial.name,
               'coarse_of': arguments.coarse_of and arguments.coarse_of.name}
    try:
        _train(trainer, arguments.output, state_file, sources)
    except KeyboardInterrupt:
        if not team.leads:
            raise
        _save(trainer, arguments.output, state_file, _recipe(trainer, sources))
        print(f'stopped at step {trainer.steps_done}; --resume goes on from {state_file}')
        raise
    if team.leads:
        _finish(trainer, arguments.output, _recipe(trainer, sources), held_out)
        state_file.unlink(missing_ok=True)
    return 0


def _finish(trainer: Trainer, output: Path, recipe: dict,
            held_out: dict[str, list[np.ndarray]]) -> None:
    for name, folder in held_out.items():
        recipe.setdefault('denoising_psnr_db', {})[name] = denoising_psnr(trainer.average, folder)
        print(f'denoising PSNR (dB by timestep), {name}: {recipe["denoising_psnr_db"][name]}')
    save_compact(trainer.average, output, recipe)
    print(f'{output}: {trainer.prior.kind}, {trainer.steps_done} steps, loss {trainer.loss:.4f}')


def _check(arguments: argparse.Namespace) -> None:
    for name in ('steps', 'batch', 'crop', 'learning_rate', 'minutes', 'devices'):
        value = getattr(arguments, name)
        if value is not None and not value > 0:
            raise InputError(f'--{name.replace("_", "-")} is {value}; it must be above 0')
    multiple = SIZES[arguments.size].multiple * (COARSE_SIDE if arguments.coarse_of else 1)
    if arguments.crop % multiple:
        raise InputError(f'--crop is {arguments.crop}; it must be a multiple of {multiple}')
    if arguments.coarse_of and arguments.validate:
        raise InputError('--validate measures denoising, which a network that --coarse-of teaches '
                         'does not learn; leave one of them out')
    if arguments.output.suffix != '.safetensors':
        raise InputError(f'--output is {arguments.output}; it must end in .safetensors')
    if arguments.seed < 0:
        raise InputError(f'--seed is {arguments.seed}; it must be at least 0')
    make_folder(arguments.output.parent)


def _device(name: str, team: Team) -> torch.device:
    """This process's device; under torchrun, LOCAL_RANK counts those of its machine."""
    if name == 'cuda' and not torch.cuda.is_available():
        raise InputError('--device is cuda, but PyTorch sees no CUDA device; use cpu or auto')
    if name == 'cpu' or not torch.cuda.is_available():
        return torch.device('cpu')
    number, count = int(os.environ.get('LOCAL_RANK', team.rank)), torch.cuda.device_count()
    if number >= count:
        raise InputError(f'{number + 1} devices are asked of this machine; PyTorch sees {count}')
    device = torch.device('cuda', number)
    torch.cuda.set_device(device)
    return device


def _teacher(path: Path, device: torch.device) -> CompactPrior:
    prior = load_prior(path, device)
    if not isinstance(prior, CompactPrior):
        raise InputError(f'--coarse-of is a {prior.kind}; it must be a compact prior, the only '
                         'kind that the engine gives such a network')
    return prior.to_precision(torch.float32)


def _initial(path: Path | None, size: str) -> CompactPrior | None:
    if path is None:
        return None
    prior = load_prior(path, torch.device('cpu'))
    if not isinstance(prior, CompactPrior) or prior.network.architecture != SIZES[size]:
        raise InputError(f'--initial is a {prior.kind}; it must be a compact prior of --size '
                         f'{size}')
    return prior


def _train(trainer: Trainer, output: Path, state_file: Path, sources: dict) -> None:
    if not trainer.team.leads:
        trainer.run(lambda _: None)
        return
    saved_at = time.monotonic()
    bar = tqdm(disable=None, total=1000, unit='‰', desc=f'train {trainer.prior.kind}',
               bar_format='{desc} {percentage:3.0f}%|{bar}| {elapsed}<{remaining}{postfix}')

    def report(trainer: Trainer) -> None:
        nonlocal saved_at
        bar.update(round(1000 * trainer.progress) - bar.n)
        bar.set_postfix_str(f'step {trainer.steps_done}, loss {trainer.loss:.4f}', refresh=False)
        if time.monotonic() - saved_at > SAVE_INTERVAL_S:
            _save(trainer, output, state_file, _recipe(trainer, sources))
            saved_at = time.monotonic()
            if bar.disable:  # a log has no use for a bar
                print(f'{trainer.progress:.1%}, step {trainer.steps_done}, '
                      f'loss {trainer.loss:.4f}', file=sys.stderr)

    with bar:
        trainer.run(report)


def _recipe(trainer: Trainer, sources: dict) -> dict:
    """The model card: everything that the weights came from."""
    settings = trainer.settings
    return {
        'prior': trainer.prior.kind,
        'parameters': trainer.prior.parameter_count,
        'architecture': dataclasses.asdict(trainer.prior.network.architecture),
        **sources,
        'steps': trainer.steps_done,
        'minutes': round(trainer.seconds_done / 60, 1),
        'crops': trainer.steps_done * settings.batch,
        'batch': settings.batch,
        'crop_px': settings.crop,
        'learning_rate': settings.learning_rate,
        'precision': settings.precision,
        'seed': settings.seed,
        'device': _device_name(trainer.device),
        'devices': trainer.team.size,
        'loss': round(trainer.loss, 5),
        'loss_curve': _thinned(trainer.curve),
        'date': datetime.date.today().isoformat(),
    }


def _thinned(curve: list[tuple[int, float]]) -> list[list[float]]:
    """At most about a hundred points, the last one among them."""
    every = max(1, len(curve) // CURVE_POINTS)
    return [[steps, round(loss, 5)] for steps, loss in curve[::-every][::-1]]


def _device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == 'cuda' else 'CPU'


def _save(trainer: Trainer, output: Path, state_file: Path, recipe: dict) -> None:
    """Write the weights so far and the state; the state appears whole or not at all."""
    save_compact(trainer.average, output, recipe)
    draft = state_file.with_suffix('.state-draft')
    torch.save(trainer.state_dict(), draft)
    os.replace(draft, state_file)


def _load_state(trainer: Trainer, state_file: Path) -> None:
    try:
        state = trainer.team.leads and torch.load(
            state_file, map_location='cpu', weights_only=True)
        trainer.load_state_dict(trainer.team.from_leader(state))
    except FileNotFoundError:
        raise InputError(f'{state_file}: no such file; nothing to resume') from None
    except (pickle.UnpicklingError, RuntimeError, EOFError, KeyError, TypeError,
            ValueError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f'{state_file}: no training state of a {trainer.prior.kind} '
                         f'({reason})') from None
