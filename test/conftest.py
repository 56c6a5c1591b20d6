"""What several tests share."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import bytecode_cache  # noqa: F401
import hypothesis
import pytest
import torch
from cuda_checks import made_up_scene

from dig2dig_ros.engine.filters import box_mean
from dig2dig_ros.prior.base import Prior

NEEDS = {'rclpy': ['ros', 'test_docs.py', 'test_humble.py'],
         'launch_ros': ['ros/test_launch.py'],  # part of a ROS installation, not of PyPI
         'rosbags': ['ros/test_replay.py', 'ros/test_sameness.py', 'test_alignment_bags.py',
                     'test_bag_segments.py', 'test_fleet_bags.py', 'test_fuse_bag.py',
                     'test_make_bag.py', 'test_recorded_rig.py', 'test_storage_errors.py'],
         'skimage': ['test_fleet_measures.py']}
# What brings the packages that single tests take, see the marker `needs`; else a ROS installation.
EXTRAS = {'diagnostic_msgs': 'ros', 'openvino': 'cpu', 'ray': 'cluster', 'upath': 'cluster'}
# On a loaded machine an example may take any time; and a run is to give what the last one gave.
hypothesis.settings.register_profile(
    'any-machine', deadline=None, derandomize=True,
    suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile('any-machine')
MISSING = [name for name in NEEDS if importlib.util.find_spec(name) is None]
collect_ignore = [path for name in MISSING for path in NEEDS[name]]


def pytest_report_header():
    """Say what is left out because a package is not installed."""
    return [f'not installed: {name}; left out: {", ".join(NEEDS[name])}' for name in MISSING]


def pytest_runtest_setup(item):
    """Skip a test marked `needs` where that package is not installed, and say what brings it."""
    for mark in item.iter_markers('needs'):
        name, = mark.args
        if importlib.util.find_spec(name) is None:
            pytest.skip(f'{name} is not installed: ' + (
                f'pip install "dig2dig[{EXTRAS[name]}]"' if name in EXTRAS
                else 'it is part of a ROS 2 installation, not of PyPI'))


class SmoothingPrior(Prior):
    """A prior whose answer is known: it rescales x_t and smooths it with a box of 5 pixels.

    Counts the images that it was given, so that tests can hold the number of network calls.
    """

    kind = 'smoothing'
    multiple = 8

    def __init__(self):
        super().__init__()
        self.calls = 0
        self.batches = []

    def forward(self, noised, timesteps):
        from dig2dig_ros.engine.schedule import signal_and_noise
        self.calls += len(noised)
        self.batches.append(timesteps.tolist())
        signals = torch.tensor([signal_and_noise(int(t))[0] for t in timesteps])
        return box_mean(noised / signals.view(-1, 1, 1, 1), 5).clamp(-1, 1)

    def to_precision(self, dtype):
        return self


@pytest.fixture
def smoothing_prior():
    """A fresh counting prior."""
    return SmoothingPrior()


@pytest.fixture(scope='session')
def scene():
    """See `made_up_scene`."""
    return made_up_scene()


@pytest.fixture(scope='session')
def shared_data():
    """The folder of real images beside a developer's checkout."""
    folder = Path(__file__).resolve().parents[2] / 'shared' / 'data'
    if not folder.is_dir():
        pytest.skip('real image pairs are not redistributable; ../shared/data is not here')
    return folder


@pytest.fixture(scope='session')
def ray_address():
    """Address of a real Ray of this machine with room for two workers."""
    pytest.importorskip('ray', reason='Ray is not installed: pip install "dig2dig[cluster]"')
    before = os.environ.get('RAY_AUTH_MODE')
    os.environ['RAY_AUTH_MODE'] = 'disabled'  # a token of this user's may be another cluster's
    with subprocess.Popen([sys.executable, '-c', _RAY_CLUSTER], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as head:
        address = head.stdout.readline().strip()
        assert address, 'Ray has not started'
        yield address
        head.stdin.close()
    os.environ.pop('RAY_AUTH_MODE')
    if before is not None:
        os.environ['RAY_AUTH_MODE'] = before


# Ray would end workers of a machine that is loaded or short of memory.
_RAY_CLUSTER = """
import os, sys
os.environ.update(RAY_USAGE_STATS_ENABLED='0', RAY_memory_monitor_refresh_ms='0',
                  RAY_worker_register_timeout_seconds='600',
                  RAY_health_check_failure_threshold='100')
import ray
ray.init('local', num_cpus=2, include_dashboard=False, object_store_memory=100_000_000)
print(ray.get_runtime_context().gcs_address, flush=True)
sys.stdin.read()
ray.shutdown()
"""
