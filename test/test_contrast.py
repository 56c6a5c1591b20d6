"""Infrared that uses little of its range: raised, steadily, and only where it shows something."""

import numpy as np
import pytest
import torch

from dig2dig_ros.camera.thermal import GainControl
from dig2dig_ros.engine import FusionEngine, FusionSettings, FusionStream
from dig2dig_ros.engine.bodies import GREY
from dig2dig_ros.engine.contrast import GREATEST, Contrast, contrast_of
from dig2dig_ros.synthetic.street import StreetScene

SETTINGS = FusionSettings(mode='one-pass', precision='fp32')


@pytest.fixture(scope='module')
def engine():
    return FusionEngine.load(device='cpu', settings=SETTINGS)


def with_body(above, side=12):
    """A flat picture of 60 with a square body so many grey levels above it, in [-1, 1]."""
    picture = torch.full((160, 240), 60 * GREY - 1)
    picture[40:40 + side, 80:80 + side] += above * GREY
    return picture


def weak(infrared, factor):
    """The same picture with so much less contrast about its median."""
    median = np.median(infrared)
    return np.round(median + (infrared - median) / factor).astype(np.uint8)


@pytest.mark.parametrize(('above', 'factor'), [
    (180, 1), (160, 1), (80, 2), (64, 2.5), (20, GREATEST), (4, 1), (0, 1), (-60, 1)])
def test_the_hottest_are_brought_to_what_a_camera_shows_that_uses_its_range(above, factor):
    contrast = contrast_of(with_body(above), None)
    assert contrast.factor == pytest.approx(factor, abs=1e-3)
    raised = contrast(with_body(above))
    assert raised[0, 0].item() == pytest.approx(60 * GREY - 1, abs=1e-5)
    assert (raised[45, 85] - raised[0, 0]).item() == pytest.approx(
        (factor if above > 0 else 1) * above * GREY, abs=1e-3)


def test_what_is_colder_stays_and_white_is_the_end():
    picture = torch.tensor([[-0.9, -0.2, 0.0, 0.2, 0.6]])
    raised = Contrast(3.0, 0.0)(picture)
    assert raised.tolist() == [pytest.approx([-0.9, -0.2, 0.0, 0.6, 1.0])]
    assert picture[0, 3] == pytest.approx(0.2)


def test_nothing_is_raised_beyond_white():
    picture = with_body(40) + 130 * GREY  # 190, and a body of 230
    assert contrast_of(picture, None).factor == pytest.approx(65 / 40, abs=1e-3)
    assert contrast_of(picture + 25 * GREY, None).factor == 1


def test_a_few_hot_pixels_are_no_body():
    # 16 of 38,400 pixels, and defective ones are fewer.
    assert contrast_of(with_body(150, side=4), None).factor == 1


def test_what_infrared_lacks_says_nothing():
    picture, valid = with_body(80), torch.ones(160, 240)
    picture[:, 120:], valid[:, 120:] = 1, 0
    assert contrast_of(picture, None).factor == 1
    assert contrast_of(picture, valid).factor == pytest.approx(2, abs=1e-3)
    assert contrast_of(picture, 0 * valid).factor == 1


def test_contrast_follows_over_some_frames():
    contrast = contrast_of(with_body(64), None)
    factors = []
    for _ in range(40):
        contrast = contrast_of(with_body(160), None, contrast)
        factors.append(contrast.factor)
    assert factors[0] == pytest.approx(2.5 - 0.15, abs=1e-3)
    assert factors == sorted(factors, reverse=True)
    assert factors[-1] == pytest.approx(1, abs=0.05)


def test_another_scene_has_its_own_contrast():
    before = contrast_of(with_body(64), None)
    assert contrast_of(with_body(160) + 10 * GREY, None, before).factor == 1
    assert contrast_of(with_body(160) + 2 * GREY, None, before).factor > 2


def test_people_are_as_visible_by_an_infrared_camera_of_little_contrast(engine):
    frame = StreetScene(320, 256).render(0.0)
    infrared = GainControl()(frame.infrared)
    whole = engine.fuse([infrared, frame.visible]).weights[0]
    third = engine.fuse([weak(infrared, 3), frame.visible]).weights[0]
    bodies = infrared > np.percentile(infrared, 98)
    assert whole[bodies].mean() > 0.6
    assert third[bodies].mean() > 0.9 * whole[bodies].mean()


def test_the_noise_that_is_told_is_the_cameras_own(engine):
    random = np.random.default_rng(0)
    visible = np.clip(random.integers(60, 200, (20, 30)).repeat(8, 0).repeat(8, 1), 0, 255)
    infrared = 127.5 * (with_body(40, side=24).numpy() + 1) + random.normal(0, 6, (160, 240))
    stream = FusionStream(engine)
    stream.fuse([infrared.round().astype(np.uint8), visible.astype(np.uint8)])
    assert stream.noise[0] == pytest.approx(6, rel=0.15)
