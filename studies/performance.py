"""Measure every row of docs/performance.md on this machine.

    python studies/performance.py [--only PART]

Runs `dig2dig benchmark` twice for each row, keeps the run with the lower median, writes
studies/performance/ROW.json, and fills in the tables of docs/performance.md. Takes ten minutes on
two cores; nothing else should run. With `--only one-pass`, rows whose names have that part: the
reports of the others stand.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from regenerate import DOCS, HERE

from dig2dig_ros.evaluation.pages import fill, markdown_table

FOLDER = HERE / 'performance'
RUNS = 2
SIZES = '640x512', '320x256'
STREAM = '--stream'
ONE_PASS = '--mode', 'one-pass'
DIG_15 = '--steps', '15', '--interval', '15'
DIG_15_S10 = '--steps', '15', '--interval', '10'
TINY = '--checkpoint', 'tiny'
SMALL_FRAME = '--size', SIZES[1]

Rows = dict[str, tuple[str, tuple[str, ...]]]
LIVE: Rows = {
    'one-pass': ('small, one-pass', ONE_PASS),
    'one-pass-stream': ('small, one-pass, stream', (*ONE_PASS, STREAM)),
    'one-pass-half-scale': ('small, one-pass, scale 0.5', (*ONE_PASS, '--scale', '0.5')),
    'dig15-s15': ('small, DIG-15, S = 15', DIG_15),
    'dig15-s10': ('small, DIG-15, S = 10', DIG_15_S10),
    'dig15-s10-stream': ('small, DIG-15, S = 10, stream', (*DIG_15_S10, STREAM)),
    '320x256-one-pass': ('small, one-pass', (*ONE_PASS, *SMALL_FRAME)),
    '320x256-dig15-s10': ('small, DIG-15, S = 10', (*DIG_15_S10, *SMALL_FRAME)),
    '320x256-dig15-s10-stream': (
        'small, DIG-15, S = 10, stream', (*DIG_15_S10, *SMALL_FRAME, STREAM)),
    'budget-100ms': (
        'small, stream with a budget of 100 ms', (STREAM, '--latency-budget-ms', '100')),
    'tiny-one-pass': ('tiny, one-pass', (*TINY, *ONE_PASS)),
    'tiny-dig15-s10': ('tiny, DIG-15, S = 10', (*TINY, *DIG_15_S10)),
    'tiny-dig15-s10-stream': ('tiny, DIG-15, S = 10, stream', (*TINY, *DIG_15_S10, STREAM)),
    'tiny-320x256-dig15-s10': ('tiny, DIG-15, S = 10', (*TINY, *DIG_15_S10, *SMALL_FRAME)),
    'fp32-one-pass': ('small in float32, one-pass', (*ONE_PASS, '--precision', 'fp32')),
}
SHARED: Rows = {'one-pass': ('one-pass', ONE_PASS), 'dig15-s15': ('DIG-15, S = 15', DIG_15)}
COMMAND = 'from dig2dig_ros.cli import main; raise SystemExit(main())'
WITHOUT_OPENVINO = """
import importlib.util
find = importlib.util.find_spec
importlib.util.find_spec = lambda name, *package: (
    None if name == 'openvino' else find(name, *package))
"""


def main() -> int:
    """Measure, and write it down."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--only', default='', metavar='PART', help='of the names of rows')
    part = parser.parse_args().only
    tables = {'live': live(part), 'shared': shared(part)}
    page = DOCS / 'performance.md'
    for name, table in tables.items():
        page.write_text(fill(page.read_text(), name, table))
    return 0


def live(part: str) -> str:
    """The embedded priors on free cores, as Markdown."""
    rows = []
    for name, (what, options) in LIVE.items():
        found = report(part, name, options)
        if found['latency_budget_ms']:
            what += f' (it ran {found["running"]})'
        stages = ' / '.join(f'{ms:.0f}' for ms in found['stages_ms'].values())
        rows.append((what, found['size'], str(found['network_calls']), f'{found["fps"]:.1f}',
                     percentiles(found), stages, f'{found["peak_memory_mb"]:.0f}'))
    return markdown_table(('what', 'size', 'calls', 'fps', 'p50 / p90 / p99 ms',
                           'upload / DIG / sampling / download ms', 'MB'), rows)


def shared(part: str) -> str:
    """OpenVINO and torch, with both cores free and beside a busy process, as Markdown."""
    rows = []
    for name, (what, options) in SHARED.items():
        for prefix, runtime, before in ('', 'OpenVINO', ''), ('torch-', 'torch', WITHOUT_OPENVINO):
            free = report(part, prefix + name, options, before) if before else read(name)
            with subprocess.Popen([sys.executable, '-c', 'while True: pass']) as busy:
                try:
                    loaded = report(part, f'busy-{prefix}{name}', options, before)
                finally:
                    busy.kill()
            rows.append((f'{what}, {runtime}', percentiles(free), percentiles(loaded)))
    return markdown_table(
        (f'small, {SIZES[0]}', 'cores free, p50 / p90 / p99 ms', 'one busy process'), rows)


def report(part: str, name: str, options: tuple[str, ...], before: str = '') -> dict:
    """A row whose name has a part, measured; of any other what was measured before."""
    return measure(name, options, before) if part in name else read(name)


def measure(name: str, options: tuple[str, ...], before: str = '') -> dict:
    """The better of the runs, which is also written to its JSON file.

    :param before: Python to run first, in the process that measures.
    """
    best = None
    for _ in range(RUNS):
        with tempfile.NamedTemporaryFile(suffix='.json') as report:
            subprocess.run([sys.executable, '-c', before + COMMAND, 'benchmark', *options,
                            '--json', report.name], check=True, stdout=subprocess.DEVNULL)
            found = json.loads(Path(report.name).read_text())
        if best is None or found['latency_ms']['p50'] < best['latency_ms']['p50']:
            best = found
    (FOLDER / f'{name}.json').write_text(json.dumps(best, indent=2) + '\n')
    print(f'{name}: {percentiles(best)} ms', flush=True)
    return best


def read(name: str) -> dict:
    """The report of a row that was measured already."""
    return json.loads((FOLDER / f'{name}.json').read_text())


def percentiles(found: dict) -> str:
    """p50 / p90 / p99 in milliseconds."""
    return ' / '.join(f'{ms:.0f}' for ms in found['latency_ms'].values())


if __name__ == '__main__':
    sys.exit(main())
