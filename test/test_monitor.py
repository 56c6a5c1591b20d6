"""The monitor: how far it says that infrared lies off, and when it warns."""

import tracemalloc

import cv2
import numpy as np
import pytest

from dig2dig_ros.alignment.monitor import PERIOD, Monitor
from dig2dig_ros.camera.preparation import Preparation
from dig2dig_ros.commands.camera_options import tell_misalignment
from dig2dig_ros.images import to_8_bit
from dig2dig_ros.synthetic.street import StreetScene

SIZE = (320, 256)


@pytest.fixture(scope='module')
def knocked():
    """Moments of the street; the infrared camera was knocked 12 pixels to the side."""
    scene = StreetScene(*SIZE, seed=3)
    away = np.array([[1.0, 0, 10], [0, 1, 6.6]])
    frames = []
    for index in range(12):
        moment = scene.render(1.3 * index, index)
        infrared = cv2.warpAffine(moment.infrared, away, SIZE, borderMode=cv2.BORDER_REFLECT)
        frames.append((infrared, moment.visible))
    return frames


def _run(frames, refine, rounds):
    preparation = Preparation({'registration.refine': refine})
    results = []
    for round_ in range(rounds):
        for frame in range(PERIOD):
            prepared = preparation.prepare_images(*frames[round_ % len(frames)])
            if frame == 0:
                results.append((preparation.monitor.misalignment_px, prepared))
    return results


def test_monitor_measures_and_does_not_touch(knocked):
    results = _run(knocked, 'monitor', 10)
    assert results[3][0] is None
    assert results[-1][0] == pytest.approx(12.0, abs=1.5)
    assert results[-1][1].valid is None


def test_slow_goes_on_from_what_monitor_has_seen(knocked):
    """One step of a pixel at the first look; a changed map is looked at anew."""
    preparation = Preparation()
    for frame in range(12 * PERIOD):
        preparation.prepare_images(*knocked[frame // PERIOD])
    assert preparation.monitor.misaligned
    before = preparation.monitor.misalignment_px
    preparation.apply({'registration.refine': 'slow'})
    preparation.prepare_images(*knocked[0])
    assert preparation.monitor.misalignment_px == pytest.approx(before - 1, abs=0.1)
    preparation.apply({'registration.refine': 'slow', 'registration.homography': [
        1.0, 0, -10, 0, 1, -6.6, 0, 0, 1]})
    assert preparation.monitor.misalignment_px is None


@pytest.mark.parametrize(('shift', 'line'), [((0, 0), 'infrared lies 12.'), ((-10, -6.6), '')])
def test_few_pairs_are_all_looked_at_and_judged_at_their_end(knocked, capsys, shift, line):
    """Too few are not looked at, and nothing is said of them."""
    for pairs, expected in ((8, line), (7, '')):
        preparation = Preparation({'registration.homography': [
            1.0, 0, shift[0], 0, 1, shift[1], 0, 0, 1]})
        preparation.expect(pairs)
        for frame in knocked[:pairs]:
            preparation.prepare_images(*frame)
        assert preparation.monitor.due() == (pairs == 8)
        tell_misalignment(preparation)
        error = capsys.readouterr().err
        assert error.startswith(expected)
        assert bool(error) == bool(expected)


@pytest.mark.parametrize(('shift_px', 'evident'), [(3.6, False), (8.0, True)])
def test_of_a_blurred_camera_a_small_shift_is_not_evident(knocked, shift_px, evident):
    """Infrared out of focus fits 4 px off almost as well: a figure above 3, and no warning."""
    monitor, size = Monitor(), (640, 512)
    back = np.array([[1.0, 0, 0.8 * shift_px - 20], [0, 1, 0.6 * shift_px - 13.2]])
    for frame in range(14 * PERIOD):
        if monitor.due():
            infrared, visible = knocked[frame // PERIOD % len(knocked)]
            moved = cv2.warpAffine(cv2.resize(to_8_bit(infrared), size), back, size,
                                   borderMode=cv2.BORDER_REFLECT)
            monitor.look(cv2.GaussianBlur(moved, (0, 0), 12), cv2.resize(visible, size))
    assert monitor.misalignment_px == pytest.approx(shift_px, abs=1.0)
    assert monitor.misalignment_px > 3
    assert monitor.evident == monitor.misaligned == evident


def test_a_monitor_keeps_little():
    """Of eight pairs at 320x240 and 160x120 eight int16 a pixel, 12.3 MB."""
    random = np.random.default_rng(0)
    frame = random.integers(0, 256, (480, 640), dtype=np.uint8)
    tracemalloc.start()
    monitor = Monitor()
    for _ in range(8):
        monitor.look(frame, frame)
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert 8 * 2 * 8 * 320 * 240 * 1.25 <= kept < 13e6


@pytest.mark.parametrize(('sharp', 'evident'), [
    (np.s_[:], True), (np.s_[:128, 160:], False)], ids=['all of it', 'a quadrant'])
def test_what_one_quadrant_says_alone_is_not_evident(knocked, sharp, evident):
    """It is 8 px off; the rest is out of focus and lies right. The fit is the quadrant's."""
    monitor = Monitor()
    monitor.expect(8)
    for infrared, visible in knocked[:8]:
        right, off = (cv2.warpAffine(to_8_bit(infrared), np.array([[1.0, 0, x], [0, 1, y]]), SIZE,
                                     borderMode=cv2.BORDER_REFLECT)
                      for x, y in ((-10, -6.6), (-3.6, -1.8)))
        seen = cv2.GaussianBlur(right, (0, 0), 12)
        seen[sharp] = off[sharp]
        assert monitor.due()
        monitor.look(seen, visible)
    monitor.judge()
    assert monitor.misalignment_px > 5
    assert monitor.misaligned == monitor.evident == evident


def test_nothing_is_known_of_pictures_of_another_size(knocked):
    monitor = Monitor()
    monitor.expect(8)
    for infrared, visible in knocked[:8]:
        monitor.look(to_8_bit(infrared), visible)
    monitor.judge()
    assert monitor.misaligned
    monitor.look(np.zeros((128, 160), np.uint8), np.zeros((128, 160), np.uint8))
    monitor.judge()
    assert monitor.misalignment_px is None
    assert not monitor.misaligned


@pytest.mark.parametrize('covered', [np.s_[40:220, 50:270], np.s_[:128, :160]])
def test_the_edge_of_what_infrared_covers_is_no_edge(knocked, covered):
    """Infrared shows the middle two thirds, or a corner, aligned but for 8 px: that is told."""
    monitor = Monitor()
    valid = np.zeros(SIZE[::-1], bool)
    valid[covered] = True
    back = np.array([[1.0, 0, -2], [0, 1, -6.6]])  # of 10 and 6.6
    for frame in range(14 * PERIOD):
        if monitor.due():
            infrared, visible = knocked[frame // PERIOD % len(knocked)]
            infrared = to_8_bit(cv2.warpAffine(infrared, back, SIZE))
            monitor.look(np.where(valid, infrared, 0).astype(np.uint8), visible, valid)
    assert monitor.misaligned
    assert monitor.misalignment_px == pytest.approx(8.0, abs=0.8)


def test_slow_brings_it_back_without_a_jump(knocked):
    results = _run(knocked, 'slow', 26)
    figures = [figure for figure, _ in results if figure is not None]
    assert figures[-1] < 1.0
    assert all(after < before + 0.8 for before, after in zip(figures, figures[1:], strict=False))
    steps = -np.diff(figures)
    assert steps.max() < 2.0
    assert not results[-1][1].valid.all()
