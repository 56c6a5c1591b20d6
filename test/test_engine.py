"""FusionEngine on images: contract, colour, sizes, masks, determinism, network calls."""

import dataclasses

import numpy as np
import pytest
import torch

from dig2dig_ros.engine import FusionEngine, FusionSettings
from dig2dig_ros.errors import InputError

CPU = torch.device('cpu')
ONE_PASS = FusionSettings(mode='one-pass', precision='fp32')


def engine_of(prior, **settings):
    """An engine on the CPU with a prior of our own."""
    return FusionEngine(prior, CPU, FusionSettings(precision='fp32', **settings))


@pytest.mark.parametrize('mode', ['sample', 'one-pass'])
def test_result_is_what_the_contract_says(smoothing_prior, scene, mode):
    result = engine_of(smoothing_prior, mode=mode, steps=4, interval=2).fuse(scene)
    assert result.image.shape == (96, 128, 3)
    assert result.image.dtype == np.uint8
    assert result.weights.shape == (2, 96, 128)
    assert result.weights.dtype == np.float32
    assert result.weights.sum(axis=0) == pytest.approx(1, abs=1e-6)
    assert result.timing.network_calls == smoothing_prior.calls
    assert result.timing.total_ms > 0


@pytest.mark.parametrize(('interval', 'calls'), [(15, 17), (10, 19), (5, 21), (1, 45)])
def test_dig_15_runs_the_network_as_often_as_promised(smoothing_prior, scene, interval, calls):
    engine_of(smoothing_prior, steps=15, interval=interval).fuse(scene)
    assert smoothing_prior.calls == calls
    assert len(smoothing_prior.batches) == 16  # All levels in one batch, then 15 steps.


@pytest.mark.parametrize('guidance', ['em', 'ddfm', 'ladder', 'plain'])
@pytest.mark.parametrize('sampler', ['ddim', 'ddpm'])
def test_same_seed_same_picture_other_seed_another(smoothing_prior, scene, guidance, sampler):
    engine = engine_of(smoothing_prior, steps=4, interval=4, guidance=guidance, sampler=sampler,
                       t_max=800)
    first = engine.fuse(scene).image
    assert np.array_equal(first, engine.fuse(scene).image)
    engine.settings = dataclasses.replace(engine.settings, seed=1)
    assert not np.array_equal(first, engine.fuse(scene).image)


@pytest.mark.parametrize('coarse', [False, True])
@pytest.mark.parametrize('size', [(1, 1), (7, 9), (33, 50), (96, 127)])
def test_any_size_goes_in_and_comes_out(smoothing_prior, scene, size, coarse):
    smoothing_prior.coarse = type(smoothing_prior)() if coarse else None
    cropped = [image[:size[0], :size[1]] for image in scene]
    result = engine_of(smoothing_prior, steps=3, interval=3).fuse(cropped)
    assert smoothing_prior.calls == (3 if coarse else 5)
    assert result.image.shape[:2] == size
    assert result.weights.shape[1:] == size


def test_identical_sources_come_back_unchanged(smoothing_prior, scene):
    visible = scene[1]
    result = engine_of(smoothing_prior, mode='one-pass').fuse([visible, visible])
    assert np.abs(result.image.astype(int) - visible).max() <= 1


def test_grey_sources_give_a_grey_image(smoothing_prior, scene):
    result = engine_of(smoothing_prior, mode='one-pass').fuse([scene[0], scene[1][..., 1]])
    assert result.image.shape == (96, 128)


def test_chroma_is_the_visible_images_own(smoothing_prior, scene):
    import cv2
    result = engine_of(smoothing_prior, mode='one-pass').fuse(scene)
    inside = (result.image > 0).all(axis=-1) & (result.image < 255).all(axis=-1)
    fused, visible = (cv2.cvtColor(image, cv2.COLOR_BGR2YCrCb)[..., 1:].astype(int)[inside]
                      for image in (result.image, scene[1]))
    assert inside.mean() > 0.5
    assert np.abs(fused - visible).max() <= 2


def test_several_colour_sources_blend_their_chroma_by_its_strength():
    from dig2dig_ros.engine.luminance import luminance, with_chroma
    red, grey = torch.zeros(2, 2, 3), torch.full((2, 2, 3), 90.0)
    red[..., 2] = 200
    y = [luminance(red), luminance(grey)]
    blended = with_chroma(
        torch.full((2, 2), 59.8 / 127.5 - 1), [red, grey], y, y, (0, 0), torch.tensor(1.0))
    assert blended[0, 0].tolist() == [0, 0, 200]


def test_no_stretch_a_dim_scene_stays_dim(smoothing_prior):
    dim = np.full((32, 32), 40, np.uint8)
    dim[8:16, 8:16] = 60
    image = engine_of(smoothing_prior, mode='one-pass').fuse([dim, dim]).image
    assert (image.min(), image.max()) == (40, 60)


@pytest.mark.parametrize('mode', ['sample', 'one-pass'])
def test_source_without_a_pixel_has_no_weight_and_no_say_there(smoothing_prior, scene, mode):
    infrared, visible = scene[0].copy(), scene[1][..., 1]
    covered = np.ones((96, 128), bool)
    covered[:, 96:] = False
    engine = engine_of(smoothing_prior, mode=mode, steps=4, interval=4, guidance='plain',
                       strength=1.0)
    result = engine.fuse([infrared, visible], [covered, None])
    assert (result.weights[0][:, 96:] == 0).all()
    infrared[:, 96:] = 255
    assert np.array_equal(result.image, engine.fuse([infrared, visible], [covered, None]).image)
    # A dark frame is raised, by one figure everywhere.
    assert np.ptp(result.image[:, 96:].astype(int) - visible[:, 96:]) <= 1


def test_three_sources_fuse(smoothing_prior, scene):
    sources = [scene[0], scene[1], scene[1][::-1].copy()]
    for mode in ('sample', 'one-pass'):
        result = engine_of(smoothing_prior, mode=mode, steps=3, interval=3,
                           guidance='em').fuse(sources)
        assert result.weights.shape == (3, 96, 128)
        assert result.image.shape == (96, 128, 3)


def test_uniform_weighting_is_one_over_k(smoothing_prior, scene):
    result = engine_of(smoothing_prior, mode='one-pass', weighting='uniform').fuse(scene)
    assert np.unique(result.weights).tolist() == [0.5]
    grey = (scene[0].astype(float) + scene[1] @ [0.114, 0.587, 0.299]) / 2
    assert np.abs(result.image @ [0.114, 0.587, 0.299] - grey).mean() < 1


def test_warm_part_of_the_scene_is_taken_from_infrared(smoothing_prior, scene):
    weights = engine_of(smoothing_prior, mode='one-pass', window=7).fuse(scene).weights
    # Stripes are visible's information; flat sky right of them has none in infrared.
    assert weights[1][:, 80:].mean() > 0.6


@pytest.mark.parametrize(('sources', 'complaint'), [
    ([np.zeros((8, 8), np.uint8)], 'at least 2'),
    ([np.zeros((8, 8), np.uint8), np.zeros((8, 9), np.uint8)], 'source 2 of 2 is 9x8 .* 8x8'),
    ([np.zeros((8, 8), np.uint8), np.zeros((8, 8), np.float32)], 'source 2 of 2 is float32'),
    ([np.zeros((8, 8, 4), np.uint8)] * 2, r'source 1 of 2 has shape \(8, 8, 4\)'),
    ([np.zeros((0, 8), np.uint8)] * 2, 'must not be empty'),
])
def test_bad_sources_are_named(smoothing_prior, sources, complaint):
    with pytest.raises(InputError, match=complaint):
        engine_of(smoothing_prior).fuse(sources)


def test_bad_masks_are_named(smoothing_prior):
    sources = [np.zeros((8, 8), np.uint8)] * 2
    engine = engine_of(smoothing_prior)
    with pytest.raises(InputError, match='1 validity masks for 2 sources'):
        engine.fuse(sources, [None])
    with pytest.raises(InputError, match='validity mask 2 is bool of shape'):
        engine.fuse(sources, [None, np.ones((4, 4), bool)])
    with pytest.raises(InputError, match='valid in no source'):
        engine.fuse(sources, [np.zeros((8, 8), bool)] * 2)


@pytest.mark.parametrize('device', ['tpu', 'cuda:x', 'cuda:99'])
def test_device_that_is_not_there_is_refused(device):
    with pytest.raises(InputError, match=f"device is '{device}'"):
        FusionEngine.load(device=device)


def test_embedded_prior_fuses_in_half_precision_as_in_single(scene):
    single = FusionEngine.load(device='cpu', settings=ONE_PASS).fuse(scene)
    half = FusionEngine.load(
        device='cpu', settings=dataclasses.replace(ONE_PASS, precision='bf16')).fuse(scene)
    error = (single.image.astype(float) - half.image) ** 2
    assert error.mean() < 255 ** 2 / 1e5  # 50 dB
    assert np.abs(single.weights - half.weights).mean() < 0.005


@pytest.mark.parametrize(('own_threads', 'inside'), [(True, 1), (False, 2)])
def test_small_frames_leave_the_cores_to_a_network_with_threads_of_its_own(
        smoothing_prior, scene, own_threads, inside):
    usual = torch.get_num_threads()
    counted = []
    smoothing_prior.register_forward_hook(lambda *_: counted.append(torch.get_num_threads()))
    smoothing_prior.own_threads = own_threads
    engine = engine_of(smoothing_prior, mode='one-pass')
    torch.set_num_threads(2)
    try:
        engine.fuse(scene)
        assert counted == [inside]
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(usual)
