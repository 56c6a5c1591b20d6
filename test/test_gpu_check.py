"""The command that waits for a GPU runs end to end, on a machine as bare as that one will be."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import torch

from dig2dig_ros.prior import load_prior

SCRIPT = Path(__file__).parents[1] / 'studies' / 'gpu_check.py'
# None in sys.modules is a package that is not installed.
BARE = """
import runpy, sys
sys.modules.update(dict.fromkeys(['cv2', 'openvino', 'tqdm', 'pytest', 'yaml', 'rclpy']))
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name='__main__')
"""


def test_it_checks_measures_and_trains_without_a_gpu(tmp_path):
    images = tmp_path / 'images.npz'
    random = np.random.default_rng(0)
    np.savez(images, **{f'{index}': random.integers(0, 256, (48, 64), np.uint8)
                        for index in range(3)})
    report = tmp_path / 'report.json'
    subprocess.run(
        [sys.executable, '-c', BARE, SCRIPT, '--device', 'cpu', '--quick', '--json', report,
         '--train', '0.002', '--images', images, '--output', tmp_path / 'trained'], check=True)
    found = json.loads(report.read_text())
    assert all(entry['ok'] for entry in found.values())
    assert sum(name.startswith('check: ') for name in found) == 12
    assert found['pictures: DIG-15']['db'] > 45
    row = found['small, DIG-15, 64x48']
    small = load_prior('small', torch.device('cpu'))
    assert (row['calls'], row['parameters']) == (17, small.parameter_count)
    assert (tmp_path / 'trained' / 'compact-large.safetensors').is_file()
