"""Training of a compact prior: sampling, objective, resuming, the command."""

import json

import cv2
import numpy as np
import pytest
import torch
from safetensors import safe_open

from dig2dig_ros.cli import main
from dig2dig_ros.errors import InputError
from dig2dig_ros.prior import load_prior
from dig2dig_ros.prior.architecture import SIZES
from dig2dig_ros.prior.base import Prior
from dig2dig_ros.prior.crops import CropSampler
from dig2dig_ros.prior.image_folders import load_folders
from dig2dig_ros.prior.noise_schedule import alpha_bar_table
from dig2dig_ros.prior.training import (
    Trainer,
    TrainingSettings,
    denoising_psnr,
    timestep_weights,
)

CPU = torch.device('cpu')


def pictures(count: int = 6) -> list[np.ndarray]:
    """Rectangles and discs on ramps, 80 x 96."""
    random = np.random.default_rng(0)
    images = []
    for _ in range(count):
        image = np.linspace(random.integers(40, 90), random.integers(120, 200), 96)
        image = np.tile(image, (80, 1)).astype(np.uint8)
        for _ in range(5):
            x, y, size = (int(value) for value in random.integers(5, 70, 3))
            cv2.rectangle(image, (x, y), (x + size, y + size // 2),
                          int(random.integers(0, 255)), -1)
            cv2.circle(image, (y, x), size // 3, int(random.integers(0, 255)), -1)
        images.append(image)
    return images


def trainer(steps: int, **changes) -> Trainer:
    settings = TrainingSettings(steps=steps, batch=4, crop=32, precision='fp32', **changes)
    return Trainer(settings, CropSampler(pictures(), settings.crop, CPU))


def ignore(_: Trainer) -> None:
    pass


@pytest.fixture
def folder(tmp_path):
    (tmp_path / 'pictures' / 'deeper').mkdir(parents=True)
    for index, image in enumerate(pictures()):
        place = 'deeper' if index % 2 else '.'
        colour = cv2.cvtColor(image, cv2.COLOR_GRAY2BGR) if index % 3 == 0 else image
        cv2.imwrite(str(tmp_path / 'pictures' / place / f'{index}.png'), colour)
    return tmp_path / 'pictures'


def test_crops_show_the_image_in_all_eight_orientations():
    image = np.array([[10, 200], [90, 250]], np.uint8).repeat(16, 0).repeat(16, 1)
    sampler = CropSampler([image], 32, CPU)
    crops = sampler.sample(400, torch.Generator().manual_seed(0))[:, 0]
    assert crops.shape == (400, 32, 32)
    assert crops.min() >= -1
    assert crops.max() <= 1
    corners = crops[:, [0, 0, -1, -1], [0, -1, 0, -1]]
    ranks = {tuple(order) for order in corners.argsort(1).tolist()}
    upright = torch.tensor(list(ranks))
    # The darkest and the brightest corner stay opposite in all, so inversion adds no ninth.
    assert len(ranks) == 8
    assert (upright[:, 0] + upright[:, 3] == 3).all()


def test_every_image_is_drawn_equally_often_whatever_its_size():
    flat, noisy = np.full((40, 40), 128, np.uint8), np.random.default_rng(0).integers(
        0, 255, (600, 600), np.uint8)
    crops = CropSampler([flat, noisy], 32, CPU).sample(2000, torch.Generator().manual_seed(0))
    assert 0.45 < (crops.std((1, 2, 3)) < 1e-3).float().mean() < 0.55


def test_zoomed_crops_average_pixels():
    """Every other row dark: a crop at half size is flat grey, one at full size is striped."""
    image = np.zeros((128, 128), np.uint8)
    image[::2] = 200
    crops = CropSampler([image], 32, CPU).sample(300, torch.Generator().manual_seed(1))
    assert 0.2 < (crops.std((1, 2, 3)) < 1e-3).float().mean() < 0.4


def test_images_smaller_than_a_crop_are_left_out_and_missed_only_if_none_is_left():
    small, large = np.zeros((20, 90), np.uint8), np.full((64, 64), 255, np.uint8)
    crops = CropSampler([small, large], 32, CPU).sample(50, torch.Generator().manual_seed(0))
    assert crops.std((1, 2, 3)).max() < 1e-6
    with pytest.raises(InputError, match='smaller than the crop of 32 px'):
        CropSampler([small], 32, CPU)


def test_folders_load_as_luminance_in_a_fixed_order(folder):
    loaded = load_folders([folder])['pictures']
    assert len(loaded) == 6
    for image, original in zip(sorted(loaded, key=np.sum), sorted(pictures(), key=np.sum),
                               strict=True):
        np.testing.assert_array_equal(image, original)


def test_timesteps_cover_all_and_favour_where_images_are_decided():
    weights = timestep_weights()
    assert weights.sum().item() == pytest.approx(1)
    assert weights.min() >= 0.2 / 1000
    assert weights[10:301].sum() > 0.7


def test_training_makes_a_denoiser_and_the_average_is_one():
    run, untrained = trainer(150, learning_rate=6e-3), trainer(1)
    run.run(ignore)
    before = denoising_psnr(untrained.average, pictures()[:2], (25, 100))
    for prior in (run.prior, run.average):
        after = denoising_psnr(prior, pictures()[:2], (25, 100))
        assert all(after[timestep] > before[timestep] + 0.5 for timestep in after)


def test_a_resumed_training_ends_where_an_unbroken_one_does():
    unbroken, first, second = trainer(12), trainer(12), trainer(12)
    unbroken.run(ignore)

    def interrupt(now: Trainer) -> None:
        if now.steps_done == 7:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        first.run(interrupt)
    second.load_state_dict(first.state_dict())
    second.run(ignore)
    for mine, theirs in ((second.prior, unbroken.prior), (second.average, unbroken.average)):
        for one, other in zip(mine.parameters(), theirs.parameters(), strict=True):
            torch.testing.assert_close(one, other, rtol=0, atol=1e-7)


class Echo(Prior):
    """Returns x_t as it is."""

    kind, multiple = 'echo', 16

    def __init__(self):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(()))

    def forward(self, noised, timesteps):
        return self.scale * noised

    def to_precision(self, dtype):
        return self


def test_denoising_psnr_is_that_of_the_noise_for_a_prior_that_does_nothing():
    image = np.full((100, 130), 127, np.uint8)
    for timestep, psnr in denoising_psnr(Echo(), [image, image], (10, 100, 900)).items():
        noise = 1 - float(alpha_bar_table()[timestep])
        assert psnr == pytest.approx(10 * np.log10(4 / noise), abs=0.15)


def train(folder, output, *more: str) -> int:
    return main(['train', '--images', str(folder), '--output', str(output), '--steps', '3',
                 '--batch', '2', '--crop', '32', '--device', 'cpu', *more])


def test_the_command_writes_weights_that_load_and_their_card(folder, tmp_path, capsys):
    output = tmp_path / 'made' / 'mine.safetensors'
    assert train(folder, output, '--validate', str(folder)) == 0
    prior = load_prior(output, CPU)
    assert prior.network.architecture == SIZES['small']
    assert f'{prior.kind}, 3 steps' in capsys.readouterr().out
    card = json.loads(output.with_suffix('.json').read_text())
    assert card['prior'] == prior.kind
    assert card['architecture']['kernel'] == SIZES['small'].kernel
    assert card['images'] == {'pictures': 6}
    assert card['steps'] == 3
    assert set(card['denoising_psnr_db']['pictures']) >= {'10', '999'}
    assert str(tmp_path) not in json.dumps(card)
    with safe_open(output, 'pt') as file:
        assert json.loads(file.metadata()['recipe']) == card
    assert not output.with_suffix('.state').exists()


def test_an_interrupted_command_resumes(folder, tmp_path, monkeypatch):
    output = tmp_path / 'mine.safetensors'
    step = Trainer._step

    def interrupted(self: Trainer) -> None:
        if self.steps_done == 2:
            raise KeyboardInterrupt
        step(self)

    monkeypatch.setattr(Trainer, '_step', interrupted)
    assert train(folder, output) == 130
    assert load_prior(output, CPU).network.architecture == SIZES['small']
    monkeypatch.undo()
    assert train(folder, output, '--resume') == 0
    assert json.loads(output.with_suffix('.json').read_text())['steps'] == 3


def test_training_can_start_from_given_weights(folder, tmp_path, capsys):
    first, second = tmp_path / 'first.safetensors', tmp_path / 'second.safetensors'
    assert train(folder, first) == 0
    # One step at a rate of next to nothing leaves the weights where they were.
    assert train(folder, second, '--initial', str(first), '--learning-rate', '1e-12') == 0
    for one, other in zip(load_prior(first, CPU).parameters(),
                          load_prior(second, CPU).parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-6)
    assert json.loads(second.with_suffix('.json').read_text())[
        'initial_weights'] == 'first.safetensors'
    assert train(folder, second, '--initial', str(first), '--size', 'medium') == 2
    assert 'of --size medium' in capsys.readouterr().err


def refusal(capsys, *arguments: str) -> str:
    assert main(['train', *arguments]) == 2
    error = capsys.readouterr().err
    assert error.count('\n') == 1
    return error


def test_bad_input_gets_one_line(folder, tmp_path, capsys):
    good = ['--images', str(folder), '--output', str(tmp_path / 'mine.safetensors'),
            '--device', 'cpu']
    assert 'no such folder' in refusal(
        capsys, '--images', str(tmp_path / 'absent'), *good[2:])
    empty = tmp_path / 'empty'
    empty.mkdir()
    assert 'holds no images' in refusal(capsys, '--images', str(empty), *good[2:])
    (empty / 'broken.png').write_bytes(b'no image')
    assert 'broken.png' in refusal(capsys, '--images', str(empty), *good[2:])
    assert 'multiple of 16' in refusal(capsys, *good, '--crop', '40')
    assert 'smaller than the crop' in refusal(capsys, *good, '--crop', '512')
    assert '--steps is 0' in refusal(capsys, *good, '--steps', '0')
    assert '.safetensors' in refusal(capsys, *good[:2], '--output', str(tmp_path / 'mine.pt'))
    assert 'nothing to resume' in refusal(capsys, *good, '--crop', '32', '--resume')
    (tmp_path / 'mine.state').write_bytes(b'no state')
    assert 'no training state' in refusal(capsys, *good, '--crop', '32', '--resume')
    torch.save({'steps_done': 1}, tmp_path / 'mine.state')
    assert 'no training state' in refusal(capsys, *good, '--crop', '32', '--resume')
