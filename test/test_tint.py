"""What infrared alone shows has a warm colour; everything else the visible camera's own."""

import cv2
import numpy as np
import pytest
import torch

from dig2dig_ros.engine import FusionEngine
from dig2dig_ros.engine.exposure import lifted
from dig2dig_ros.engine.tint import TINT_BGR, added_by_infrared
from dig2dig_ros.settings import FusionSettings

BODY = np.s_[70:130, 100:130]
EVERYWHERE = torch.ones(32, 32)
NO_LIFT = torch.zeros(())


def night(red_lamp=False):
    """A body before a street without colours that does not show it, 160 x 224; and the street."""
    random = np.random.default_rng(5)
    visible = cv2.GaussianBlur(random.normal(60, 300, (160, 224)), (0, 0), 3).astype(np.float32)
    visible = np.repeat(visible.clip(20, 110)[..., None], 3, axis=2)
    if red_lamp:
        visible[20:40, 180:200] = (40, 40, 220)
    infrared = np.full((160, 224), 60, np.float32)
    infrared[BODY] = 220
    return infrared.astype(np.uint8), visible.astype(np.uint8)


def fused(infrared, visible, **settings):
    engine = FusionEngine.load(
        'tiny', 'cpu', FusionSettings(mode='one-pass', precision='fp32', **settings))
    return engine.fuse([infrared, visible]).image.astype(int)


@pytest.mark.parametrize('noise', [0, 20])
def test_a_body_that_infrared_alone_shows_is_warm(noise):
    infrared, visible = night()
    grains = np.random.default_rng(1).normal(0, noise, visible.shape)
    image = fused(infrared, (visible + grains).clip(0, 255).astype(np.uint8))
    blue, green, red = image[BODY].reshape(-1, 3).mean(axis=0)
    assert red - max(blue, green) > 20
    street = image[:60].reshape(-1, 3).mean(axis=0)
    assert street.max() - street.min() < 4


def test_luminance_is_that_of_the_grey_picture():
    infrared, visible = night()
    grey = fused(infrared, visible[..., 0].copy())
    assert grey.ndim == 2
    luminance = fused(infrared, visible) @ np.array([0.114, 0.587, 0.299])
    assert np.abs(luminance - grey).max() < 2


@pytest.mark.parametrize('reference', ['none', 'infrared'])
def test_no_tint_unless_the_visible_camera_is_the_reference(reference):
    image = fused(*night(), reference=reference)
    assert np.ptp(image, axis=-1).max() <= 1


def test_colours_of_the_visible_camera_stay():
    infrared, visible = night(red_lamp=True)
    lamp = fused(infrared, visible)[24:36, 184:196].reshape(-1, 3).mean(axis=0)
    assert lamp[2] - lamp[:2].max() > 0.75 * 180


def test_by_day_a_warm_body_has_no_tint():
    infrared, visible = night()
    image = fused(infrared, visible + np.uint8(130))
    assert np.ptp(image, axis=-1).max() <= 2


def test_a_covered_visible_camera_leaves_infrared_grey():
    infrared, visible = night()
    image = fused(infrared, np.zeros_like(visible))
    assert np.ptp(image, axis=-1).max() <= 2
    assert image[BODY].mean() > image[:60].mean() + 60


def test_nothing_is_added_by_a_lift_of_black_or_where_infrared_darkens():
    visible = torch.linspace(-1, 0.9, 1024).reshape(32, 32)
    lift = torch.tensor(0.3)
    picture = lifted(visible.clone(), lift)
    assert added_by_infrared(picture, visible, lift, EVERYWHERE).max() < 1e-6
    assert added_by_infrared(picture - 0.2, visible, lift, EVERYWHERE).max() == 0


def test_the_tint_takes_no_channel_beyond_white_and_leaves_luminance():
    visible = torch.full((32, 32), -1.0)
    picture = torch.linspace(-1, 1, 1024).reshape(32, 32)
    added = added_by_infrared(picture, visible, NO_LIFT, EVERYWHERE)
    channels = picture[..., None] + added[..., None] * torch.tensor(TINT_BGR)
    assert added.max() > 0.5
    assert channels.max() <= 1 + 1e-6
    assert channels.min() >= -1 - 1e-6
    assert float(torch.tensor(TINT_BGR) @ torch.tensor([0.114, 0.587, 0.299])) == pytest.approx(
        0, abs=1e-3)
