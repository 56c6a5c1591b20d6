"""The `dig2dig` command: finds the sub-command and turns user errors into one clear line."""

import argparse
import errno
import importlib
import sys
from collections.abc import Sequence
from typing import NoReturn

from dig2dig_ros.cpu_threads import let_idle_threads_sleep
from dig2dig_ros.errors import InputError

# name: (module below dig2dig_ros.commands, one-line help). A module has
# `configure(parser)` and `run(arguments) -> int`; only the one called is imported, so that
# `dig2dig --help` and the bag commands start without torch.
COMMANDS = {
    'fuse': ('fuse', 'fuse images or folders of images'),
    'evaluate': ('evaluate', 'measure fused images against their sources'),
    'benchmark': ('benchmark', 'measure speed and memory of the engine'),
    'study': ('study', "run a grid over the engine's settings on a folder of pairs"),
    'detect-check': ('detect_check', 'count what a detector finds in the sources and the fusion'),
    'train': ('train', 'train a prior from folders of images'),
    'make-bag': ('make_bag', 'write a rosbag2 from folders or videos'),
    'replay': ('replay', 'publish the images of a rosbag2 with /clock'),
    'check-alignment': ('check_alignment', 'see how well two cameras are aligned'),
    'calibrate': ('calibrate', 'calibrate two cameras from views of a board'),
    'align': ('align', 'find how two cameras lie on each other, without a target'),
    'fuse-bag': ('fuse_bag', 'fuse the two cameras of a rosbag2 into a new one'),
}
# Packages, by their import names, that come with an extra: a robot can do without them, or has
# them from elsewhere.
EXTRAS = {
    'bag': ('rosbags', 'ruamel'),
    'evaluation': ('matplotlib', 'onnxruntime', 'pycocotools', 'skimage', 'yaml'),
    'ros': ('builtin_interfaces', 'diagnostic_msgs', 'geometry_msgs', 'lifecycle_msgs',
            'rcl_interfaces', 'rclpy', 'rosgraph_msgs', 'sensor_msgs', 'std_msgs'),
}

# What a place that cannot be written answers: full, over quota, read-only, another user's.
_STORAGE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES)


class _Parser(argparse.ArgumentParser):
    """Says in one line what is wrong: the usage of a command with all settings is a page."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f'{self.prog}: error: {message}; see {self.prog} --help\n')


def _parser(chosen: str | None) -> argparse.ArgumentParser:
    parser = _Parser(
        prog='dig2dig', description='Fuse infrared and visible images with Dig2DIG.')
    commands = parser.add_subparsers(dest='command', metavar='COMMAND', required=True)
    for name, (module_name, summary) in COMMANDS.items():
        command = commands.add_parser(
            name, help=summary, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
        if name == chosen:
            module = importlib.import_module(f'dig2dig_ros.commands.{module_name}')
            command.description = module.__doc__
            module.configure(command)
            command.set_defaults(run=module.run)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one sub-command.

    :returns: the exit code: 0, 1 where part of the work failed, 2 on bad usage or bad input,
        130 on Ctrl-C.
    """
    argv = sys.argv[1:] if argv is None else list(argv)
    let_idle_threads_sleep()
    chosen = argv[0] if argv and argv[0] in COMMANDS else None
    try:
        arguments = _parser(chosen).parse_args(argv)
        return arguments.run(arguments)
    except InputError as error:
        print(f'dig2dig {chosen}: error: {error}', file=sys.stderr)
        return 2
    except ModuleNotFoundError as error:
        package = (error.name or '').partition('.')[0]
        if package == 'dig2dig_ros':
            raise
        extra = next((name for name, brought in EXTRAS.items() if package in brought), None)
        wanted = f'"dig2dig[{extra}]"' if extra else package
        print(f'dig2dig {chosen}: error: needs the Python package {error.name}; '
              f'pip install {wanted} brings it', file=sys.stderr)
        return 2
    except OSError as error:
        if error.errno not in _STORAGE:
            raise
        name = f'{error.filename}: ' if error.filename else ''
        print(f'dig2dig {chosen}: error: {name}{error.strerror}', file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


if __name__ == '__main__':
    sys.exit(main())
