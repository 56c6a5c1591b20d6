"""The network that denoises coarse levels at a quarter of the size: training, file, picture."""

import dataclasses
import json

import numpy as np
import pytest
import torch

from dig2dig_ros.cli import main
from dig2dig_ros.engine import FusionEngine, FusionSettings
from dig2dig_ros.engine.coarse import as_bright_as, restored, shrunk
from dig2dig_ros.engine.information_gain import denoise_levels
from dig2dig_ros.engine.schedule import signal_and_noise
from dig2dig_ros.errors import InputError
from dig2dig_ros.evaluation.benchmark import camera_frames
from dig2dig_ros.images import write_image
from dig2dig_ros.prior import load_prior
from dig2dig_ros.prior.architecture import SIZES
from dig2dig_ros.prior.checkpoint import EMBEDDED, coarse_path, save_compact
from dig2dig_ros.prior.coarse import CoarseTrainer
from dig2dig_ros.prior.compact import seeded
from dig2dig_ros.prior.crops import CropSampler
from dig2dig_ros.prior.training import TrainingSettings
from dig2dig_ros.prior.unet import UNet, UNetArchitecture

CPU = torch.device('cpu')
DRAWS = 32


@pytest.fixture
def street():
    """Luminance of a rendered street, infrared and visible, 2 x 256 x 320 in [-1, 1]."""
    infrared, visible = camera_frames(320, 256, 1)[0]
    both = np.stack([infrared, visible.mean(axis=2)]).astype(np.float32)
    return torch.from_numpy(both) / 127.5 - 1


def decibels(one, other) -> float:
    return float(10 * torch.log10(4 / (one - other).square().mean()))


def at_a_quarter(prior, image, timestep):
    """A coarse level of 1 x h x w, as the fusion takes it."""
    signal = signal_and_noise(timestep)[0]
    at = torch.tensor([timestep])
    small = prior.coarse(signal * shrunk(image, prior.coarse.multiple)[None], at)
    return restored(small, image.shape[-2:])[0]


def test_levels_are_as_bright_as_their_pictures(street):
    """In the dark, too, where the network's own estimates are not."""
    small = shrunk(0.2 * (street + 1) - 1, 4)
    dark = torch.stack([small - 0.05, 0.5 * small - 0.6])
    held = as_bright_as(small, dark)
    assert held.shape == dark.shape
    torch.testing.assert_close(
        held.mean(dim=(-2, -1)), small.mean(dim=(-2, -1)).expand(2, 2), rtol=0, atol=2e-3)
    assert held.min() >= -1


def test_training_teaches_what_the_prior_makes_of_the_whole_picture(smoothing_prior, street):
    """Random weights at first; the teacher smooths, at any timestep."""
    settings = TrainingSettings(size='tiny', steps=150, batch=4, crop=128,
                                learning_rate=3e-3, precision='fp32')
    pictures = [((side + 1) * 127.5).round().byte().numpy() for side in street]
    trainer = CoarseTrainer(settings, CropSampler(pictures, 128, CPU), smoothing_prior)
    teacher = type(smoothing_prior)()
    teacher.coarse = trainer.prior
    signal = signal_and_noise(400)[0]
    with torch.inference_mode():
        aim = teacher(signal * street[:1, None], torch.tensor([400]))[:, 0]
        before = decibels(at_a_quarter(teacher, street[:1], 400), aim)
        with torch.inference_mode(False), torch.enable_grad():
            trainer.run(lambda _: None)
        assert decibels(at_a_quarter(teacher, street[:1], 400), aim) > before + 3


@pytest.mark.parametrize('timestep', [400, 560, 700])
def test_the_embedded_network_gives_the_mean_level_of_small(timestep, street):
    small = load_prior('small', CPU)
    noise = torch.randn(DRAWS // 2, 1, *street.shape[1:],
                        generator=torch.Generator().manual_seed(1))
    for image in street.split(1):
        with torch.inference_mode():
            whole, _ = denoise_levels(small, image, (timestep,), torch.cat([noise, -noise])[:, 0])
            # Of 32 draws, some of their noise is left.
            assert decibels(at_a_quarter(small, image, timestep), whole[0]) > 34


def test_the_picture_is_that_of_levels_with_many_draws():
    pair = camera_frames(320, 256, 1)[0]
    engine = FusionEngine.load('small', 'cpu', FusionSettings(mode='one-pass', precision='fp32'))
    coarse = engine.fuse(pair)
    engine.settings = dataclasses.replace(engine.settings, draws=DRAWS)
    drawn = engine.fuse(pair)
    engine.settings = dataclasses.replace(engine.settings, draws=0, coarse_from=1000)
    without = engine.fuse(pair)
    squared = [np.square(other.image.astype(float) - drawn.image).mean()
               for other in (coarse, without)]
    assert 10 * np.log10(255 ** 2 / squared[0]) > 33
    assert squared[0] < 0.8 * squared[1]


@pytest.mark.parametrize('name', EMBEDDED)
def test_all_embedded_priors_share_it(name):
    pair = camera_frames(160, 128, 1)[0]
    settings = FusionSettings(mode='one-pass', precision='fp32')
    pictures = [FusionEngine.load(one, 'cpu', settings).fuse(pair).image
                for one in ('small', name)]
    assert np.array_equal(*pictures)


def test_a_prior_without_such_a_network_denoises_all_at_full_size(smoothing_prior):
    engine = FusionEngine(smoothing_prior, CPU, FusionSettings(mode='one-pass', precision='fp32'))
    assert engine.settings.coarse_from == 1000
    engine.settings = FusionSettings()
    assert engine.settings.coarse_from == 1000


def test_the_file_beside_the_weights_is_taken_and_goes_with_them(tmp_path):
    weights = tmp_path / 'mine.safetensors'
    save_compact(seeded(SIZES['tiny'], 0), weights, {})
    assert load_prior(weights, CPU).coarse is None
    save_compact(seeded(SIZES['small'], 1), coarse_path(weights), {})
    assert coarse_path(weights) == tmp_path / 'mine.coarse.safetensors'
    prior = load_prior(weights, CPU)
    assert prior.coarse.network.architecture == SIZES['small']
    assert prior.parameter_count == seeded(SIZES['tiny'], 0).parameter_count
    # Other weights: what the former ones taught is no longer true.
    save_compact(seeded(SIZES['tiny'], 2), weights, {})
    assert load_prior(weights, CPU).coarse is None


def test_a_wrong_file_beside_the_weights_is_named(tmp_path):
    weights = tmp_path / 'mine.safetensors'
    save_compact(seeded(SIZES['tiny'], 0), weights, {})
    coarse_path(weights).write_bytes(b'nothing')
    with pytest.raises(InputError, match='mine.coarse.safetensors: cannot be read as weights'):
        load_prior(weights, CPU)


def test_the_command_teaches_one(tmp_path, capsys):
    images = tmp_path / 'images'
    images.mkdir()
    write_image(images / 'street.png', camera_frames(160, 128, 1)[0][1])
    weights = tmp_path / 'mine.safetensors'
    save_compact(seeded(SIZES['tiny'], 0), weights, {})
    command = ['train', '--images', str(images), '--coarse-of', str(weights), '--size', 'tiny',
               '--output', str(coarse_path(weights)), '--steps', '2', '--batch', '2',
               '--device', 'cpu']
    assert main([*command, '--crop', '64']) == 0
    card = json.loads((tmp_path / 'mine.coarse.json').read_text())
    assert (card['steps'], card['coarse_of']) == (2, 'mine.safetensors')
    assert load_prior(weights, CPU).coarse.network.architecture == SIZES['tiny']
    assert main([*command, '--crop', '48']) == 2
    assert '--crop is 48; it must be a multiple of 64' in capsys.readouterr().err
    assert main([*command, '--crop', '64', '--validate', str(images)]) == 2
    assert '--validate measures denoising' in capsys.readouterr().err
    other = tmp_path / 'diffusion.pt'
    torch.save(UNet(UNetArchitecture(
        image_channels=3, base_channels=32, widths=(32, 64), blocks=1, attention=(False, True),
        residual_resampling=True, scale_shift=True, learned_sigma=True)).state_dict(), other)
    assert main([*command, '--crop', '64', '--coarse-of', str(other)]) == 2
    assert 'it must be a compact prior' in capsys.readouterr().err
