"""Full disks and recordings that were cut off: one line, nothing half-written, what is whole read.

A limit on the size of a file stands in for a full disk: the system answers both alike.
"""

import errno
import logging
import shutil
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from dig2dig_ros.bag import messages
from dig2dig_ros.bag.fuse import Rig, fuse_bag
from dig2dig_ros.bag.storage import create_bag, open_bag
from dig2dig_ros.camera.preparation import Preparation
from dig2dig_ros.cli import main
from dig2dig_ros.errors import InputError
from dig2dig_ros.images import write_image

TOPICS = ('/infrared/image_raw', '/visible/image_raw')
PAIRS = 30
LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), int(sys.argv[1])))
"""
IMAGE = """
import numpy
from pathlib import Path
from dig2dig_ros.images import write_image
noise = numpy.random.default_rng(0).integers(0, 255, (64, 64, 3), numpy.uint8)
write_image(Path(sys.argv[2]), noise)
"""
COMMAND = 'from dig2dig_ros.cli import main; sys.exit(main(sys.argv[2:]))'


def limited(size, code, *arguments):
    """Run code where no file can become larger."""
    return subprocess.run([sys.executable, '-c', LIMITED + code, str(size), *map(str, arguments)],
                          capture_output=True, text=True)


def write_bag(path, storage='mcap'):
    """Pairs of noise, so that compression gains nothing; 100 kB each."""
    noise = np.random.default_rng(0)
    with create_bag(path, storage) as writer:
        connections = [messages.add_topic(writer, topic, messages.IMAGE) for topic in TOPICS]
        for number in range(PAIRS):
            stamp_ns = 10**9 + number * 33_000_000
            for connection, encoding, shape in zip(
                    connections, ('mono8', 'bgr8'), ((128, 200), (128, 200, 3)), strict=True):
                messages.write(writer, connection, stamp_ns, messages.image_message(
                    noise.integers(0, 255, shape, np.uint8), encoding,
                    messages.header(stamp_ns, 'camera')))
    return path


def infrared_only(sources, valid):
    return SimpleNamespace(image=sources[0], weights=np.ones((2, *sources[0].shape), np.float32))


def rig():
    return Rig(TOPICS, 20_000_000, 0, Preparation({}))


@pytest.mark.parametrize('storage', ['mcap', 'sqlite3'])
def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path, storage):
    noise = np.random.default_rng(0)
    for name in ('ir', 'vi'):
        (tmp_path / name).mkdir()
        for stem in range(4):
            write_image(tmp_path / name / f'{stem}.png',
                        noise.integers(0, 255, (200, 200), np.uint8))
    done = limited(100_000, COMMAND, 'make-bag', '--infrared', tmp_path / 'ir', '--visible',
                   tmp_path / 'vi', '--output', tmp_path / 'out', '--storage', storage)
    assert done.returncode == 2, done.stderr
    assert 'Traceback' not in done.stderr
    line = done.stderr.strip().rpartition('\n')[2]
    assert line.startswith(f'dig2dig make-bag: error: {tmp_path}/out: ')
    assert line.endswith(' MB; nothing of it is left')
    assert not (tmp_path / 'out').exists()


def test_an_image_that_does_not_fit_leaves_nothing(tmp_path):
    done = limited(2_000, IMAGE, tmp_path / 'out.png')
    assert done.stderr.strip().rpartition('\n')[2] == (
        f'dig2dig_ros.errors.InputError: {tmp_path}/out.png: cannot be written (File too large)')
    assert not (tmp_path / 'out.png').exists()


def test_any_other_file_that_cannot_be_written_is_one_line(tmp_path, capsys, monkeypatch):
    def run(arguments):
        raise OSError(errno.ENOSPC, 'No space left on device', 'report.json')
    monkeypatch.setattr('dig2dig_ros.commands.make_bag.run', run)
    assert main(['make-bag', '--infrared', 'a', '--visible', 'b', '--output', 'c']) == 2
    assert capsys.readouterr().err == (
        'dig2dig make-bag: error: report.json: No space left on device\n')


def test_a_small_disk_is_refused_at_the_first_pair(tmp_path, monkeypatch):
    write_bag(tmp_path / 'in')
    calls = []

    def fuse(sources, valid):
        calls.append(sources)
        return infrared_only(sources, valid)

    monkeypatch.setattr(shutil, 'disk_usage', lambda path: SimpleNamespace(free=10**6))
    # 30 pairs of 128 x 200 pixels, each 3 + 2 * 4 bytes, beside the 3 MB of the input.
    with pytest.raises(InputError, match=r'about 12 MB are needed and 1 MB are free'):
        fuse_bag(tmp_path / 'in', tmp_path / 'out', rig(), fuse)
    assert len(calls) == 1
    assert not (tmp_path / 'out').exists()


def cut(bag, share):
    """Leave a share of a bag's file and no metadata.yaml, as a power loss does."""
    (bag / 'metadata.yaml').unlink()
    (file,) = bag.iterdir()
    with open(file, 'r+b') as content:
        content.truncate(int(share * file.stat().st_size))
    return file


@pytest.mark.parametrize('kind', ['folder', 'file'])
def test_a_recording_that_was_cut_off_is_read_as_far_as_it_is_whole(tmp_path, caplog, kind):
    bag = write_bag(tmp_path / 'in')
    with open_bag(bag) as reader:
        whole = [(connection.topic, stamp, bytes(data))
                 for connection, stamp, data in reader.messages()]
    file = cut(bag, 0.9)
    with caplog.at_level(logging.WARNING), open_bag(bag if kind == 'folder' else file) as reader:
        read = [(connection.topic, stamp, bytes(data))
                for connection, stamp, data in reader.messages()]
    assert 0 < len(read) < len(whole)
    assert read == whole[:len(read)]
    assert f'{file} was cut off' in caplog.text
    report = fuse_bag(bag if kind == 'folder' else file, tmp_path / 'out', rig(), infrared_only)
    assert report.fused == sum(topic == TOPICS[1] for topic, _, _ in read) > 0


def test_a_recording_that_is_cut_off_before_its_first_image_has_no_images(tmp_path):
    cut(write_bag(tmp_path / 'in'), 0.0005)
    with pytest.raises(InputError, match='no images on /infrared/image_raw'):
        fuse_bag(tmp_path / 'in', tmp_path / 'out', rig(), infrared_only)


def test_a_damaged_database_names_the_tool_that_recovers_it(tmp_path):
    bag = write_bag(tmp_path / 'in', 'sqlite3')
    file = cut(bag, 0.5)
    with pytest.raises(InputError, match='sqlite3 FILE .recover'), open_bag(file) as reader:
        list(reader.messages())
