"""What Ray costs and brings on this machine: the figures of docs/cluster.md.

    python studies/fleet.py --pairs 500 --seconds 60 --output DIR

Renders pairs of 640x480 and a bag of them, then times whole commands: serial, with one and two
workers, and two serial processes side by side, which share no work and wait for nobody.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import cv2
import numpy as np

from dig2dig_ros.synthetic.street import COUNTS_AT_AIR, StreetScene

RATE_HZ = 10


def main() -> None:
    """Render, run and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--pairs', type=int, default=500)
    parser.add_argument('--seconds', type=int, default=60, help='of the bag')
    parser.add_argument('--mode', default='one-pass')
    parser.add_argument('--checkpoint', default='small')
    parser.add_argument('--output', type=Path, required=True)
    arguments = parser.parse_args()
    place = arguments.output
    render(place, max(arguments.pairs, arguments.seconds * RATE_HZ))
    engine = ['--mode', arguments.mode, '--checkpoint', arguments.checkpoint, '--device', 'cpu']
    cores = len(os.sched_getaffinity(0))
    rows = {}
    for name, count in (('', arguments.pairs), ('start-up: ', 4)):
        folder = f'all{count}'
        link(place, folder, range(count))
        rows |= {f'{name}{row}': figures for row, figures in images(
            place, folder, count, engine, cores).items()}
    if arguments.seconds:
        rows |= bag(place, arguments.seconds, engine)
    print(json.dumps(rows, indent=2))


def render(place: Path, count: int) -> None:
    """Write the pairs that are not there."""
    street = StreetScene(640, 480)
    for camera in ('infrared', 'visible'):
        (place / camera).mkdir(parents=True, exist_ok=True)
    for number in range(count):
        if not (place / f'visible/{number:05}.png').exists():
            frame = street.render(number / RATE_HZ, number)
            # A camera of 8 bits: 25 K from black to white.
            grey = (frame.infrared - (COUNTS_AT_AIR - 300)) / 6
            cv2.imwrite(str(place / f'infrared/{number:05}.png'),
                        grey.clip(0, 255).astype(np.uint8))
            cv2.imwrite(str(place / f'visible/{number:05}.png'), frame.visible)


def link(place: Path, name: str, numbers: range) -> None:
    """Make folders with some of the pairs."""
    for camera in ('infrared', 'visible'):
        folder = place / name / camera
        folder.mkdir(parents=True, exist_ok=True)
        for number in numbers:
            target = folder / f'{number:05}.png'
            if not target.exists():
                os.link(place / camera / target.name, target)


def images(place: Path, name: str, count: int, engine: list[str], cores: int) -> dict:
    """Time `dig2dig fuse` in each way."""
    def words(folder: str, output: str, *more: str) -> list[str]:
        shutil.rmtree(place / output, ignore_errors=True)
        return ['fuse', '--infrared', str(place / folder / 'infrared'), '--visible',
                str(place / folder / 'visible'), '--output', str(place / output), *engine, *more]

    rows = {'serial': timed([words(name, 'out')], count)}
    for workers in (1, cores):
        threads = cores // workers
        rows[f'{workers} workers of {threads}'] = timed([words(
            name, 'out', '--ray', '--ray-workers', str(workers), '--ray-threads',
            str(threads))], count)
    half = count // cores
    for part in range(cores):
        link(place, f'{name}-{part}', range(part * half, (part + 1) * half))
    rows[f'{cores} serial processes of 1 thread'] = timed(
        [words(f'{name}-{part}', f'out-{part}') for part in range(cores)], half * cores, 1)
    return rows


def bag(place: Path, seconds: int, engine: list[str]) -> dict:
    """Time `dig2dig fuse-bag` on one bag, cut into segments."""
    source, target = place / 'bag', place / 'bag-out'
    if not source.exists():
        link(place, 'bagged', range(seconds * RATE_HZ))
        timed([['make-bag', '--infrared', str(place / 'bagged/infrared'), '--visible',
                str(place / 'bagged/visible'), '--rate', str(RATE_HZ), '--output',
                str(source)]], 1)
    rows = {}
    for name, more in (('serial', []), ('1 worker', ['--ray', '--ray-workers', '1',
                                                     '--ray-threads', '2']),
                       ('2 workers', ['--ray', '--ray-workers', '2'])):
        shutil.rmtree(target, ignore_errors=True)
        cut = ['--segment', str(seconds / 6)] if more else []
        rows[f'bag: {name}'] = timed([['fuse-bag', str(source), str(target), '--no-weights',
                                       *engine, *more, *cut]], seconds * RATE_HZ)
    return rows


def timed(commands: list[list[str]], count: int, threads: int | None = None) -> dict:
    """Run commands side by side; seconds, items a second, peak memory of a worker."""
    environment = dict(os.environ)
    environment.pop('OMP_NUM_THREADS', None)
    if threads:
        environment['OMP_NUM_THREADS'] = str(threads)
    watch = Watch()
    started = time.monotonic()
    processes = [subprocess.Popen([sys.executable, '-m', 'dig2dig_ros.cli', *command],
                                  env=environment, stdout=subprocess.DEVNULL)
                 for command in commands]
    codes = [process.wait() for process in processes]
    seconds = time.monotonic() - started
    watch.done = True
    row = {'s': round(seconds, 1), 'per_s': round(count / seconds, 2),
           'codes': codes,
           'load': round(os.getloadavg()[0], 1), **watch.figures()}
    print(' '.join(commands[0][:1]), commands[0][-6:], row, file=sys.stderr, flush=True)
    return row


class Watch(threading.Thread):
    """Follows all that this process has started: memory of Ray's workers, processor time."""

    def __init__(self):
        super().__init__(daemon=True)
        self.done, self.series, self.cpu_s = False, [], {}
        self.start()

    def run(self) -> None:
        while not self.done:
            found = dict(filter(None, map(_look, Path('/proc').glob('[0-9]*'))))
            sizes = []
            for number, (_, cpu_s, megabytes) in found.items():
                if self._is_ours(number, found):
                    self.cpu_s[number] = cpu_s
                    sizes.append(megabytes)
            if any(sizes):
                self.series.append(max(sizes))
            time.sleep(0.3)

    @staticmethod
    def _is_ours(number: int, found: dict) -> bool:
        while number in found:
            number = found[number][0]
            if number == os.getpid():
                return True
        return False

    def figures(self) -> dict:
        row = {'cpu_s': round(sum(self.cpu_s.values()), 1)}
        if self.series:
            third = max(1, len(self.series) // 3)
            row |= {'worker_mb_second_third': max(self.series[third:2 * third] or [0]),
                    'worker_mb_last_third': max(self.series[-third:])}
        return row


def _look(process: Path) -> tuple[int, tuple[int, float, int]] | None:
    """Number of a process; its parent, processor time, and megabytes where it is a worker."""
    try:
        command = (process / 'cmdline').read_bytes()
        fields = (process / 'stat').read_text().rpartition(')')[2].split()
        pages = int((process / 'statm').read_text().split()[1])
    except (OSError, IndexError):
        return None
    cpu_s = (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')
    megabytes = pages * os.sysconf('SC_PAGE_SIZE') // 2 ** 20 if b'ray::Bench' in command else 0
    return int(process.name), (int(fields[1]), cpu_s, megabytes)


if __name__ == '__main__':
    main()
