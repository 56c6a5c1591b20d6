"""Runs the fusion node and its cameras as processes, listens, and reports what came of it."""

import argparse
import contextlib
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.signals import SignalHandlerOptions

from dig2dig_ros.detection.onnx_detector import OnnxDetector
from dig2dig_ros.errors import InputError
from dig2dig_ros.images import write_image
from dig2dig_ros.ros.demo.detection import detection_report
from dig2dig_ros.ros.demo.listener import DemoListener, Moment
from dig2dig_ros.ros.demo.misalignment import KNOCK, misalignment_report
from dig2dig_ros.ros.demo.report import strip, table
from dig2dig_ros.ros.fast_dds import use_image_profile
from dig2dig_ros.ros.shared_memory import kill

LOADING_LIMIT_S = 180.0
ENDING_LIMIT_S = 60.0
MOMENTS = 3  # in the strip
MORE_MOMENTS = 12  # that a detector is shown, or that an alignment is judged by
SECONDS, SECONDS_MISALIGNED = 20.0, 60.0  # a knock of 12 px takes 20 looks, 15 frames apart
CLEAN_ENDS = (0, 130)  # 130: a command that Ctrl-C ended


class Failure(Exception):
    """The demo did not work; the message says what the user sees."""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog='scripts/demo.sh', description=__doc__)
    source = parser.add_mutually_exclusive_group()
    source.add_argument('--pairs', type=Path, metavar='DIR',
                        help='real pairs: DIR/ir and DIR/vi, or DIR/infrared and DIR/visible')
    source.add_argument('--bag', type=Path, help='a rosbag2, replayed with its own timing')
    parser.add_argument('--misaligned', action='store_true',
                        help='the street, or the pairs, seen by a rig knocked 12 px off, which '
                             'the node brings back: misaligned.png')
    parser.add_argument('--seconds', type=float,
                        help='how long to listen, from the first fused image; default '
                             f'{SECONDS:g}, misaligned {SECONDS_MISALIGNED:g}')
    parser.add_argument('--rate', type=float, default=15.0, help='pairs per second')
    parser.add_argument('--output', type=Path, default=Path('out/demo'), help='folder')
    parser.add_argument('--set', action='append', default=[], metavar='NAME:=VALUE',
                        help='a parameter of the node, such as engine.mode:=sample')
    parser.add_argument('--detector', type=Path, metavar='FILE.onnx',
                        help='show the pictures to this detector: boxes in detections.png, and '
                             'what it found of the true objects')
    return parser


def _commands(arguments: argparse.Namespace) -> dict[str, list[str]]:
    """Return the command line of each process, by name."""
    node = [sys.executable, '-m', 'dig2dig_ros.ros.node.fusion_node', '--ros-args']
    if arguments.misaligned:
        node += ['-p', 'registration.refine:=slow']
    for assignment in arguments.set:
        node += ['-p', assignment]
    if arguments.bag:
        node += ['-p', 'use_sim_time:=true']
        return {'node': node, 'replay': [
            sys.executable, '-m', 'dig2dig_ros.cli', 'replay', str(arguments.bag), '--loop']}
    cameras = [sys.executable, '-m', 'dig2dig_ros.ros.synthetic_cameras', '--ros-args',
               '-p', f'rate_hz:={arguments.rate}']
    if arguments.pairs:
        cameras += ['-p', f'pairs:={arguments.pairs.resolve()}']
    if arguments.misaligned:
        cameras += ['-p', f'infrared_homography:={list(KNOCK)}']
    return {'node': node, 'cameras': cameras}


@contextlib.contextmanager
def _running(commands: dict[str, list[str]], folder: Path) -> Iterator[dict]:
    """Start the processes, their output going to files, and end them as Ctrl-C would.

    :raises Failure: where one does not end cleanly.
    """
    with contextlib.ExitStack() as stack:
        processes = {}
        for name, command in commands.items():
            log = stack.enter_context(open(folder / f'{name}.log', 'w', encoding='utf-8'))
            # A shell's background job ignores SIGINT, and what it starts would inherit that.
            processes[name] = subprocess.Popen(
                command, stdout=log, stderr=subprocess.STDOUT,
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
        try:
            yield processes
        finally:
            for process in processes.values():
                process.send_signal(signal.SIGINT)
            for process in processes.values():
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(ENDING_LIMIT_S)
                kill(process)
    for name, process in processes.items():
        if process.wait() not in CLEAN_ENDS:
            raise Failure(f'{name} ended with exit code {process.returncode}:\n'
                          f'{_tail(folder, name)}')


def _tail(folder: Path, name: str) -> str:
    lines = (folder / f'{name}.log').read_text(encoding='utf-8').splitlines()
    return '\n'.join(lines[-15:])


class _Session:
    """Spins the listener while watching the processes."""

    def __init__(self, listener: DemoListener, processes: dict, folder: Path) -> None:
        self._listener = listener
        self._processes = processes
        self._folder = folder
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(listener)

    def spin_until(self, end_s: float) -> None:
        while time.monotonic() < end_s:
            self._executor.spin_once(timeout_sec=0.1)
            for name, process in self._processes.items():
                if process.poll() is not None:
                    raise Failure(f'{name} ended early:\n{_tail(self._folder, name)}')

    def next_moment(self) -> Moment:
        """Wait for a fused frame whose inputs were heard too, newer than those before."""
        end_s = time.monotonic() + LOADING_LIMIT_S
        while (moment := self._listener.take_moment()) is None:
            self.spin_until(time.monotonic() + 0.2)
            if self._listener.failure:
                raise Failure(f'the node says: {self._listener.failure}')
            if time.monotonic() > end_s:
                raise Failure(f'no fused image in {LOADING_LIMIT_S:.0f} s:\n'
                              f'{_tail(self._folder, "node")}')
        return moment


def _listen(arguments: argparse.Namespace, processes: dict,
            listener: DemoListener) -> tuple[list[Moment], str]:
    session = _Session(listener, processes, arguments.output)
    print('== waiting for the first fused image (the engine loads and warms up)', flush=True)
    session.next_moment()
    print(f'== listening for {arguments.seconds:g} s', flush=True)
    listener.fused_count = 0
    listener.latencies_ms.clear()
    start_s = time.monotonic()
    moments = []
    count = MORE_MOMENTS if arguments.detector or arguments.misaligned else MOMENTS
    for number in range(1, count + 1):
        session.spin_until(start_s + arguments.seconds * number / count)
        moments.append(session.next_moment())
    duration_s = time.monotonic() - start_s
    latencies_ms = [] if arguments.bag else listener.latencies_ms
    return moments, table(duration_s, listener.fused_count, latencies_ms, listener.diagnostics)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the demo; the exit code is 0 where it worked, 1 where not, 2 on bad usage."""
    arguments = _parser().parse_args(argv)
    if arguments.seconds is None:
        arguments.seconds = SECONDS_MISALIGNED if arguments.misaligned else SECONDS
    try:
        for path in (arguments.pairs, arguments.bag):
            if path is not None and not path.exists():
                raise InputError(f'{path}: no such file or folder')
        if arguments.misaligned and arguments.bag:
            raise InputError('--misaligned knocks cameras, which --bag has none of')
        detector = OnnxDetector(arguments.detector) if arguments.detector else None
        arguments.output.mkdir(parents=True, exist_ok=True)
        use_image_profile()
        # rclpy's own handlers would invalidate the context under a spin: a traceback.
        rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        listener = DemoListener()
        with _running(_commands(arguments), arguments.output) as processes:
            moments, text = _listen(arguments, processes, listener)
        write_image(arguments.output / 'strip.png', strip(moments[::len(moments) // MOMENTS]))
        if arguments.misaligned:
            picture, figures = misalignment_report(moments, listener.alignment)
            write_image(arguments.output / 'misaligned.png', picture)
            text += f'\n\n{figures}'
        if detector:
            picture, found = detection_report(detector, moments, MOMENTS)
            write_image(arguments.output / 'detections.png', picture)
            text += f'\n\n{found}'
        (arguments.output / 'table.txt').write_text(text + '\n', encoding='utf-8')
    except InputError as error:
        print(f'error: {error}', file=sys.stderr)
        return 2
    except Failure as error:
        print(f'error: {error}', file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    finally:
        rclpy.try_shutdown()
    print(text)
    print(f'== pictures: {arguments.output / "strip.png"}')
    if arguments.misaligned:
        print(f'== before and after: {arguments.output / "misaligned.png"}')
    if detector:
        print(f'== detections: {arguments.output / "detections.png"}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
