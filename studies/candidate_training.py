"""Equal short trainings of candidate networks, resumable, and how well they denoise."""

import os
import time
from pathlib import Path

import numpy as np
import torch
from candidates import Run, network

from dig2dig_ros.engine.schedule import Schedule
from dig2dig_ros.images import match_folders
from dig2dig_ros.prior import load_prior
from dig2dig_ros.prior.base import Prior
from dig2dig_ros.prior.compact import CompactPrior
from dig2dig_ros.prior.crops import CropSampler
from dig2dig_ros.prior.image_folders import load_luminance
from dig2dig_ros.prior.training import Trainer, TrainingSettings, denoising_psnr
from dig2dig_ros.settings import FusionSettings

CPU = torch.device('cpu')
SAVE_EVERY_STEPS = 250
# Every second level of the ladder of DIG-15, and two of the paper's beyond.
LADDER = Schedule.of(FusionSettings(interval=10)).timesteps[:-1:2]
LEVELS = (999, 600, *LADDER)
SIDE = 320
SEQUENCES = {'m3svd_0111_1716': 'day', 'm3svd_0115_1834': 'night'}
SEQUENCE_STEP, OTHERS_STEP = 10, 3

Images = dict[str, list[np.ndarray]]


class CandidateTrainer(Trainer):
    """The project's trainer for a network that has no size of its own there.

    Attributes:
        processor_s: processor time of all steps so far.
    """

    def __init__(self, name: str, settings: TrainingSettings, sampler: CropSampler,
                 teacher: Prior | None = None):
        """Start from random weights.

        :param name: of the candidate.
        :param teacher: whose x0_hat is the target; None for the clean image.
        """
        self._name, self._teacher = name, teacher
        self.processor_s = 0.0
        super().__init__(settings, sampler)

    def _untrained(self) -> CompactPrior:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.settings.seed)
            return CompactPrior(network(self._name))

    @torch.no_grad()
    def _aim(self, clean: torch.Tensor, noised: torch.Tensor,
             timesteps: torch.Tensor) -> torch.Tensor:
        return clean if self._teacher is None else self._teacher(noised, timesteps)

    def _step(self) -> None:
        started = time.process_time()
        super()._step()
        self.processor_s += time.process_time() - started

    def state_dict(self) -> dict:
        """See `Trainer.state_dict`."""
        return super().state_dict() | {'processor_s': self.processor_s}

    def load_state_dict(self, state: dict) -> None:
        """See `Trainer.load_state_dict`."""
        super().load_state_dict(state)
        self.processor_s = state['processor_s']


def trained(run: Run, settings: TrainingSettings, sampler: CropSampler,
            state_file: Path) -> CandidateTrainer:
    """A training, done: from its state file, or gone on with from there."""
    teacher = load_prior('small', CPU).to_precision(torch.bfloat16) if run.taught else None
    trainer = CandidateTrainer(run.name, settings, sampler, teacher)
    if state_file.exists():
        trainer.load_state_dict(torch.load(state_file, weights_only=True))

    def report(trainer: Trainer) -> None:
        if trainer.steps_done % SAVE_EVERY_STEPS == 0 or trainer.progress == 1:
            _save(trainer, state_file)
            print(f'{run.key}: step {trainer.steps_done}, loss {trainer.loss:.4f}, '
                  f'{trainer.processor_s:.0f} s of processor time', flush=True)

    if trainer.progress < 1:
        trainer.run(report)
        _save(trainer, state_file)
    return trainer


def _save(trainer: Trainer, state_file: Path) -> None:
    draft = state_file.with_suffix('.draft')
    torch.save(trainer.state_dict(), draft)
    os.replace(draft, state_file)


def held_out(data: Path) -> Images:
    """The middle of images that no prior was trained on, by camera and time of day.

    :param data: with dev_pairs/{MSRS,RoadScene,VIFB} and sequences; day and night are known of
        MSRS, by the names of its files, and of two of the sequences. The rest is `other`.
    """
    images: Images = {}
    folders = [(data / 'dev_pairs' / 'MSRS', None, 1)]
    folders += [(data / 'sequences' / name, when, SEQUENCE_STEP)
                for name, when in SEQUENCES.items()]
    folders += [(data / 'dev_pairs' / name, 'other', OTHERS_STEP)
                for name in ('RoadScene', 'VIFB')]
    for folder, when, step in folders:
        pairs, _ = match_folders([folder / 'ir', folder / 'vi'])
        for stem, paths in pairs[::step]:
            kind = when or ('night' if stem.endswith('N') else 'day')
            for camera, path in zip(('infrared', 'visible'), paths, strict=True):
                images.setdefault(f'{camera} {kind}', []).append(_middle(load_luminance(path)))
    return images


def _middle(image: np.ndarray) -> np.ndarray:
    top, left = (max(0, side - SIDE) // 2 for side in image.shape)
    return image[top:top + SIDE, left:left + SIDE]


def denoising(prior: Prior, images: Images) -> dict[str, dict[int, float]]:
    """PSNR in dB by kind of image and level; `all` is the mean over the images."""
    found = {kind: denoising_psnr(prior, some, LEVELS) for kind, some in images.items()}
    counts = np.array([len(some) for some in images.values()])
    found['all'] = {level: round(float(np.average(
        [found[kind][level] for kind in images], weights=counts)), 2) for level in LEVELS}
    return found
