"""Measure frames per second, latency by stage, network calls and memory on this machine."""

import argparse
import json
from pathlib import Path

from dig2dig_ros.commands.engine_options import add_engine_options, settings_from
from dig2dig_ros.engine import FusionEngine
from dig2dig_ros.errors import InputError
from dig2dig_ros.evaluation.benchmark import STAGES, parse_size, run_benchmark


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument('--size', default='640x512', metavar='WxH', help='frame size in pixels')
    parser.add_argument('--frames', type=int, default=50, help='frames to time')
    parser.add_argument('--json', type=Path, metavar='FILE', help='write the report here')
    add_engine_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Measure, print, write."""
    width, height = parse_size(arguments.size)
    if arguments.frames < 1:
        raise InputError(f'frames is {arguments.frames}; it must be at least 1')
    engine = FusionEngine.load(
        arguments.checkpoint, arguments.device, settings_from(arguments))
    report = run_benchmark(engine, engine.fuse, width, height, arguments.frames)
    report |= {name: getattr(arguments, name)
               for name in ('mode', 'steps', 'interval', 'guidance', 'draws', 'scale')}
    _print(report)
    if arguments.json:
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        arguments.json.write_text(json.dumps(report, indent=2) + '\n')
    return 0


def _print(report: dict) -> None:
    latency, stages = report['latency_ms'], report['stages_ms']
    print(f'{report["prior"]} {report["precision"]} on {report["device"]}, {report["size"]}, '
          f'{report["mode"]}, {report["network_calls"]} network calls a frame')
    print(f'{report["fps"]:.2f} fps; latency ms: p50 {latency["p50"]:.1f}, '
          f'p90 {latency["p90"]:.1f}, p99 {latency["p99"]:.1f}')
    print('stages ms: ' + ', '.join(f'{stage} {stages[stage]:.1f}' for stage in STAGES)
          + f'; peak memory {report["peak_memory_mb"]:.0f} MB')
