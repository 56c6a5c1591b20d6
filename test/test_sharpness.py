"""Infrared sharpened by what it lacks of the visible camera's fine detail."""

import dataclasses

import cv2
import numpy as np
import pytest
import torch

from dig2dig_ros.camera.thermal import GainControl
from dig2dig_ros.engine import FusionEngine, FusionSettings, sharpness
from dig2dig_ros.engine.sharpness import AIM, GREATEST, Detail, sharpened, sharpening_of
from dig2dig_ros.synthetic.street import StreetScene

# Of a square of 4 x 4 pixels nothing is left by its mean; of squares of 4 x 4, everything.
FINE = torch.ones(32, 64)
FINE[::2, ::2] = FINE[1::2, 1::2] = -1
COARSE = FINE[:8, :16].repeat_interleave(4, dim=0).repeat_interleave(4, dim=1)
BASE = torch.full((2, 32, 64), 0.1)


def picture(fine, coarse):
    """A picture with such powers of its detail."""
    return BASE[0] + fine ** 0.5 * FINE + coarse ** 0.5 * COARSE


@pytest.mark.parametrize(('fine', 'wanted'), [
    (0.5, AIM - 1),                     # as sharp as the visible camera
    (0.4, AIM * 1.25 ** 0.5 - 1),       # the roots of the shares, 0.5 and 0.4
    (0.1, GREATEST),                    # very soft
    (0.9, 0),                           # sharper by more than what is aimed at
])
@pytest.mark.parametrize('strength', [0.01, 0.1])
def test_what_is_missing_of_the_share_of_fine_detail_is_added(fine, wanted, strength):
    pair = torch.stack([picture(strength * fine, strength * (1 - fine)), picture(0.02, 0.02)])
    for infrared, two in enumerate((pair, pair.flip(0))):
        found = sharpening_of(Detail.of(two, BASE), None, infrared)
        assert found.item() == pytest.approx(wanted, abs=1e-4)


def test_pixels_that_infrared_does_not_have_do_not_count():
    pair = torch.stack([picture(0.01, 0.03), picture(0.02, 0.02)])
    whole = sharpening_of(Detail.of(pair, BASE), None, 0)
    filled = pair.clone()
    filled[0, :, 32:] = picture(0.2, 0)[:, 32:]
    valid = torch.ones(2, 32, 64)
    valid[0, :, 32:] = 0
    detail = Detail.of(filled, BASE)
    assert sharpening_of(detail, valid, 0).item() == pytest.approx(whole.item(), abs=1e-4)
    assert sharpening_of(detail, None, 0) < whole - 0.1


@pytest.mark.parametrize('flat', [0, 1])
def test_a_flat_picture_gives_a_number_in_range(flat):
    pair = torch.stack([picture(0.02, 0.02), picture(0.02, 0.02)])
    pair[flat] = BASE[flat]
    assert 0 <= sharpening_of(Detail.of(pair, BASE), None, 0) <= GREATEST
    assert 0 <= sharpening_of(Detail.of(BASE, BASE), None, 0) <= GREATEST


def raised(image, sharpening):
    pair = torch.stack([BASE[1], image])
    both = sharpened(pair, Detail.of(pair, BASE), torch.tensor(sharpening), 1)
    assert torch.equal(both[0], pair[0])
    return both[1]


def test_fine_detail_alone_is_raised():
    image = BASE[0] + 0.2 * FINE
    assert (raised(image, 0.5) - BASE[0] - 0.3 * FINE).abs().max() < 1e-6
    wide = torch.linspace(-0.5, 0.5, 64).expand(32, 64)
    assert (raised(wide, 0.8) - wide)[:, 4:-4].abs().max() < 1e-6
    assert torch.equal(raised(image, 0.0), image)


def test_a_soft_infrared_is_sharper_in_the_picture(monkeypatch):
    engine = FusionEngine.load(
        device='cpu', settings=FusionSettings(mode='one-pass', precision='fp32'))
    frame = StreetScene(320, 256).render(0.0)
    infrared = GainControl()(frame.infrared)
    pair = [cv2.GaussianBlur(infrared, (0, 0), 2), frame.visible]
    sharp = engine.fuse(pair).image
    engine.settings = dataclasses.replace(engine.settings, reference='infrared')
    based = engine.fuse(pair).image
    monkeypatch.setattr(sharpness, 'GREATEST', 0.0)
    assert np.array_equal(engine.fuse(pair).image, based)  # the visible camera is not sharpened
    engine.settings = dataclasses.replace(engine.settings, reference='visible')
    soft = engine.fuse(pair).image
    edges = np.abs(np.diff(pair[0].astype(float), axis=1)) > 10
    steps = [np.abs(np.diff(image.mean(axis=2), axis=1))[edges].mean() for image in (sharp, soft)]
    assert steps[0] > 1.1 * steps[1]
