"""`dig2dig fuse --ray` on a real Ray of this machine, with two workers."""

import json
import os
import signal
import subprocess
import sys
import time

import cv2
import numpy as np
import pytest

from dig2dig_ros.cli import main
from dig2dig_ros.fleet.scenes import Scene, with_memory

FAST = ['--mode', 'one-pass', '--levels', '1', '--draws', '1', '--device', 'cpu',
        '--checkpoint', 'tiny']


@pytest.fixture
def on_ray(ray_address):
    """The options that spread the work over two workers."""
    return ['--ray', ray_address, '--ray-workers', '2']


@pytest.fixture(scope='module')
def pictures(tmp_path_factory, scene):
    """Twelve scenes, of which one is broken, one lonely; and the same with raw infrared."""
    place = tmp_path_factory.mktemp('pictures')
    for name in ('infrared', 'raw', 'visible'):
        (place / name).mkdir()
    for number in range(12):
        infrared, visible = (np.roll(image, 5 * number, axis=1) for image in scene)
        cv2.imwrite(str(place / f'infrared/{number:02}.png'), infrared)
        cv2.imwrite(str(place / f'raw/{number:02}.png'),
                    infrared.astype(np.uint16) * (20 + number) + 3000)
        cv2.imwrite(str(place / f'visible/{number:02}.png'), visible)
    (place / 'infrared/05.png').write_bytes(b'no image')
    cv2.imwrite(str(place / 'visible/lonely.png'), scene[1])
    return place


def arguments(pictures, output, *more, infrared='infrared'):
    return ['fuse', '--infrared', str(pictures / infrared), '--visible',
            str(pictures / 'visible'), '--output', str(output), *FAST, *more]


def files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@pytest.fixture(scope='module')
def serial(pictures, tmp_path_factory):
    output = tmp_path_factory.mktemp('serial')
    assert main(arguments(pictures, output, '--weights-dir', str(output / 'weights'))) == 1
    return output


def test_pictures_are_those_of_a_serial_run_and_are_not_made_again(
        pictures, serial, tmp_path, on_ray, capsys):
    report = tmp_path / 'report.json'
    words = arguments(pictures, tmp_path / 'out', *on_ray, '--json', str(report),
                      '--weights-dir', str(tmp_path / 'out/weights'))
    assert main(words) == 1
    assert files(tmp_path / 'out') == files(serial)
    assert files(tmp_path / 'out/weights') == files(serial / 'weights')
    content = json.loads(report.read_text())
    assert [entry['stem'] for entry in content['fused']] == [
        f'{number:02}' for number in range(12) if number != 5]
    assert {entry['stem'] for entry in content['failed']} == {'05', 'lonely'}
    assert 'failed: 05: ' in capsys.readouterr().err
    made = (tmp_path / 'out/00.png').stat().st_mtime_ns
    (tmp_path / 'out/03.png').unlink()
    pictures.joinpath('visible/04.png').touch()
    assert main(words) == 1
    assert '9 of 12 were done already' in capsys.readouterr().err
    assert (tmp_path / 'out/00.png').stat().st_mtime_ns == made
    assert files(tmp_path / 'out') == files(serial)
    assert json.loads(report.read_text())['fused'][0] == content['fused'][0]


def test_the_gain_of_raw_infrared_is_carried_from_scene_to_scene(pictures, tmp_path, on_ray):
    assert main(arguments(pictures, tmp_path / 'one', infrared='raw')) == 1
    assert main(arguments(pictures, tmp_path / 'two', *on_ray, infrared='raw')) == 1
    assert files(tmp_path / 'two') == files(tmp_path / 'one')
    alone = tmp_path / 'alone'
    assert main(arguments(pictures, alone, '--smoothing', '0', infrared='raw')) == 1
    assert files(alone)['11.png'] != files(tmp_path / 'one')['11.png']


def test_a_raw_scene_in_a_folder_of_8_bit_ones_says_what_to_do(pictures):
    folders = [pictures / 'infrared', pictures / 'visible']
    scenes = [Scene(stem, [folder / f'{stem}.png' for folder in folders], None)
              for stem in ('05', '06')]
    assert [scene.alone for scene in with_memory(scenes, {})] == [True, True]


def test_a_run_stopped_by_ctrl_c_is_gone_on_with(pictures, serial, tmp_path, on_ray):
    output = tmp_path / 'out'
    process = subprocess.Popen(
        [sys.executable, '-m', 'dig2dig_ros.cli', *arguments(pictures, output, '--ray')],
        stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 300
    while not list(output.glob('*.png')) and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.002)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=300)
    made = len(list(output.glob('*.png')))
    if process.returncode != 1:  # else it was faster than the signal
        assert process.returncode == 130
        assert 0 < made < 11
    assert main(arguments(pictures, output, *on_ray)) == 1
    assert files(output) == files(serial)


@pytest.mark.needs('ray')
def test_what_ray_cannot_do_is_refused_in_one_line(pictures, tmp_path, capsys):
    for words, complaint in (
            (['--ray', '--ray-workers', '0'], '--ray-workers is 0'),
            (['--ray', '--report', 'x.html'], 'leave out --ray'),
            (['--ray', '--checkpoint', 'nowhere.pt'], 'nowhere.pt')):
        assert main(arguments(pictures, tmp_path / 'out', *words)) == 2
        error = capsys.readouterr().err
        assert complaint in error
        assert error.count('\n') == 1
    assert os.listdir(tmp_path) == []
