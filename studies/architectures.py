"""Networks that could replace the embedded small and tiny: time first, then short trainings.

    python studies/architectures.py DATA --images TRAIN_FOLDER ...

DATA has dev_pairs and sequences, which are only denoised. Times every candidate on random weights
through OpenVINO, which wants free cores; then trains the promising ones (studies/candidates.py)
and the two shipped then from scratch, with the same steps, crops and noise, one thread each.
Whatever is finished lies under --work and is not done again, so it can be stopped at any time.
Writes studies/architectures.json, docs/images/architectures.png and the table of docs/priors.md.
The former small prior is no longer in the package: what it came to is taken over from the JSON.
"""

import argparse
import dataclasses
import json
import sys
from pathlib import Path

import torch
from candidate_report import plot, tables
from candidate_times import times
from candidate_training import CPU, denoising, held_out, trained
from candidates import CANDIDATES, EXTRA, FIRST, network
from regenerate import DOCS, HERE, kept

from dig2dig_ros.evaluation.benchmark import device_name
from dig2dig_ros.evaluation.documents import write_json
from dig2dig_ros.evaluation.pages import fill
from dig2dig_ros.prior import load_prior
from dig2dig_ros.prior.checkpoint import EMBEDDED
from dig2dig_ros.prior.crops import CropSampler
from dig2dig_ros.prior.image_folders import load_folders
from dig2dig_ros.prior.training import TrainingSettings

ROUNDS = 11
THREADS = 1, 2
FORMER = 'small, shipped before'
SETTINGS = TrainingSettings(batch=16, crop=96, learning_rate=1.5e-3)


def main() -> int:
    """Do what is not done yet, and write everything down."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('data', type=Path, metavar='DATA')
    parser.add_argument('--images', type=Path, nargs='+', required=True, metavar='DIR')
    parser.add_argument('--work', type=Path, default=Path('out/architectures'), metavar='DIR')
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    timed = {str(threads): kept(arguments.work / f'times-{threads}.json', lambda threads=threads: (
        all_times(threads))) for threads in THREADS}
    torch.set_num_threads(1)  # OpenVINO takes its count from torch, too
    folders = load_folders(arguments.images)
    flat = [image for some in folders.values() for image in some]
    sampler = CropSampler(flat, SETTINGS.crop, CPU)
    images = held_out(arguments.data)
    quality = {}
    for run in (*FIRST, *EXTRA):
        settings = dataclasses.replace(SETTINGS, steps=run.steps)
        trainer = trained(run, settings, sampler, arguments.work / f'{run.key}.state')
        quality[run.key] = {
            'processor_s': round(trainer.processor_s), 'loss_curve': trainer.curve,
            'denoising_psnr_db': kept(arguments.work / f'{run.key}.json', lambda trainer=trainer: (
                denoising(trainer.average, images)))}
        print(run.key, quality[run.key]['denoising_psnr_db']['all'], flush=True)
    quality[FORMER] = json.loads((HERE / 'architectures.json').read_text())['trained'][FORMER]
    quality |= {f'{name}, shipped': {
        'denoising_psnr_db': kept(arguments.work / f'{name}-shipped.json', lambda name=name: (
            denoising(load_prior(name, CPU), images)))} for name in EMBEDDED}
    write(timed, quality, {
        'batch': SETTINGS.batch, 'crop_px': SETTINGS.crop, 'precision': SETTINGS.precision,
        'learning_rate': SETTINGS.learning_rate, 'seed': SETTINGS.seed,
        'images': {name: len(some) for name, some in folders.items()},
        'held_out': {kind: len(some) for kind, some in images.items()}})
    return 0


def all_times(threads: int) -> dict:
    """Times of every candidate with one thread, with more of those that are trained."""
    names = CANDIDATES if threads == 1 else [run.name for run in FIRST]
    with torch.inference_mode():
        return times({name: network(name, planes=2) for name in names}, threads, ROUNDS)


def write(timed: dict, quality: dict, recipe: dict) -> None:
    """The JSON, the plot and the table."""
    write_json(HERE / 'architectures.json', {
        'device': device_name('cpu'), 'rounds': ROUNDS, **recipe,
        'times_ms': timed, 'trained': quality})
    plot(DOCS / 'images' / 'architectures.png', timed, quality, FIRST[0].steps)
    page = DOCS / 'priors.md'
    page.write_text(fill(page.read_text(), 'architectures', tables(timed, quality)))


if __name__ == '__main__':
    sys.exit(main())
