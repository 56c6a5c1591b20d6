"""Measure frames per second, latency by stage, network calls and memory on this machine."""

import argparse
import math

from dig2dig_ros.commands.engine_options import add_engine_options, settings_from
from dig2dig_ros.engine import FusionEngine, FusionStream
from dig2dig_ros.engine.stream import describe
from dig2dig_ros.errors import InputError
from dig2dig_ros.evaluation.benchmark import STAGES, parse_size, run_benchmark
from dig2dig_ros.evaluation.documents import write_json
from dig2dig_ros.locations import output_file


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument('--size', default='640x512', metavar='WxH', help='frame size in pixels')
    parser.add_argument('--frames', type=int, default=50, help='frames to time')
    parser.add_argument('--stream', action='store_true',
                        help='carry work over from frame to frame, as the live node does')
    parser.add_argument('--latency-budget-ms', type=float, default=0, metavar='MS',
                        help='with --stream: pick the longest schedule that holds this; 0: off')
    parser.add_argument('--json', type=output_file, metavar='FILE', help='write the report here')
    add_engine_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Measure, print, write."""
    width, height = parse_size(arguments.size)
    if not 0 <= arguments.latency_budget_ms < math.inf:
        raise InputError(f'--latency-budget-ms is {arguments.latency_budget_ms:g}; it must be at '
                         'least 0')
    if arguments.latency_budget_ms and not arguments.stream:
        raise InputError('--latency-budget-ms is a setting of the stream; add --stream')
    if arguments.frames < 1:
        raise InputError(f'--frames is {arguments.frames}; it must be at least 1')
    engine = FusionEngine.load(
        arguments.checkpoint, arguments.device, settings_from(arguments))
    stream = FusionStream(engine, arguments.latency_budget_ms) if arguments.stream else None
    fuse = stream.fuse if stream else engine.fuse
    report = run_benchmark(engine, fuse, width, height, arguments.frames)
    report |= {name: getattr(engine.settings, name) for name in (
        'mode', 'steps', 'interval', 'guidance', 'draws', 'levels', 'scale')}
    report['preset'] = getattr(arguments, 'preset', None)
    report |= {'stream': arguments.stream, 'latency_budget_ms': arguments.latency_budget_ms}
    report['running'] = stream.running if stream else describe(engine.settings)
    _print(report)
    if arguments.json:
        write_json(arguments.json, report)
    return 0


def _print(report: dict) -> None:
    latency, stages = report['latency_ms'], report['stages_ms']
    print(f'{report["prior"]} {report["precision"]} on {report["device"]}, {report["size"]}, '
          f'{report["running"]}, {report["network_calls"]} network calls a frame')
    print(f'{report["fps"]:.2f} fps; latency ms: p50 {latency["p50"]:.1f}, '
          f'p90 {latency["p90"]:.1f}, p99 {latency["p99"]:.1f}')
    print('stages ms: ' + ', '.join(f'{stage} {stages[stage]:.1f}' for stage in STAGES)
          + f'; peak memory {report["peak_memory_mb"]:.0f} MB')
