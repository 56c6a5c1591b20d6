"""Flicker on sequences whose flicker is known, and `evaluate --video`."""

import json
import math

import cv2
import numpy as np
import pytest

from dig2dig_ros.cli import main
from dig2dig_ros.errors import InputError
from dig2dig_ros.evaluation.video import STATIC_CHANGE, Flicker

CALM = np.full((48, 64), 100, np.uint8)


def second(*frames):
    """Flicker of the second of two (fused, sources)."""
    meter = Flicker()
    assert math.isnan(meter.next(*frames[0]))
    return meter.next(*frames[1])


def test_a_fusion_that_jumps_over_still_sources_flickers_by_the_jump():
    assert second((CALM, [CALM, CALM]), (CALM + 7, [CALM, CALM])) == 7


def test_change_that_the_sources_have_does_not_count():
    assert second((CALM, [CALM, CALM]), (CALM + 3, [CALM + 1, CALM + 3])) == 0
    assert second((CALM, [CALM, CALM]), (CALM, [CALM - 2, CALM])) == -2


def test_moving_pixels_do_not_count():
    moved = CALM.copy()
    moved[:, 32:] += 60
    assert second((CALM, [CALM, CALM]), (moved, [moved, CALM])) == 0
    everywhere = CALM + int(STATIC_CHANGE) + 1
    assert math.isnan(second((CALM, [CALM]), (CALM, [everywhere])))


def test_sensor_noise_is_not_motion():
    rows, columns = np.mgrid[:48, :64]
    noise = ((37 * columns + 91 * rows) % 13 - 6).astype(np.int16)
    noisy = (CALM + noise).astype(np.uint8)
    expected = 5 - np.abs(noise).mean()
    assert second((CALM, [CALM]), (CALM + 5, [noisy])) == pytest.approx(expected)


def test_a_change_of_size_is_refused():
    meter = Flicker()
    meter.next(CALM, [CALM])
    with pytest.raises(InputError, match='32x48 pixels follows one of 64x48'):
        meter.next(CALM[:, :32], [CALM[:, :32]])


def test_evaluate_video_has_flicker_of_each_method(tmp_path, scene):
    infrared, visible = scene
    jumping = [visible, cv2.add(visible, (9, 9, 9, 0)), visible]
    folders = {'infrared': [infrared] * 3, 'visible': [visible] * 3, 'calm': [visible] * 3,
               'jumping': jumping}
    for folder, frames in folders.items():
        (tmp_path / folder).mkdir()
        for number, frame in enumerate(frames):
            cv2.imwrite(str(tmp_path / folder / f'{number:03}.png'), frame)
    code = main(['evaluate', '--video', '--infrared', str(tmp_path / 'infrared'),
                 '--visible', str(tmp_path / 'visible'), '--fused', str(tmp_path / 'calm'),
                 '--fused', str(tmp_path / 'jumping'), '--json', str(tmp_path / 'out.json')])
    assert code == 0
    methods = json.loads((tmp_path / 'out.json').read_text())['methods']
    assert methods['calm']['mean']['flicker'] == 0
    assert methods['jumping']['mean']['flicker'] == pytest.approx(9, abs=0.1)
    assert methods['jumping']['per_image']['000']['flicker'] is None
