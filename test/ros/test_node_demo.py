"""The demo: node and cameras as processes, a strip of pictures and a table at the end."""

import subprocess
import sys

import cv2
import numpy as np
from processes import environment

DEMO = [sys.executable, '-m', 'dig2dig_ros.ros.demo', '--set', 'engine.device:=cpu', '--set',
        'engine.warm_up_size:=[64, 48]']


def run(domain, *arguments):
    return subprocess.run([*DEMO, *arguments], capture_output=True, text=True, timeout=240,
                          env=environment(domain))


def test_a_folder_of_pairs_becomes_pictures_and_a_table(tmp_path, domain):
    noise = np.random.default_rng(0)
    for name, shape in (('ir', (48, 64)), ('vi', (48, 64, 3))):
        (tmp_path / name).mkdir()
        for stem in 'ab':
            cv2.imwrite(str(tmp_path / name / f'{stem}.png'),
                        noise.integers(0, 255, shape, np.uint8))
    output = tmp_path / 'out'
    done = run(domain, '--pairs', str(tmp_path), '--seconds', '5', '--rate', '10',
               '--output', str(output))
    assert done.returncode == 0, done.stdout + done.stderr
    for line in ('fps', 'latency stamp to publish p50/p90/p99 (ms)', 'pairs in', 'fused'):
        assert f'\n  {line} ' in done.stdout
    strip = cv2.imread(str(output / 'strip.png'))
    # Three moments, fewer where a loaded machine had the weights late.
    assert strip.shape[0] in [rows * (48 + 32) for rows in (1, 2, 3)]
    assert strip.shape[1:] == (4 * (64 + 8), 3)
    assert strip.std() > 20


def test_a_wrong_folder_is_one_line(tmp_path, domain):
    done = run(domain, '--pairs', 'no/such/folder', '--output', str(tmp_path))
    assert done.returncode == 2
    assert done.stderr == 'error: no/such/folder: no such file or folder\n'
