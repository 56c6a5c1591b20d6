"""The fusion node with a stand-in for the engine: the mean of the cameras, slow or failing.

Everything else is the real node, run as a process by the tests. Only it reports more often, so
that the tests need not wait for what it says.
"""

import argparse
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from dig2dig_ros.ros.node import engine_keeper, fusion_node, inputs
from dig2dig_ros.ros.spin import run

CUDA_ERROR = ('CUDA error: an illegal memory access was encountered\n'
              'CUDA kernel errors might be asynchronously reported at some other API call')


class MeanSession:
    """Has the interface of EngineSession."""

    sessions = 0
    cuda_errors = 0

    def __init__(self, options, values):
        time.sleep(options.load_s)
        while options.load_until and not options.load_until.exists():
            time.sleep(0.02)
        MeanSession.sessions += 1
        if MeanSession.sessions in options.fail_loads:
            raise RuntimeError(CUDA_ERROR)
        self.on_gpu = options.on_gpu
        self._options = options
        self._frames = 0

    def apply(self, values):
        pass

    def fuse(self, infrared, visible, valid):
        self._frames += 1
        time.sleep(self._options.delay_s)
        if MeanSession.cuda_errors < self._options.cuda_errors:
            MeanSession.cuda_errors += 1
            raise RuntimeError(CUDA_ERROR)
        if self._options.fail_every and self._frames % self._options.fail_every == 0:
            raise RuntimeError('the stand-in was told to fail')
        colour = visible if visible.ndim == 3 else np.dstack([visible] * 3)
        image = ((colour.astype(np.uint16) + infrared[..., None]) // 2).astype(np.uint8)
        share = np.full(infrared.shape, 0.5, np.float32)
        if valid is not None:
            share *= valid
        return SimpleNamespace(image=image, weights=np.stack([share, 1 - share]),
                               timing=SimpleNamespace(total_ms=1e3 * self._options.delay_s))

    def reset(self):
        pass

    def describe(self):
        return {'device': 'stand-in', 'running': 'mean'}

    def close(self):
        """A lost GPU cannot even free its memory."""
        if self.on_gpu and 0 < MeanSession.cuda_errors < self._options.cuda_errors:
            raise RuntimeError(CUDA_ERROR)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--real-engine', action='store_true', help='in place of the stand-in')
    parser.add_argument('--load-s', type=float, default=0.0)
    parser.add_argument('--load-until', type=Path, help='a file that is there')
    parser.add_argument('--delay-s', type=float, default=0.0)
    parser.add_argument('--fail-every', type=int, default=0)
    parser.add_argument('--on-gpu', action='store_true')
    parser.add_argument('--cuda-errors', type=int, default=0, help='so many frames at first fail')
    parser.add_argument('--fail-loads', type=int, nargs='*', default=(),
                        help='numbers of the sessions that cannot be made')
    parser.add_argument('--first-wait-s', type=float, default=engine_keeper.FIRST_WAIT_S)
    options, rest = parser.parse_known_args()
    engine_keeper.FIRST_WAIT_S = options.first_wait_s
    fusion_node.DIAGNOSTICS_PERIOD_S = 0.1
    inputs.REMIND_S = 0.5
    if options.real_engine:
        return fusion_node.main([sys.argv[0], *rest])
    return run(lambda: fusion_node.FusionNode(lambda values: MeanSession(options, values)),
               [sys.argv[0], *rest])


if __name__ == '__main__':
    sys.exit(main())
