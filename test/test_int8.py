"""int8 priors: which file goes with which weights, what auto takes, and how close they stay."""
import dataclasses
import shutil

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.numpy import save_file

from dig2dig_ros.engine import FusionEngine, FusionSettings
from dig2dig_ros.engine.device import pick_precision
from dig2dig_ros.errors import InputError
from dig2dig_ros.evaluation.noise import CameraNoise
from dig2dig_ros.images import match_folders, read_image
from dig2dig_ros.prior import load_prior, openvino_network
from dig2dig_ros.prior.architecture import Architecture
from dig2dig_ros.prior.checkpoint import EMBEDDED, save_compact
from dig2dig_ros.prior.compact import seeded
from dig2dig_ros.prior.noise_schedule import alpha_bar_table
from dig2dig_ros.prior.quantisation import LayerRanges, ranges_path, write_ranges
from dig2dig_ros.synthetic.street import StreetScene

CPU = torch.device('cpu')
FLAT = Architecture(channels=4, multipliers=(1,), blocks=(1,))
FLAT_DEPTHWISE = Architecture(channels=4, multipliers=(1,), blocks=(1,), kernel=5, stem=2)
LAYER = 'bottleneck.0.first'


def ranges_of(prior, name=LAYER):
    """One layer in int8, its weights' range as they are."""
    layer = prior.network.get_submodule(name)
    return {name: LayerRanges(
        np.array([-8, 8], np.float32),
        layer.weight.detach().abs().amax((1, 2, 3)).numpy(), layer.bias.detach().numpy())}


def stored(path, architecture, layer=LAYER):
    """A prior of random weights with ranges of one layer beside it."""
    prior = seeded(architecture, 0)
    for parameter in prior.parameters():
        parameter.data.normal_(0, 0.2, generator=torch.Generator().manual_seed(1))
    save_compact(prior, path, {})
    write_ranges(path, ranges_of(load_prior(path, CPU), layer), {'tool': 'test'})
    return path


@pytest.fixture
def weights(tmp_path):
    return stored(tmp_path / 'mine.safetensors', FLAT)


def refusal(path):
    with pytest.raises(InputError) as caught:
        load_prior(path, CPU)
    message = str(caught.value)
    assert str(ranges_path(path)) in message
    assert 'quantise.py' in message
    assert '\n' not in message
    return message


def test_ranges_of_other_weights_are_refused(weights):
    kept = weights.with_name('kept')
    shutil.copy(ranges_path(weights), kept)
    save_compact(seeded(FLAT, 5), weights, {})
    assert not ranges_path(weights).exists()
    load_prior(weights, CPU)
    shutil.copy(kept, ranges_path(weights))
    assert 'other weights' in refusal(weights)


@pytest.mark.parametrize(('change', 'words'), [
    (lambda tensors: tensors.pop(f'{LAYER}.bias'), 'layers'),
    (lambda tensors: tensors.update({'nose.inputs': np.zeros(2, np.float32)}), 'layers'),
    (lambda tensors: tensors.update({f'{LAYER}.weights': np.ones(5, np.float32)}), '(4,)'),
    (lambda tensors: tensors.update({f'{LAYER}.weights': np.zeros(4, np.float32)}), 'no range'),
    (lambda tensors: tensors.update(
        {f'{LAYER}.inputs': np.array([1, -1], np.float32)}), 'no range'),
    (lambda tensors: tensors.update(
        {f'{LAYER}.bias': np.full(4, np.nan, np.float32)}), 'no range'),
])
def test_ranges_that_do_not_fit_are_refused(weights, change, words):
    path = ranges_path(weights)
    with safe_open(path, 'np') as file:
        metadata = file.metadata()
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    change(tensors)
    save_file(tensors, path, metadata=metadata)
    assert words in refusal(weights)


def test_a_damaged_file_is_refused(weights):
    ranges_path(weights).write_bytes(b'\x07' * 100)
    refusal(weights)


def test_ranges_of_a_depthwise_layer_are_refused(tmp_path):
    path = stored(tmp_path / 'mine.safetensors', FLAT_DEPTHWISE, 'bottleneck.0.around')
    assert 'int8 cannot compute' in refusal(path)


@pytest.mark.needs('openvino')
@pytest.mark.parametrize('architecture', [FLAT, FLAT_DEPTHWISE], ids=['full', 'depthwise'])
def test_one_rounded_layer_is_off_by_no_more_than_its_steps(tmp_path, architecture):
    weights = stored(tmp_path / 'mine.safetensors', architecture)
    exact, rounded = load_prior(weights, CPU), load_prior(weights, CPU).to_precision(torch.int8)
    noised = torch.rand(1, 1, 32, 48, generator=torch.Generator().manual_seed(2)) * 2 - 1
    difference = (exact(noised, torch.tensor([200])) - rounded(noised, torch.tensor([200]))).abs()
    assert 1e-5 < difference.mean() < 0.01  # a step of the input is 16 / 255


@pytest.mark.needs('openvino')
def test_int8_needs_ranges(tmp_path):
    path = tmp_path / 'mine.safetensors'
    save_compact(seeded(FLAT, 0), path, {})
    with pytest.raises(InputError, match='no int8 ranges'):
        FusionEngine.load(path, 'cpu', FusionSettings(precision='int8'))


def test_int8_needs_openvino(monkeypatch, weights):
    monkeypatch.setattr(openvino_network, 'can_run', lambda dtype: False)
    prior = load_prior(weights, CPU)
    assert not prior.int8_pays
    with pytest.raises(InputError, match='needs a CPU and OpenVINO'):
        prior.to_precision(torch.int8)


@pytest.mark.needs('openvino')
@pytest.mark.parametrize(('bfloat16', 'name', 'chosen'), [
    (True, 'small', 'int8'), (True, 'tiny', 'bf16'), (False, 'small', 'int8'),
    (False, 'tiny', 'int8')])
def test_auto_takes_what_was_measured_faster(monkeypatch, bfloat16, name, chosen):
    monkeypatch.setattr(openvino_network, 'fast_bfloat16', lambda: bfloat16)
    monkeypatch.setattr('dig2dig_ros.engine.device.fast_bfloat16', lambda: bfloat16)
    prior = load_prior(name, CPU)
    assert pick_precision('auto', CPU, prior) == chosen
    assert pick_precision('fp32', CPU, prior) == 'fp32'


def test_auto_without_ranges_is_float(tmp_path):
    path = tmp_path / 'mine.safetensors'
    save_compact(seeded(FLAT, 0), path, {})
    assert pick_precision('auto', CPU, load_prior(path, CPU)) in ('bf16', 'fp32')


@pytest.mark.needs('openvino')
@pytest.mark.parametrize(('name', 'least_db'), [('tiny', 40), ('small', 43)])
def test_estimates_stay_close_at_every_level_in_use(name, least_db):
    """Of clean and noised input, from the denoising levels to that of the base."""
    clean = torch.from_numpy(StreetScene(320, 256, seed=7).render(1.0).visible.astype(np.float32))
    clean = clean.mean(dim=2)[None, None] / 127.5 - 1
    levels = torch.tensor([10, 30, 60, 120, 250, 350, 450])
    signal = alpha_bar_table()[levels].float()[:, None, None, None]
    noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(3))
    exact, fast = load_prior(name, CPU), load_prior(name, CPU).to_precision(torch.int8)
    for noised in (signal.sqrt() * clean, signal.sqrt() * clean + (1 - signal).sqrt() * noise):
        error = (exact(noised, levels) - fast(noised, levels)).square().mean((1, 2, 3))
        assert (10 * torch.log10(4 / error)).min() > least_db


@pytest.mark.needs('openvino')
@pytest.mark.parametrize(('name', 'difference'), [('tiny', 0.12), ('small', 0.05)])
@pytest.mark.parametrize('folder', ['MSRS', 'VIFB'])
def test_pictures_of_development_pairs_stay_close(shared_data, folder, name, difference):
    pairs, _ = match_folders([shared_data / 'dev_pairs' / folder / half for half in ('ir', 'vi')])
    # A clean pair has its one level from a network that is float in either precision.
    sources = CameraNoise.parse('20,20', 'gaussian').apply(
        pairs[0][0], *(read_image(path) for path in pairs[0][1]))
    settings = FusionSettings(mode='one-pass')
    exact, fast = (
        FusionEngine.load(name, 'cpu', dataclasses.replace(settings, precision=precision))
        .fuse(sources) for precision in ('fp32', 'int8'))
    error = np.square(exact.image.astype(float) - fast.image).mean()
    assert 10 * np.log10(255 ** 2 / error) >= 38
    assert np.abs(exact.weights - fast.weights).mean() < difference


@pytest.mark.parametrize('name', EMBEDDED)
def test_embedded_ranges_leave_the_ends_of_the_network_in_float(name):
    kept = load_prior(name, CPU)._ranges
    assert {layer for layer in kept if 'downs' in layer} == {'downs.0', 'downs.1'}
    assert not {'head', 'tail', 'ups.0', 'ups.1'} & set(kept)
