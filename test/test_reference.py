"""Fusion against a reference: whose base, whose band, and what a blind camera may not do."""

import cv2
import numpy as np
import pytest
import torch

from dig2dig_ros.camera.thermal import GainControl
from dig2dig_ros.engine import FusionEngine, FusionSettings
from dig2dig_ros.engine.filters import windowed
from dig2dig_ros.engine.reference import band_scales, moments, novelty, warmth, within_range
from dig2dig_ros.synthetic.street import StreetScene

SETTINGS = FusionSettings(mode='one-pass', precision='fp32')


@pytest.fixture(scope='module')
def engine():
    return FusionEngine.load(device='cpu', settings=SETTINGS)


@pytest.fixture(scope='module')
def street():
    """A rendered night street, infrared and visible (BGR)."""
    frame = StreetScene(320, 256).render(0.0)
    return GainControl()(frame.infrared), frame.visible


def luma(image):
    return image @ np.array([0.114, 0.587, 0.299]) if image.ndim == 3 else image.astype(float)


def apart(image, other):
    """Grey levels by which an image is no line of the other one, as a lifted one is (exposure)."""
    image, other = luma(image).ravel(), luma(other).ravel()
    return np.abs(np.polyval(np.polyfit(other, image, 1), other) - image)


def left(other, own, window):
    """Share of a source's power that the other one does not explain."""
    return novelty(windowed(moments(torch.stack([other, own], dim=1)), window))


def test_what_the_reference_shows_too_is_no_news():
    own = torch.randn(1, 40, 40, generator=torch.Generator().manual_seed(0))
    apart = torch.randn(1, 40, 40, generator=torch.Generator().manual_seed(1))
    assert left(3 * own, own, 11).max() < 0.01
    assert left(-3 * own, own, 11).max() < 0.01
    assert left(apart, own, 11).mean() > 0.95
    # With a correlation of r, 1 - r^2 is left.
    mixed = 0.6 * own + 0.8 * apart
    assert left(mixed, own, 21).mean() == pytest.approx(1 - 0.36, abs=0.05)


def test_warm_counts_for_more_than_cold():
    band = torch.zeros(1, 80, 80)
    band[0, 16:24, 16:24], band[0, 16:24, 56:64] = 1, -1
    band[0, 56:64, 16:20], band[0, 56:64, 20:24] = 1, -1
    power = windowed(moments(torch.stack([band, band], dim=1)), 11)[:, 1]
    counted = warmth(band, power, 11)[0]
    assert counted[5, 5] == pytest.approx(1.7, abs=0.01)
    assert counted[5, 15] == pytest.approx(0.3, abs=0.01)
    assert counted[15, 5] == pytest.approx(1, abs=0.15)


def test_a_warm_body_wins_where_a_cold_one_as_strong_does_not(engine):
    visible = cv2.resize(
        np.random.default_rng(0).integers(50, 190, (40, 60), np.uint8), (240, 160))
    visible = np.dstack([visible] * 3)

    def bodies(contrast):
        """Mean weight of infrared on a warm body and on a cold one."""
        infrared = np.full((160, 240), 120, np.uint8)
        infrared[70:90, 50:70], infrared[70:90, 170:190] = 120 + contrast, 120 - contrast
        weights = engine.fuse([infrared, visible]).weights[0]
        return weights[70:90, 50:70].mean(), weights[70:90, 170:190].mean()

    warm, cold = bodies(60)
    assert warm > 0.9
    assert cold < 0.3
    # On a hot day people are the cold ones, and such strong ones are not lost.
    assert bodies(120)[1] > 0.5


def test_a_weak_camera_is_raised_and_a_strong_one_never_lowered():
    own = torch.ones(1, 8, 8)
    assert band_scales(torch.stack([own / 1.44, own], dim=1), 1).tolist() == [
        [pytest.approx(1.2), 1]]
    assert band_scales(torch.stack([25 * own, own], dim=1), 1).tolist() == [[1, 1]]
    assert band_scales(torch.stack([own, 0 * own], dim=1), 0).tolist() == [
        [1, pytest.approx(1.3)]]


def test_brightness_gives_way_only_where_white_is_exceeded():
    fused = torch.full((96, 96), 0.9)
    fused[40:56, 40:56] = 1.5
    fitted = within_range(fused)
    assert fitted.max() <= 1
    assert (fitted[:20] == 0.9).all()
    # The figure, cut off, would stand out by 0.1.
    assert fitted[46:50, 46:50].mean() - fitted[46:50, 36:39].mean() > 0.3


def test_a_glaring_point_makes_no_black_hole():
    fused = torch.full((96, 96), -0.6)
    fused[46:50, 46:50] = 3
    fitted = within_range(fused.clone())
    assert fitted[46:50, 46:50].min() == 1
    surround = (fitted + 1)[36:60, 36:44]
    assert surround.max() < 0.4
    assert surround.min() > 0.19


@pytest.mark.parametrize('reference', ['visible', 'infrared'])
def test_the_base_is_the_references(engine, street, reference):
    engine.settings = FusionSettings(mode='one-pass', precision='fp32', reference=reference)
    fused = luma(engine.fuse(street).image)
    own, other = luma(street[reference == 'visible']), luma(street[reference != 'visible'])
    blocks = [image.reshape(8, 32, 10, 32).mean(axis=(1, 3)) for image in (fused, own, other)]
    assert np.abs(blocks[0] - blocks[1]).mean() < 0.5 * np.abs(blocks[0] - blocks[2]).mean()
    engine.settings = SETTINGS


BLIND = {
    'black': lambda image, random: np.zeros_like(image),
    'white': lambda image, random: np.full_like(image, 255),
    'constant': lambda image, random: np.full_like(image, 90),
    'noise': lambda image, random: random.normal(90, 40, image.shape).clip(0, 255).astype(
        np.uint8),
}


@pytest.mark.parametrize('blinded', [0, 1])
@pytest.mark.parametrize('how', BLIND)
def test_of_a_blind_camera_nothing_is_taken(engine, street, blinded, how):
    sources = list(street)
    sources[blinded] = BLIND[how](sources[blinded], np.random.default_rng(0))
    result = engine.fuse(sources)
    seeing = luma(sources[1 - blinded])
    assert result.weights[blinded].mean() < 0.05
    assert np.abs(luma(result.image) - seeing).mean() < 3
    assert result.weights.sum(axis=0) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(('infrared', 'visible'), [(200, 30), (30, 200), (200, 0), (255, 30)])
@pytest.mark.parametrize('side', [64, 256])
def test_two_blind_cameras_give_the_reference(engine, side, infrared, visible):
    flat = [np.full((side, side), grey, np.uint8) for grey in (infrared, visible)]
    result = engine.fuse(flat)
    difference = np.abs(result.image.astype(int) - visible)
    assert difference.mean() < 0.1
    # The estimate of a flat picture is not flat at its border, and may pass for a body.
    assert difference.max() <= 5
    assert result.weights[1].min() > 0.95


def test_behind_a_hand_on_half_of_the_lens_infrared_is_the_picture(engine, street):
    infrared, visible = street
    covered = visible.copy()
    covered[:, :160] = 0
    result = engine.fuse([infrared, covered])
    assert result.weights[0][:, :100].mean() > 0.9
    assert np.abs(luma(result.image) - infrared)[:, :100].mean() < 6
    assert apart(result.image[:, 220:], engine.fuse(street).image[:, 220:]).mean() < 6


def test_the_border_of_infrareds_footprint_does_not_shine(engine, street):
    infrared, visible = street
    covered = np.ones(infrared.shape, bool)
    covered[:, 288:] = False
    whole = luma(engine.fuse(street).image)
    part = luma(engine.fuse([infrared, visible], [covered, None]).image)
    # Lifted as the whole frame is, and else the visible camera's.
    assert apart(part[:, 290:], visible[:, 290:]).max() < 1.5
    # Beside the border, to the width of the surround: it was 3.5 when the visible picture filled
    # what infrared lacks.
    assert apart(part[:, 250:288], whole[:, 250:288]).mean() < 1


@pytest.mark.parametrize('height', [1, 3, 20])
def test_a_few_rows_fuse(engine, street, height):
    result = engine.fuse([image[100:100 + height] for image in street])
    assert result.image.shape[:2] == (height, 320)
    assert np.isfinite(result.weights).all()


def test_a_noisy_camera_is_denoised_and_says_at_what_cost(engine, street):
    infrared, visible = street
    noise = np.random.default_rng(0).normal(0, 25, visible.shape)
    noisy = (visible + noise).clip(0, 255).astype(np.uint8)
    clean, result = engine.fuse(street), engine.fuse([infrared, noisy])
    assert (clean.timing.network_calls, result.timing.network_calls) == (2, 3)
    error = apart(result.image, clean.image).mean()
    without = np.abs(luma(noisy) - luma(visible)).mean()
    assert error < 0.45 * without
    chroma = result.image.astype(float) - luma(result.image)[..., None]
    assert chroma.std() < 0.5 * (noise - luma(noise)[..., None]).std()


def test_the_weights_follow_a_hot_target_that_only_infrared_sees(engine, street):
    infrared, visible = (image.copy() for image in street)
    visible[100:140, 100:130] = 40
    infrared[96:144, 96:134] = 60
    infrared[104:136, 108:124] = 240
    result = engine.fuse([infrared, visible])
    assert result.weights[0][104:136, 108:124].mean() > 0.6
    rise = luma(result.image)[108:132, 110:122].mean() - luma(visible)[108:132, 110:122].mean()
    assert rise > 60
