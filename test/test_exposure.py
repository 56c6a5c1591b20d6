"""A dark frame is lifted by what infrared changes in it, and no other frame is."""

import numpy as np
import pytest
import torch

from dig2dig_ros.camera.thermal import GainControl
from dig2dig_ros.engine import FusionEngine, FusionSettings
from dig2dig_ros.engine.exposure import lift_of, lifted, saturation_of
from dig2dig_ros.synthetic.street import StreetScene

GREY = 1 / 127.5


@pytest.fixture(scope='module')
def engine():
    return FusionEngine.load(
        device='cpu', settings=FusionSettings(mode='one-pass', precision='fp32'))


@pytest.fixture(scope='module')
def street():
    """A rendered night street: infrared, visible (BGR), and that at half of its brightness."""
    frame = StreetScene(320, 256).render(0.0)
    return GainControl()(frame.infrared), frame.visible, frame.visible // 2


def luma(image):
    return image @ np.array([0.114, 0.587, 0.299]) if image.ndim == 3 else image.astype(float)


@pytest.mark.parametrize(('mean', 'change', 'lift'), [
    (30, 8, 20),  # two and a half times what infrared changes
    (30, 30, 40),  # at most
    (90, 8, 10),  # half as dark
    (150, 8, 0),
    (30, 0, 0),
])
def test_black_is_lifted_by_what_infrared_changes(mean, change, lift):
    visible = torch.full((100, 100), mean * GREY - 1)
    fused = visible + change * GREY * (torch.arange(100) % 2 * 2 - 1)
    assert lift_of(fused, visible, torch.ones(100, 100)) / GREY == pytest.approx(lift, abs=0.01)
    # What the visible camera does not see is no change of it.
    assert lift_of(fused, visible, torch.zeros(100, 100)) == 0


def test_a_lift_raises_black_leaves_white_and_pales_as_much():
    ends = lifted(torch.tensor([[-1.0, 1.0, 0.0]]), torch.tensor(0.2))
    assert ends[0].tolist() == pytest.approx([-0.8, 1.0, 0.1])
    # So would all three channels be: their differences shrink as the range does.
    assert float(saturation_of(torch.tensor(0.2))) == pytest.approx((1.0 + 0.8) / 2)


def test_black_of_a_dark_street_becomes_grey_and_white_stays(engine, street):
    infrared, visible, dark = street
    fused, plain = luma(engine.fuse([infrared, dark]).image), luma(dark)
    assert np.median((fused - plain)[plain < 15]) > 18
    assert np.median(luma(engine.fuse([infrared, dark + 120]).image) - plain - 120) == (
        pytest.approx(0, abs=2))


@pytest.mark.parametrize('other', [
    lambda dark: np.full(dark.shape[:2], 90, np.uint8), lambda dark: luma(dark).astype(np.uint8)])
def test_without_news_nothing_is_lifted(engine, street, other):
    dark = street[2]
    lift = luma(engine.fuse([other(dark), dark]).image) - luma(dark)
    # Lamps gain contrast even where infrared is the same picture, which uses little of its range.
    assert np.median(lift) < 2.5
    assert np.abs(lift[luma(dark) < 30]).max() < 4.5
