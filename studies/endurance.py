"""Does the node outlive its cameras? Live fusion at 30 Hz and 320x256 under a seeded storm.

    python studies/endurance.py --minutes 60

Cameras are lost, killed with SIGKILL, changed in size and moved in time, malformed messages come
at 10,000 an hour, parameters are set by the dozen, good and bad. At the end every pair must be
accounted for, memory and latency be what they were, and the node still go through its lifecycle.
Writes endurance.json and endurance.png into --output; exit code 1 where a demand is not met.
"""

import argparse
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from endurance_cameras import Camera
from endurance_storm import EVENTS, Storm
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rclpy.node import Node
from sensor_msgs.msg import Image

from dig2dig_ros.ros.fast_dds import use_image_profile

MEMORY_GROWTH = 1.05
LATENCY_GROWTH = 1.2
MEMORY = {'memory_mb': 'VmRSS', 'own_mb': 'RssAnon', 'shared_mb': 'RssShmem'}
P99 = 'latency receive to publish p50/p90/p99 (ms)'
LIFECYCLE = (Transition.TRANSITION_DEACTIVATE, Transition.TRANSITION_CLEANUP,
             Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_ACTIVATE)


class Watcher(Node):
    """Subscribes to the fused image, reads the diagnostics and asks for transitions."""

    def __init__(self) -> None:
        super().__init__('endurance')
        self.heard = 0
        self.diagnostics: dict[str, str] = {}
        self.levels: dict[str, int] = {}
        self.create_subscription(Image, 'fused/image', self._on_fused, 5)
        self.create_subscription(DiagnosticArray, '/diagnostics', self._on_diagnostics, 10)
        self._change_state = self.create_client(ChangeState, 'fusion_node/change_state')

    def spin_for(self, seconds: float, until=lambda: False) -> bool:
        """Spin until something holds; False where it did not in time."""
        end_s = time.monotonic() + seconds
        while time.monotonic() < end_s and not until():
            rclpy.spin_once(self, timeout_sec=0.01)
        return until()

    def accounted(self) -> tuple[int, int]:
        """Pairs that came in, and those that were fused or dropped for a reason."""
        values = self.diagnostics
        out = sum(int(value) for name, value in values.items()
                  if name == 'fused' or name.startswith('pairs dropped'))
        return int(values.get('pairs in', 0)), out

    def transition(self, number: int) -> bool:
        """Ask for a lifecycle transition."""
        self._change_state.wait_for_service(10.0)
        request = ChangeState.Request()
        request.transition.id = number
        future = self._change_state.call_async(request)
        return self.spin_for(60.0, future.done) and future.result().success

    @property
    def fused(self) -> int:
        """Pairs that were fused; what is heard has images that were passed through, too."""
        return int(self.diagnostics.get('fused', 0))

    def _on_fused(self, message: Image) -> None:
        self.heard += 1

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            if status.name.endswith(': fusion'):
                self.diagnostics = {entry.key: entry.value for entry in status.values}
                level = re.sub(r'\d+', 'N', status.message.partition(':')[0])
                self.levels[level] = self.levels.get(level, 0) + 1


def resident_mb(pid: int) -> dict[str, float]:
    """Memory of a process: all of it, and its own and what it shares with the cameras."""
    lines = Path(f'/proc/{pid}/status').read_text().splitlines()
    values = dict(line.split(':') for line in lines if ':' in line)
    return {name: round(int(values[key].split()[0]) / 1024, 1) if key in values else 0.0
            for name, key in MEMORY.items()}


def sample(watcher: Watcher, pid: int, minute: float) -> dict[str, float]:
    """One point of the curves."""
    latency = watcher.diagnostics.get(P99, 'none yet')
    p99 = None if latency == 'none yet' else float(latency.rpartition('/')[2])
    return {'minute': round(minute, 3), **resident_mb(pid), 'p99_ms': p99,
            'fused': watcher.fused, 'heard': watcher.heard, 'load': round(os.getloadavg()[0], 1)}


def run(arguments: argparse.Namespace, node: subprocess.Popen) -> dict:
    """The storm and what is asked after it."""
    watcher = Watcher()
    cameras = {name: Camera(name) for name in ('infrared', 'visible')}
    storm = Storm(watcher, cameras, arguments.seed, arguments.only)
    samples = []
    try:
        storm.calm()
        if not watcher.spin_for(120.0, lambda: watcher.fused > 30):
            raise SystemExit('no image was fused; see node.log')
        started_s, next_s = time.monotonic(), 0.0
        while (now_s := time.monotonic() - started_s) < 60 * arguments.minutes:
            storm.step(now_s)
            watcher.spin_for(0.05)
            if now_s >= next_s:
                samples.append(sample(watcher, node.pid, now_s / 60))
                next_s = now_s + 2.0
        storm.calm()
        before = watcher.fused
        fuses_again = watcher.spin_for(60.0, lambda: watcher.fused > before + 30)
    finally:
        for camera in cameras.values():
            camera.kill()
    watcher.spin_for(5.0)
    pairs_in, pairs_out = watcher.accounted()
    counters = {name: int(value) for name, value in watcher.diagnostics.items()
                if name in ('pairs in', 'fused') or ' dropped: ' in name}
    clean = [watcher.transition(number) for number in LIFECYCLE]
    node.send_signal(signal.SIGINT)
    return {
        'samples': samples, 'events': dict(storm.events), 'parameters': dict(storm.answers),
        'messages': watcher.levels, 'counters': counters,
        'checks': {
            'pairs in = fused + dropped': [pairs_in == pairs_out, pairs_in, pairs_out],
            'fuses after the storm': [fuses_again],
            'lifecycle': [all(clean), *clean],
            'exit code 0': [node.wait(30) == 0, node.returncode],
            **curves(samples),
        }}


def curves(samples: list[dict]) -> dict[str, list]:
    """Compare the end with the beginning: a sixth of the run each, ten minutes of an hour.

    Memory is that of the last tenth of each, the tenth minute and the last one.
    """
    first, last = ends(samples)
    memory = [statistics.median(entry['memory_mb'] for entry in part[-max(1, len(part) // 10):])
              for part in (first, last)]
    latency = [p99_ms(first), p99_ms(last)]
    return {'memory within 5 %': [memory[1] <= MEMORY_GROWTH * memory[0], *memory],
            'p99 within 1.2': [latency[1] <= LATENCY_GROWTH * latency[0], *latency]}


def ends(samples: list[dict]) -> tuple[list[dict], list[dict]]:
    """The first and the last sixth."""
    end = samples[-1]['minute']
    return ([entry for entry in samples if entry['minute'] <= end / 6],
            [entry for entry in samples if entry['minute'] >= 5 * end / 6])


def p99_ms(samples: list[dict]) -> float:
    """Median of the p99 latencies, each of the 300 pairs before."""
    return statistics.median(
        entry['p99_ms'] for entry in samples if entry['p99_ms'] is not None)


def quietest(samples: list[dict]) -> list[dict]:
    """The tenth of the samples at which the machine had the least load."""
    return sorted(samples, key=lambda entry: entry['load'])[:max(1, len(samples) // 10)]


def plot(path: Path, report: dict) -> None:
    """Memory and latency over the run, and what else the machine had to do."""
    import matplotlib
    matplotlib.use('Agg')
    import matplotlib.pyplot as plt
    figure, axes = plt.subplots(3, 1, figsize=(7, 5.4), sharex=True, constrained_layout=True)
    minutes = [entry['minute'] for entry in report['samples']]
    for axis, key, label in zip(axes, ('memory_mb', 'p99_ms', 'load'), (
            'memory of\nthe node (MB)', 'p99, receive to\npublish (ms)', 'load of the machine'),
            strict=True):
        axis.plot(minutes, [entry[key] for entry in report['samples']], linewidth=1)
        axis.set_ylabel(label)
        axis.set_ylim(bottom=0)
        axis.grid(alpha=0.3)
    axes[-1].set_xlabel('minute')
    figure.savefig(path, dpi=110)


def main() -> int:
    """Run the study."""
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('--minutes', type=float, default=60.0)
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--only', nargs='*', choices=EVENTS, default=EVENTS,
                        help='events of the storm, to find the one that does harm')
    parser.add_argument('--output', type=Path, default=Path('out/endurance'))
    parser.add_argument('--prior', default='tiny', help='engine.checkpoint')
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')
    os.environ.setdefault('ROS_DOMAIN_ID', str(10 + os.getpid() % 90))
    use_image_profile()
    log_path = arguments.output / 'node.log'
    with open(log_path, 'w') as log:
        node = subprocess.Popen(
            [sys.executable, '-m', 'dig2dig_ros.ros.node.fusion_node', '--ros-args',
             '-p', f'engine.checkpoint:={arguments.prior}', '-p', 'engine.device:=cpu',
             '-p', 'engine.warm_up_size:=[320, 256]'], stdout=log, stderr=subprocess.STDOUT)
        try:
            rclpy.init()
            report = run(arguments, node)
        finally:
            node.kill()
    text = log_path.read_text()
    report['checks']['no traceback'] = ['Traceback' not in text, text.count('Traceback')]
    report |= {'minutes': arguments.minutes, 'seed': arguments.seed, 'prior': arguments.prior}
    (arguments.output / 'endurance.json').write_text(json.dumps(report) + '\n')
    plot(arguments.output / 'endurance.png', report)
    for name, (good, *values) in report['checks'].items():
        print(f'{"good" if good else "BAD "}  {name}: {", ".join(map(str, values))}')
    for part in ends(report['samples']):
        quiet = quietest(part)
        print(f'p99 at load {quiet[0]["load"]} to {quiet[-1]["load"]}: {p99_ms(quiet)} ms')
    return 0 if all(check[0] for check in report['checks'].values()) else 1


if __name__ == '__main__':
    sys.exit(main())
