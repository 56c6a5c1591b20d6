"""The demo: node and cameras as processes, a strip of pictures and a table at the end."""

import signal
import subprocess
import sys
import time

import cv2
import numpy as np
import pytest
from processes import PATIENCE_S, Process, environment

from dig2dig_ros.ros.demo.__main__ import main
from dig2dig_ros.synthetic.street import StreetScene

DEMO = [sys.executable, '-m', 'dig2dig_ros.ros.demo', '--set', 'engine.device:=cpu', '--set',
        'engine.warm_up_size:=[64, 48]']


def run(domain, *arguments):
    return subprocess.run([*DEMO, *arguments], capture_output=True, text=True, timeout=600,
                          env=environment(domain))


def test_a_folder_of_pairs_becomes_pictures_and_a_table(tmp_path, domain):
    noise = np.random.default_rng(0)
    for name, shape in (('ir', (48, 64)), ('vi', (48, 64, 3))):
        (tmp_path / name).mkdir()
        for stem in 'ab':
            cv2.imwrite(str(tmp_path / name / f'{stem}.png'),
                        noise.integers(0, 255, shape, np.uint8))
    output = tmp_path / 'out'
    done = run(domain, '--pairs', str(tmp_path), '--seconds', '2', '--rate', '10',
               '--output', str(output))
    assert done.returncode == 0, done.stdout + done.stderr
    for line in ('fps', 'latency stamp to publish p50/p90/p99 (ms)', 'pairs in', 'fused'):
        assert f'\n  {line} ' in done.stdout
    strip = cv2.imread(str(output / 'strip.png'))
    # Three moments, fewer where a loaded machine had the weights late.
    assert strip.shape[0] in [rows * (48 + 32) for rows in (1, 2, 3)]
    assert strip.shape[1:] == (4 * (64 + 8), 3)
    assert strip.std() > 20


def test_a_knocked_rig_is_brought_back(tmp_path, domain):
    scene = StreetScene(320, 256, seed=3)
    for name in ('ir', 'vi'):
        (tmp_path / name).mkdir()
    for index in range(12):
        moment = scene.render(1.3 * index, index)
        cv2.imwrite(str(tmp_path / 'ir' / f'{index:02}.png'), moment.infrared)
        cv2.imwrite(str(tmp_path / 'vi' / f'{index:02}.png'), moment.visible)
    output = tmp_path / 'out'
    # The first correction takes 120 fused frames, each further pixel 30: the least of engines, and
    # more time where a loaded machine needs it.
    quick = [word for assignment in (
        'checkpoint:=tiny', 'mode:=one-pass', 'levels:=1', 'draws:=1', 'scale:=0.25')
        for word in ('--set', f'engine.{assignment}')]
    for seconds in ('18', '60', '240'):
        done = run(domain, '--misaligned', '--pairs', str(tmp_path), '--seconds', seconds,
                   '--rate', '20', '--output', str(output), *quick)
        assert done.returncode == 0, done.stdout + done.stderr
        [line] = [line for line in done.stdout.splitlines() if line.startswith('  in truth')]
        before_px, after_px = (
            float(part.split()[0]) for part in line[len('  in truth'):].split(','))
        assert before_px == pytest.approx(12.0)
        if after_px < 11:
            break
    assert after_px < 11
    assert cv2.imread(str(output / 'misaligned.png')).shape == (2 * (256 + 32), 2 * (320 + 8), 3)


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_and_sigterm_end_it_with_its_processes(tmp_path, domain, number):
    process = Process([*DEMO, '--output', str(tmp_path / 'out')], tmp_path, domain)
    end_s = time.monotonic() + PATIENCE_S
    while 'waiting for the first fused image' not in process.log:
        assert time.monotonic() < end_s, process.log
        time.sleep(0.05)
    assert process.end(number) == 130
    assert 'Traceback' not in process.log


@pytest.mark.parametrize(('words', 'complaint'), [
    (['--pairs', 'no/such/folder'], 'no/such/folder: no such file or folder'),
    (['--misaligned', '--bag', '.'], '--misaligned knocks cameras, which --bag has none of')])
def test_bad_usage_is_one_line(tmp_path, capsys, words, complaint):
    """Before a process or a node is started."""
    assert main([*words, '--output', str(tmp_path / 'out')]) == 2
    assert capsys.readouterr().err == f'error: {complaint}\n'
    assert not (tmp_path / 'out').exists()
