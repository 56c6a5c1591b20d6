"""The shared-memory profile: whether it fits, and whose word goes first."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from processes import PATIENCE_S, Process

from dig2dig_ros.ros.fast_dds import (
    FAST_DDS_2,
    FAST_DDS_3,
    profile_variable,
    shared_memory_problem,
    use_image_profile,
)
from dig2dig_ros.ros.shared_memory import remove_unheld, segment_locks

PROFILE = Path(__file__).resolve().parents[2] / 'config' / 'fastdds_shm.xml'
SEGMENT = '<profiles xmlns="any"><t><segment_size>{}</segment_size></t></profiles>'


@pytest.fixture(autouse=True)
def unset(monkeypatch):
    """No profile chosen, and what the call sets is gone after the test."""
    for name in (FAST_DDS_2, FAST_DDS_3, 'RMW_IMPLEMENTATION'):
        monkeypatch.setenv(name, '')
        monkeypatch.delenv(name)


def test_three_processes_fit_into_the_64_mb_of_a_container(tmp_path):
    """Two cameras and the node; a frame of 1280 x 1024 bgr8 takes 3.9 MB."""
    needed = 1.05 * segment_size() + 2 * 2**20
    assert 3 * needed < 64 * 2**20
    assert segment_size() > 4 * 1280 * 1024 * 3


def segment_size():
    text = PROFILE.read_text(encoding='utf-8')
    return int(text.partition('<segment_size>')[2].partition('<')[0])


def test_too_little_room_is_told(tmp_path):
    profile = tmp_path / 'profile.xml'
    profile.write_text(SEGMENT.format(10**15))
    problem = shared_memory_problem(profile, tmp_path)
    assert f'{tmp_path} has ' in problem
    assert 'takes 1001358034 MB a process' in problem  # (1.05e15 + 2 * 2**20) / 2**20
    assert '--ipc=host' in problem
    profile.write_text(SEGMENT.format(2**20))
    assert shared_memory_problem(profile, tmp_path) == ''
    assert 'has 0 MB free' in shared_memory_problem(profile, tmp_path / 'none')


def test_only_the_name_that_is_read_here_is_set():
    """Kilted warns of the old name in every process."""
    assert use_image_profile() == ''
    assert os.environ[profile_variable()] == str(PROFILE)
    assert (FAST_DDS_2 in os.environ) + (FAST_DDS_3 in os.environ) == 1


@pytest.mark.parametrize('name', [FAST_DDS_2, FAST_DDS_3])
def test_a_users_profile_goes_first_under_either_name(monkeypatch, name):
    monkeypatch.setenv(name, '/mine.xml')
    assert use_image_profile() == ''
    assert os.environ[profile_variable()] == '/mine.xml'


def test_another_middleware_is_left_alone(monkeypatch):
    monkeypatch.setenv('RMW_IMPLEMENTATION', 'rmw_cyclonedds_cpp')
    assert use_image_profile() == ''
    assert profile_variable() not in os.environ


def test_fast_dds_takes_the_profile_without_complaint():
    done = subprocess.run(
        [sys.executable, '-c', 'from dig2dig_ros.ros.fast_dds import use_image_profile\n'
         'assert use_image_profile() == ""\n'
         'import rclpy\nrclpy.init(domain_id=9)\nrclpy.create_node("x")\n'],
        capture_output=True, text=True, env={**os.environ,
                                             'ROS_AUTOMATIC_DISCOVERY_RANGE': 'LOCALHOST'})
    assert (done.returncode, done.stdout + done.stderr) == (0, '')


def test_a_killed_process_leaves_nothing_and_its_peers_keep_theirs(tmp_path, domain):
    cameras = [sys.executable, '-m', 'dig2dig_ros.ros.synthetic_cameras', '--ros-args',
               '-p', 'width:=64', '-p', 'height:=64']
    processes = [Process(cameras, tmp_path, domain) for _ in range(2)]
    end_s = time.monotonic() + PATIENCE_S
    while not all(segment_locks(one.process.pid) for one in processes):
        assert time.monotonic() < end_s, [one.log for one in processes]
        time.sleep(0.1)
    locks = {lock for one in processes for lock in segment_locks(one.process.pid)}
    remove_unheld(locks)
    assert existing(locks) == locks
    assert processes[0].end(signal.SIGKILL) == -signal.SIGKILL
    assert set() < existing(locks) < locks
    assert existing(locks) <= segment_locks(processes[1].process.pid)
    processes[1].end(signal.SIGKILL)
    assert existing(locks) == set()


def existing(locks):
    return {lock for lock in locks if lock.exists()}
