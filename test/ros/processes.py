"""Runs nodes as processes, on a ROS domain that nobody else uses."""

import contextlib
import fcntl
import os
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

from dig2dig_ros.ros.shared_memory import kill, remove_unheld, segment_locks

PATIENCE_S = 180.0  # a loaded machine takes a minute to import torch
# Of this process alone: the nodes' profile is a thing that is tested.
FAST_DISCOVERY = str(Path(__file__).with_name('fast_discovery.xml'))
DOMAINS = range(10, 100)  # above them the ports may be taken by outgoing connections


def environment(domain):
    """Return the environment of a process that talks on a domain of this machine only."""
    kept = {name: value for name, value in os.environ.items() if value != FAST_DISCOVERY}
    return {**kept, 'ROS_DOMAIN_ID': str(domain), 'PYTHONUNBUFFERED': '1',
            'ROS_AUTOMATIC_DISCOVERY_RANGE': 'LOCALHOST'}


class Process:
    """A node's process with its log."""

    def __init__(self, command, folder, domain):
        self.log_path = folder / f'{time.monotonic_ns()}.log'
        with open(self.log_path, 'w') as log:
            # A shell's background job ignores SIGINT, and what it starts would inherit that.
            self.process = subprocess.Popen(
                command, stdout=log, stderr=subprocess.STDOUT, env=environment(domain),
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))

    @property
    def log(self):
        return self.log_path.read_text()

    def wait(self):
        """Wait for its end; return the exit code."""
        return self.process.wait(PATIENCE_S)

    def end(self, number=signal.SIGINT):
        """Send a signal; return the exit code. Nothing of it stays in shared memory."""
        if self.process.poll() is None:
            locks = segment_locks(self.process.pid)
            self.process.send_signal(number)
            try:
                self.wait()
            finally:
                kill(self.process)
                remove_unheld(locks)
        return self.process.wait()


@contextlib.contextmanager
def own_domain():
    """Have a ROS domain to oneself, whatever other test sessions run on this machine.

    The first one that is free, from one that the process's number gives; a lock on a file says
    which are taken, and the kernel takes it back where a session dies.
    """
    count = len(DOMAINS)
    for domain in (DOMAINS[(os.getpid() + step) % count] for step in range(count)):
        path = Path(tempfile.gettempdir(), f'dig2dig-test-{os.getuid()}-domain-{domain}')
        with open(path, 'w') as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            yield domain
            return
    pytest.fail('all ROS domains are in use by other test sessions')
