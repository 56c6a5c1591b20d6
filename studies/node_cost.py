"""What the node itself costs a pair: everything but the engine, which here returns at once.

    python studies/node_cost.py

640x512 from `synthetic_cameras`, 16-bit infrared, over the middleware as it is. For each case the
processor time of the node's process for each fused pair, and the time from the arrival of a pair
to its publication. Processor time also counts receiving, rclpy, timers and diagnostics.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.node import Node
from sensor_msgs.msg import CompressedImage, Image

from dig2dig_ros.ros.fast_dds import use_image_profile

WIDTH, HEIGHT, RATE_HZ = 640, 512, 10
FUSED = 'fused/image'
RADIOMETRIC = ('thermal.scale:=0.04',)
JPEG = ('output.compressed:=jpeg',)
RECEIVE = 'latency receive to publish p50/p90/p99 (ms)'
# Name, topics that are subscribed, parameters.
CASES = (
    ('nobody subscribes', (), ()),
    ('fused/image', (FUSED,), ()),
    ('the same, temperature and JPEG on, unsubscribed', (FUSED,), (*RADIOMETRIC, *JPEG)),
    ('and fused/temperature', (FUSED, 'fused/temperature'), RADIOMETRIC),
    ('and fused/overlay', (FUSED, 'fused/overlay'), ()),
    ('and both weights', (FUSED, 'fused/weights/infrared', 'fused/weights/visible'), ()),
    ('and fused/image/compressed', (FUSED, 'fused/image/compressed'), JPEG),
)
START_S, ENGINE_ERROR = 60.0, 'no pair came in a minute'


class InstantSession:
    """An engine that has its answer ready. Has the interface of EngineSession."""

    on_gpu = False

    def __init__(self, values):
        share = np.full((HEIGHT, WIDTH), 0.5, np.float32)
        self._result = SimpleNamespace(
            image=np.full((HEIGHT, WIDTH, 3), 90, np.uint8), weights=np.stack([share, share]),
            timing=SimpleNamespace(total_ms=0.0))

    def fuse(self, infrared, visible, valid):
        return self._result

    def describe(self):
        return {'device': 'none'}

    def apply(self, values):
        pass

    def reset(self):
        pass

    def close(self):
        pass


class Meter(Node):
    """Notes the processor time of a process with every message of diagnostics."""

    def __init__(self, pid, topics):
        super().__init__('node_cost')
        self._pid = pid
        self.points = []
        self.receive_ms = []
        for topic in topics:
            kind = CompressedImage if topic.endswith('compressed') else Image
            self.create_subscription(kind, topic, lambda message: None, 2)
        self.create_subscription(DiagnosticArray, '/diagnostics', self._note, 10)

    def _note(self, message):
        ticks = Path(f'/proc/{self._pid}/stat').read_text().rpartition(')')[2].split()[11:13]
        cpu_s = sum(map(int, ticks)) / os.sysconf('SC_CLK_TCK')
        for status in message.status:
            if status.name.endswith(': fusion'):
                values = {entry.key: entry.value for entry in status.values}
                if pairs := int(values['pairs in']):
                    self.points.append((pairs, cpu_s))
                if values[RECEIVE] != 'none yet':
                    self.receive_ms.append(float(values[RECEIVE].partition(' /')[0]))


def measure(topics, parameters, pairs):
    """Milliseconds of processor time a pair, and the median from arrival to publishing."""
    words = [word for text in (*parameters, 'thermal.smoothing:=0.9')
             for word in ('-p', text)]
    node = subprocess.Popen([sys.executable, __file__, '--node', '--ros-args', *words],
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    meter = Meter(node.pid, topics)
    end_s = time.monotonic() + START_S
    try:
        while not meter.points or meter.points[-1][0] - meter.points[0][0] < pairs:
            rclpy.spin_once(meter, timeout_sec=0.1)
            if not meter.points and time.monotonic() > end_s:
                raise SystemExit(ENGINE_ERROR)
    finally:
        node.terminate()
        node.wait()
        meter.destroy_node()
    # The first seconds of a process load and import.
    (first, before_s), (last, after_s) = meter.points[2], meter.points[-1]
    return 1e3 * (after_s - before_s) / (last - first), (
        statistics.median(meter.receive_ms) if meter.receive_ms else None)


def main():
    """Measure every case in turn, round by round; print the medians as a table."""
    if '--node' in sys.argv:
        from dig2dig_ros.ros.node.fusion_node import FusionNode
        from dig2dig_ros.ros.spin import run
        return run(lambda: FusionNode(InstantSession), [__file__, *sys.argv[2:]])
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('--pairs', type=int, default=100)
    parser.add_argument('--rounds', type=int, default=3)
    arguments = parser.parse_args()
    os.environ.setdefault('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')
    os.environ.setdefault('ROS_DOMAIN_ID', str(10 + os.getpid() % 90))
    use_image_profile()
    cameras = subprocess.Popen(
        [sys.executable, '-m', 'dig2dig_ros.ros.synthetic_cameras', '--ros-args',
         '-p', f'rate_hz:={RATE_HZ}.0', '-p', f'width:={WIDTH}', '-p', f'height:={HEIGHT}'])
    try:
        rclpy.init()
        rounds = [[measure(topics, parameters, arguments.pairs) for _, topics, parameters in CASES]
                  for _ in range(arguments.rounds)]
    finally:
        cameras.terminate()
    print(f'load {os.getloadavg()[0]:.1f}\n')
    print('| subscribed | CPU ms a pair | arrival to publish, ms |\n|---|---|---|')
    for (name, *_), results in zip(CASES, zip(*rounds, strict=True), strict=True):
        costs = [cost for cost, _ in results]
        delays = [delay for _, delay in results if delay is not None]
        print(f'| {name} | {statistics.median(costs):.1f} ({min(costs):.1f} to {max(costs):.1f}) '
              f'| {f"{statistics.median(delays):.1f}" if delays else ""} |')
    return 0


if __name__ == '__main__':
    sys.exit(main())
