"""align, calibrate and check-alignment from recordings."""

import json

import cv2
import numpy as np
import pytest
from rendered_boards import lepton_views

from dig2dig_ros.alignment.align import corner_distance
from dig2dig_ros.alignment.frames import TimedPair, change, stillest, thumbnails
from dig2dig_ros.bag import messages
from dig2dig_ros.bag.storage import TYPES, create_bag
from dig2dig_ros.cli import main
from dig2dig_ros.synthetic.street import StreetScene

SIZE = (320, 256)
TOPICS = ('/infrared/image_raw', '/visible/image_raw')
MS = 1_000_000
SHIFT = (7.0, -4.0)


def write(path, rows, storage='mcap'):
    """Write a bag of (camera index, stamp in ms, pixels, codec or '') rows."""
    with create_bag(path, storage) as writer:
        topics = {}
        for side, stamp_ms, image, codec in rows:
            header = messages.header(stamp_ms * MS, 'camera')
            if codec:
                _, data = cv2.imencode(f'.{codec}', image)
                message = TYPES.types[messages.COMPRESSED_IMAGE](header, codec, data.ravel())
            else:
                bits = 8 * image.itemsize
                message = messages.image_message(
                    image, f'mono{bits}' if image.ndim == 2 else f'bgr{bits}', header)
            if side not in topics:
                topics[side] = messages.add_topic(writer, TOPICS[side] + '/compressed' * bool(
                    codec), message.__msgtype__)
            messages.write(writer, topics[side], (stamp_ms + 5) * MS, message)
    return path


@pytest.fixture(scope='module')
def street():
    """Six moments, infrared 7 px to the right and 4 up of where it belongs."""
    away = np.array([[1.0, 0, SHIFT[0]], [0, 1, SHIFT[1]]])
    scene = StreetScene(*SIZE, seed=3)
    moments = [scene.render(2.1 * index, index) for index in range(6)]
    return [(cv2.warpAffine(each.infrared, away, SIZE, borderMode=cv2.BORDER_REFLECT),
             each.visible) for each in moments]


def rows_of(pairs, codecs=('', ''), skew_ms=3, step_ms=2000):
    return [(side, 1000 + step_ms * index + skew_ms * side, pair[side], codecs[side])
            for index, pair in enumerate(pairs) for side in (0, 1)]


@pytest.mark.parametrize(('codecs', 'storage'), [(('', ''), 'mcap'), (('png', 'jpg'), 'sqlite3')])
def test_align_reads_16_bits_and_compressed(street, tmp_path, codecs, storage):
    bag = write(tmp_path / 'bag', rows_of(street, codecs), storage)
    topics = [f'--{camera}-topic={topic}/compressed' for camera, topic in zip(
        ('infrared', 'visible'), TOPICS, strict=True)] if codecs[0] else []
    figures, rig = tmp_path / 'f.json', tmp_path / 'rig.yaml'
    assert main(['align', str(bag), *topics, '--frames', '4', '--json', str(figures),
                 '--output', str(rig)]) == 0
    document = json.loads(figures.read_text())
    truth = np.array([[1, 0, -SHIFT[0]], [0, 1, -SHIFT[1]], [0, 0, 1.0]])
    assert corner_distance(np.array(document['homography']), truth, SIZE) < 1
    assert document['frames'] == 4
    assert rig.exists()


def test_check_alignment_measures_the_shift(street, tmp_path):
    bag = write(tmp_path / 'bag', rows_of(street))
    figures = tmp_path / 'f.json'
    assert main(['check-alignment', str(bag), '--json', str(figures)]) == 0
    grid = json.loads(figures.read_text())['residual_px']
    known = [value for row in grid for value in row if value is not None]
    assert np.median(known) == pytest.approx(np.hypot(*SHIFT), abs=0.6)


def test_calibrate_takes_views_spread_over_the_bag(tmp_path, capsys):
    bag = write(tmp_path / 'bag', rows_of(lepton_views()[:9]))
    options = ['--target', 'chessboard', '--size', '6x4', '--square', '0.055', '--output',
               str(tmp_path / 'rig'), '--json', str(tmp_path / 'f.json')]
    assert main(['calibrate', str(bag), *options, '--frames', '9']) == 0
    document = json.loads((tmp_path / 'f.json').read_text())
    assert document['views']['found'] == 9
    assert document['transfer_px']['median'] < 0.3
    names = {path.name for path in (tmp_path / 'rig').iterdir()}
    assert names == {'infrared.yaml', 'visible.yaml', 'rig.yaml', 'report.html'}
    capsys.readouterr()
    assert main(['calibrate', str(bag), *options[:-4], '--output', str(tmp_path / 'no'),
                 '--frames', '2']) == 2
    assert 'in 2 of 2 views' in capsys.readouterr().err
    assert not (tmp_path / 'no').exists()


@pytest.mark.parametrize('command', ['align', 'check-alignment', 'calibrate'])
@pytest.mark.parametrize(('rows', 'complaint'), [
    ('one camera', 'no images on /visible/image_raw (visible); it has them on '
                   '/infrared/image_raw'),
    ('far apart', 'the last one was 400.0 ms from the other camera: --slop'),
    ('damaged', 'no pair of images can be read')])
def test_a_bag_that_cannot_serve_takes_one_line(street, tmp_path, capsys, command, rows,
                                                complaint):
    rows = {'one camera': lambda: [row for row in rows_of(street[:2]) if row[0] == 0],
            'far apart': lambda: rows_of(street[:3], skew_ms=400),
            'damaged': lambda: rows_of([(np.zeros((0, 0), np.uint8), street[0][1])])}[rows]()
    bag = write(tmp_path / 'bag', rows)
    board = ['--target', 'chessboard', '--size', '6x4', '--square', '0.05', '--output',
             str(tmp_path / 'out')] if command == 'calibrate' else []
    assert main([command, str(bag), *board]) == 2
    error = capsys.readouterr().err.strip()
    assert complaint in error
    assert '\n' not in error
    assert not (tmp_path / 'out').exists()


def test_constant_frames_of_a_bag(street, tmp_path, capsys):
    flat = np.full(SIZE[::-1], 7300, np.uint16)
    bag = write(tmp_path / 'bag', rows_of([(flat, visible) for _, visible in street[:2]]))
    assert main(['align', str(bag), '--output', str(tmp_path / 'rig.yaml')]) == 2
    assert 'infrared frame 1 is flat' in capsys.readouterr().err
    assert not (tmp_path / 'rig.yaml').exists()


@pytest.mark.parametrize('options', [
    [], ['bag', '--live'], ['--infrared', 'a'], ['bag', '--infrared', 'a', '--visible', 'b']])
def test_one_source_is_given(options, capsys):
    assert main(['align', *options]) == 2
    assert 'two folders (--infrared and --visible), or a BAG, or --live' in capsys.readouterr().err


@pytest.mark.parametrize('option', [['--slop', '-1'], ['--frames', '0']])
def test_values_that_cannot_be(option, capsys):
    assert main(['align', 'bag', *option]) == 2
    assert option[0] in capsys.readouterr().err


def test_of_each_second_the_stillest_pair():
    """A square moves by 8, 1 and 6 pixels in the first second and stands in the next."""
    def seen(column):
        image = np.zeros((64, 80), np.uint8)
        image[20:40, column:column + 20] = 200
        return image, image
    columns = [0, 8, 9, 15, 30, 40, 40]
    times_ms = [0, 300, 600, 900, 1000, 1400, 1900]
    pairs = [TimedPair(time_ms * MS, seen(column))
             for time_ms, column in zip(times_ms, columns, strict=True)]
    assert [pair.time_ns for pair in stillest(pairs, 1000 * MS, 0)] == [600 * MS, 1900 * MS]


def test_noise_is_no_change_and_time_is(street):
    random = np.random.default_rng(0)
    first = street[0]
    noisy = tuple((image + random.normal(0, 2, image.shape)).astype(image.dtype)
                  for image in first)
    before = thumbnails(first)
    assert change(before, thumbnails(noisy)) < 0.006
    assert change(before, thumbnails((first[0] + 300, first[1]))) < 1e-3
    assert change(before, thumbnails(street[2])) > 0.012
