"""How torch's CPU threads wait."""

import os


def let_idle_threads_sleep() -> None:
    """Keep torch's OpenMP threads from spinning between operations. Call before torch loads.

    Spinning takes the cores from OpenVINO and from every other process of a robot; two threads in
    lockstep beside one busy process make a frame many times slower (docs/performance.md). A policy
    that the user has set stays.
    """
    os.environ.setdefault('OMP_WAIT_POLICY', 'PASSIVE')
