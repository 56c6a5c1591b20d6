"""What the tests of nodes share: a bench on a ROS domain of its own, and the mark `dds`."""

import os

import pytest
from live import bench
from processes import FAST_DISCOVERY, own_domain

from dig2dig_ros.ros.fast_dds import FAST_DDS_2, FAST_DDS_3, profile_variable

OVER_DDS = {'live', 'live_module', 'domain'}
# Read once, when a process makes its first node.
if not {FAST_DDS_2, FAST_DDS_3} & os.environ.keys():
    os.environ[profile_variable()] = FAST_DISCOVERY


def pytest_collection_modifyitems(items):
    """Mark what talks over real DDS; `-m "not dds"` leaves it out."""
    for item in items:
        if OVER_DDS & {*getattr(item, 'fixturenames', ())}:
            item.add_marker(pytest.mark.dds)


@pytest.fixture
def live(tmp_path):
    """A bench for one test."""
    with bench(tmp_path) as made:
        yield made


@pytest.fixture(scope='module')
def live_module(tmp_path_factory):
    """A bench that the tests of a module share."""
    with bench(tmp_path_factory.mktemp('live')) as made:
        yield made


@pytest.fixture
def domain():
    """The number of a ROS domain that nobody else uses."""
    with own_domain() as number:
        yield number
