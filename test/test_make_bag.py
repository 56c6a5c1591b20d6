"""make-bag: what is written from folders and videos reads back as it was."""

import cv2
import numpy as np
import pytest

from dig2dig_ros.bag.storage import open_bag
from dig2dig_ros.camera.encodings import read_pixels
from dig2dig_ros.camera.stamps import stamp_ns
from dig2dig_ros.cli import main
from dig2dig_ros.images import write_image

CALIBRATION = """
image_width: 32
image_height: 24
camera_name: thermal
camera_matrix: {rows: 3, cols: 3, data: [40, 0, 16, 0, 41, 12, 0, 0, 1]}
distortion_model: plumb_bob
distortion_coefficients: {rows: 1, cols: 5, data: [0.1, -0.2, 0, 0, 0]}
rectification_matrix: {rows: 3, cols: 3, data: [1, 0, 0, 0, 1, 0, 0, 0, 1]}
projection_matrix: {rows: 3, cols: 4, data: [40, 0, 16, 0, 0, 41, 12, 0, 0, 0, 1, 0]}
"""


def noise(shape, dtype=np.uint8, seed=0):
    return np.random.default_rng(seed).integers(0, np.iinfo(dtype).max, shape, dtype)


@pytest.fixture
def folders(tmp_path):
    """Three pairs, 16-bit infrared and colour, out of step with the order of their making."""
    images = {}
    for name in ('b', 'a', 'c'):
        images[name] = noise((24, 32), np.uint16, ord(name)), noise((24, 32, 3), seed=ord(name))
        write_image(tmp_path / 'ir' / f'{name}.png', images[name][0])
        write_image(tmp_path / 'vi' / f'{name}.tif', images[name][1])
    return tmp_path, images


def make_bag(folder, *options, infrared='ir', visible='vi', output='bag'):
    return main(['make-bag', '--infrared', str(folder / infrared), '--visible',
                 str(folder / visible), '--output', str(folder / output), *options])


def recorded(path):
    """All messages of a bag: topic to (recorded time, message)."""
    found = {}
    with open_bag(path) as reader:
        for connection, time_ns, data in reader.messages():
            found.setdefault(connection.topic, []).append(
                (time_ns, reader.deserialize(data, connection.msgtype)))
    return found


@pytest.mark.parametrize('storage', ['mcap', 'sqlite3'])
def test_folders_become_topics_without_loss(folders, storage):
    folder, images = folders
    assert make_bag(folder, '--storage', storage, '--rate', '20') == 0
    found = recorded(folder / 'bag')
    assert set(found) == {'/infrared/image_raw', '/visible/image_raw'}
    for index, camera, encoding in ((0, 'infrared', 'mono16'), (1, 'visible', 'bgr8')):
        rows = found[f'/{camera}/image_raw']
        for number, (name, (time_ns, message)) in enumerate(zip('abc', rows, strict=True)):
            assert time_ns == stamp_ns(message) == 1_000_000_000 + number * 50_000_000
            assert message.encoding == encoding
            assert message.header.frame_id == f'{camera}_optical_frame'
            np.testing.assert_array_equal(read_pixels(message), images[name][index])


def test_calibration_goes_with_every_frame(folders):
    folder, _ = folders
    (folder / 'thermal.yaml').write_text(CALIBRATION)
    assert make_bag(folder, '--infrared-info', str(folder / 'thermal.yaml')) == 0
    found = recorded(folder / 'bag')
    assert '/visible/camera_info' not in found
    infos = [info for _, info in found['/infrared/camera_info']]
    images = [image for _, image in found['/infrared/image_raw']]
    assert list(map(stamp_ns, infos)) == list(map(stamp_ns, images))
    assert infos[0].header.frame_id == images[0].header.frame_id
    assert (infos[0].width, infos[0].height) == (32, 24)
    assert infos[0].k.tolist() == [40, 0, 16, 0, 41, 12, 0, 0, 1]
    assert infos[0].d.tolist() == [0.1, -0.2, 0, 0, 0]
    assert infos[0].p[5] == 41


def write_video(path, frames, rate_hz=25.0):
    height, width = frames[0].shape[:2]
    video = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*'MJPG'), rate_hz, (width, height))
    for frame in frames:
        video.write(frame)
    video.release()


def flat(level):
    return np.full((48, 64, 3), level, np.uint8)


def test_videos_keep_their_rate_and_infrared_becomes_gray(tmp_path):
    write_video(tmp_path / 'ir.avi', [flat(level) for level in (40, 80, 120, 160)])
    write_video(tmp_path / 'vi.avi', [flat(level) for level in (50, 90, 130, 170)])
    assert make_bag(tmp_path, infrared='ir.avi', visible='vi.avi') == 0
    found = recorded(tmp_path / 'bag')
    stamps = [time_ns for time_ns, _ in found['/visible/image_raw']]
    assert np.diff(stamps).tolist() == [40_000_000] * 3
    means = [read_pixels(message).mean() for _, message in found['/infrared/image_raw']]
    np.testing.assert_allclose(means, [40, 80, 120, 160], atol=2)
    assert found['/infrared/image_raw'][0][1].encoding == 'mono8'


def test_frames_without_a_partner_are_told(folders, capsys):
    folder, _ = folders
    write_image(folder / 'ir' / 'd.png', noise((24, 32)))
    assert make_bag(folder) == 1
    assert 'd has no partner' in capsys.readouterr().err
    assert len(recorded(folder / 'bag')['/infrared/image_raw']) == 3


def test_a_longer_video_is_cut_and_told(tmp_path, capsys):
    write_video(tmp_path / 'ir.avi', [flat(40)] * 3)
    write_video(tmp_path / 'vi.avi', [flat(40)] * 4)
    assert make_bag(tmp_path, infrared='ir.avi', visible='vi.avi') == 1
    assert 'frame 3 of vi.avi has no partner' in capsys.readouterr().err


@pytest.mark.parametrize(('options', 'message'), [
    ({'infrared': 'nowhere'}, 'no such file or folder'),
    ({'visible': 'ir/a.png'}, 'are a folder and a file'),
    ({'infrared': 'ir/a.png', 'visible': 'notes.txt'}, 'not a video'),
    ({'output': 'ir'}, 'exists; give a new folder'),
    ({'output': 'notes.txt/bag'}, 'cannot be made'),
])
def test_wrong_paths_exit_with_2_and_one_line(folders, options, message, capsys):
    folder, _ = folders
    (folder / 'notes.txt').write_text('no video')
    assert make_bag(folder, **options) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert message in error


@pytest.mark.parametrize(('options', 'message'), [
    (['--rate', '0'], '--rate is 0'),
    (['--rate', 'nan'], '--rate is nan'),
    (['--infrared-info', 'nowhere.yaml'], 'nowhere.yaml cannot be read'),
])
def test_wrong_options_leave_no_bag_behind(folders, options, message, capsys):
    folder, _ = folders
    assert make_bag(folder, *options) == 2
    assert message in capsys.readouterr().err
    assert not (folder / 'bag').exists()


@pytest.mark.parametrize('content', ['just text', 'image_width: 3', '{', CALIBRATION.replace(
    '[40, 0, 16, 0, 41, 12, 0, 0, 1]', '[40, 0]')])
def test_what_is_no_calibration_is_refused(folders, content, capsys):
    folder, _ = folders
    (folder / 'bad.yaml').write_text(content)
    assert make_bag(folder, '--visible-info', str(folder / 'bad.yaml')) == 2
    assert 'bad.yaml' in capsys.readouterr().err


def test_an_unreadable_frame_leaves_no_half_bag(folders, capsys):
    folder, _ = folders
    (folder / 'vi' / 'c.tif').write_bytes(b'no image')
    assert make_bag(folder) == 2
    assert 'c.tif' in capsys.readouterr().err
    assert not (folder / 'bag').exists()
