"""fuse-bag: every pair fused, inputs copied byte for byte, and what is wrong is told."""

import contextlib
import json
import shutil
import sqlite3
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from rosbags.typesys import get_types_from_msg

from dig2dig_ros.bag import messages
from dig2dig_ros.bag.fuse import Rig, fuse_bag
from dig2dig_ros.bag.storage import TYPES, create_bag, open_bag
from dig2dig_ros.camera.encodings import read_pixels
from dig2dig_ros.camera.preparation import Preparation
from dig2dig_ros.camera.stamps import stamp_ns
from dig2dig_ros.cli import main
from dig2dig_ros.errors import InputError
from dig2dig_ros.images import read_image

TOPICS = ('/infrared/image_raw', '/visible/image_raw')
OUTPUTS = ('/fused/image', '/fused/weights/infrared', '/fused/weights/visible')
MS = 1_000_000
HEIGHT, WIDTH = 24, 32


class MeanFusion:
    """Fuses to the mean, and refuses frames whose infrared is all 99."""

    def __init__(self):
        self.calls = []

    def __call__(self, sources, valid):
        infrared, visible = sources
        if np.all(infrared == 99):
            raise InputError('infrared is 99')
        self.calls.append((sources, valid))
        visible = visible if visible.ndim == 2 else visible.mean(axis=2)
        image = ((infrared.astype(np.float32) + visible) / 2).astype(np.uint8)
        return SimpleNamespace(image=image, weights=np.full((2, *image.shape), 0.5, np.float32))


def rig(topics=TOPICS, slop_ms=20, offset_ms=0, **values):
    return Rig(topics, slop_ms * MS, offset_ms * MS, Preparation(
        {name.replace('__', '.'): value for name, value in values.items()}))


def infrared_at(stamp_ms, level=40):
    return messages.image_message(np.full((HEIGHT, WIDTH), level, np.uint8), 'mono8',
                                  messages.header(stamp_ms * MS, 'thermal'))


def visible_at(stamp_ms, level=80):
    return messages.image_message(np.full((HEIGHT, WIDTH, 3), level, np.uint8), 'bgr8',
                                  messages.header(stamp_ms * MS, 'camera'))


def compressed(message, suffix, text):
    _, data = cv2.imencode(suffix, read_pixels(message))
    return TYPES.types[messages.COMPRESSED_IMAGE](message.header, text, data.ravel())


def write_bag(path, rows, storage='mcap'):
    """Write (topic, recorded time in ms, message) rows."""
    with create_bag(path, storage) as writer:
        connections = {}
        for topic, time_ms, message in rows:
            if topic not in connections:
                connections[topic] = messages.add_topic(writer, topic, message.__msgtype__)
            messages.write(writer, connections[topic], time_ms * MS, message)


def pairs_at(stamps_ms, skew_ms=0):
    rows = []
    for stamp_ms in stamps_ms:
        rows += [(TOPICS[0], stamp_ms + 2, infrared_at(stamp_ms)),
                 (TOPICS[1], stamp_ms + 3, visible_at(stamp_ms + skew_ms))]
    return rows


def raw_messages(path):
    with open_bag(path) as reader:
        return [(connection.topic, time_ns, bytes(data))
                for connection, time_ns, data in reader.messages()]


def recorded(path, topic):
    with open_bag(path) as reader:
        connections = [row for row in reader.connections if row.topic == topic]
        return [(time_ns, reader.deserialize(data, row.msgtype))
                for row, time_ns, data in reader.messages(connections)] if connections else []


def headers(rows):
    return [(stamp_ns(message), message.header.frame_id) for _, message in rows]


@pytest.mark.parametrize('storage', ['mcap', 'sqlite3'])
def test_the_new_bag_holds_the_old_one_and_every_fusion(tmp_path, storage):
    note = TYPES.types['std_msgs/msg/String']('a note')
    rows = [*pairs_at(range(100, 1100, 33), skew_ms=5), ('/note', 150, note)]
    write_bag(tmp_path / 'in', rows, storage)
    report = fuse_bag(tmp_path / 'in', tmp_path / 'out', rig(), MeanFusion())
    assert (report.fused, report.failed, report.dropped) == (31, [], {})
    copied = [row for row in raw_messages(tmp_path / 'out') if row[0] not in OUTPUTS]
    assert sorted(copied) == sorted(raw_messages(tmp_path / 'in'))
    fused = recorded(tmp_path / 'out', '/fused/image')
    visible = recorded(tmp_path / 'in', TOPICS[1])
    assert headers(fused) == headers(visible)
    assert [time_ns for time_ns, _ in fused] == [time_ns for time_ns, _ in visible]
    assert fused[0][1].encoding == 'bgr8'
    assert np.all(read_pixels(fused[0][1]) == 60)
    for topic in OUTPUTS[1:]:
        weights = recorded(tmp_path / 'out', topic)
        assert headers(weights) == headers(visible)
        assert weights[0][1].encoding == '32FC1'
        assert np.all(read_pixels(weights[0][1]) == 0.5)


def test_weights_can_be_left_out(tmp_path):
    write_bag(tmp_path / 'in', pairs_at([100]))
    fuse_bag(tmp_path / 'in', tmp_path / 'out', rig(), MeanFusion(), with_weights=False)
    assert {row[0] for row in raw_messages(tmp_path / 'out')} == {*TOPICS, '/fused/image'}


def test_compressed_and_16_bit_images_fuse(tmp_path):
    ramp = np.linspace(7000, 9000, HEIGHT * WIDTH).reshape(HEIGHT, WIDTH).astype(np.uint16)
    thermal = messages.image_message(ramp, 'mono16', messages.header(100 * MS, 'thermal'))
    topics = tuple(f'{topic}/compressed' for topic in TOPICS)
    write_bag(tmp_path / 'in', [
        (topics[0], 100, compressed(thermal, '.png', 'mono16; png compressed ')),
        (topics[1], 101, compressed(visible_at(100), '.jpg', 'bgr8; jpeg compressed bgr8'))])
    fusion = MeanFusion()
    whole = rig(topics, thermal__low_percentile=0.0, thermal__high_percentile=100.0)
    report = fuse_bag(tmp_path / 'in', tmp_path / 'out', whole, fusion)
    assert (report.fused, report.failed) == (1, [])
    infrared, visible = fusion.calls[0][0]
    np.testing.assert_allclose(infrared, (ramp - 7000.0) / 2000 * 255, atol=1)
    np.testing.assert_allclose(visible, 80, atol=2)


def test_offset_slop_and_homography_apply(tmp_path):
    write_bag(tmp_path / 'in', pairs_at([100, 200], skew_ms=40))
    missed = fuse_bag(tmp_path / 'in', tmp_path / 'no', rig(), MeanFusion())
    assert (missed.dropped, missed.last_miss_ns) == ({'unpaired': 4}, -40 * MS)
    fusion = MeanFusion()
    shifted = rig(slop_ms=0, offset_ms=40,
                  registration__homography=[1, 0, 8, 0, 1, 0, 0, 0, 1])
    assert fuse_bag(tmp_path / 'in', tmp_path / 'out', shifted, fusion).fused == 2
    (infrared, _), (valid, all_valid) = fusion.calls[0]
    assert all_valid is None
    assert not valid[:, :8].any()
    assert valid[:, 8:].all()
    assert np.all(infrared[:, 8:] == 40)


def test_images_without_a_stamp_are_paired_by_recorded_time(tmp_path):
    write_bag(tmp_path / 'in', [
        row for time_ms in (100, 200, 300) for row in
        ((TOPICS[0], time_ms, infrared_at(0)), (TOPICS[1], time_ms + 4, visible_at(0)))])
    assert fuse_bag(tmp_path / 'in', tmp_path / 'out', rig(), MeanFusion()).fused == 3


def test_a_recorded_loop_starts_over(tmp_path):
    rows = [(topic, time_ms + shift, message) for shift in (0, 500)
            for topic, time_ms, message in pairs_at(range(1000, 1300, 33))]
    write_bag(tmp_path / 'in', rows)
    fusion, jumps = MeanFusion(), []
    assert fuse_bag(tmp_path / 'in', tmp_path / 'out', rig(), fusion,
                    on_jump=lambda: jumps.append(len(fusion.calls))).fused == 20
    assert jumps == [10]


def test_bad_pairs_and_messages_are_told_and_do_not_stop_the_rest(tmp_path):
    short = infrared_at(200)
    short.data = short.data[:10]
    rows = [*pairs_at([100, 300]), (TOPICS[0], 200, short), (TOPICS[1], 201, visible_at(200)),
            (TOPICS[0], 400, infrared_at(400, level=99)), (TOPICS[1], 401, visible_at(400))]
    write_bag(tmp_path / 'in', rows)
    report = fuse_bag(tmp_path / 'in', tmp_path / 'out', rig(), MeanFusion())
    assert report.fused == 2
    assert report.failed == [
        f'pair at {200 * MS} ns: infrared image: data has 10 bytes; 24 rows of 32 bytes take 768',
        f'pair at {400 * MS} ns: infrared is 99']
    assert len(recorded(tmp_path / 'out', TOPICS[0])) == 4


def test_garbage_on_an_image_topic_is_told(tmp_path):
    with create_bag(tmp_path / 'in', 'mcap') as writer:
        for topic, message in zip(TOPICS, (infrared_at(100), visible_at(100)), strict=True):
            connection = messages.add_topic(writer, topic, messages.IMAGE)
            messages.write(writer, connection, 100 * MS, message)
            writer.write(connection, 150 * MS, b'\x00\x01\x00\x00garbage')
    report = fuse_bag(tmp_path / 'in', tmp_path / 'out', rig(), MeanFusion())
    assert report.fused == 1
    assert len(report.failed) == 2
    assert TOPICS[0] in report.failed[0]
    assert len(recorded_raw(tmp_path / 'out', TOPICS[0])) == 2


def recorded_raw(path, topic):
    return [row for row in raw_messages(path) if row[0] == topic]


def _custom_bag(path):
    """A recording with a topic of the user's own type."""
    types = get_types_from_msg('uint8 x', 'own_msgs/msg/Own')
    TYPES.register(types)
    write_bag(path, [*pairs_at([100]), ('/own', 90, TYPES.types['own_msgs/msg/Own'](7))],
              'sqlite3')
    TYPES.fielddefs.pop('own_msgs/msg/Own')


def test_types_of_the_users_own_are_copied(tmp_path):
    _custom_bag(tmp_path / 'in')
    report = fuse_bag(tmp_path / 'in', tmp_path / 'out', rig(), MeanFusion())
    assert report.not_copied == []
    assert recorded(tmp_path / 'out', '/own')[0][1].x == 7


def test_a_recording_without_definitions_is_fused_and_what_is_left_out_is_told(tmp_path):
    _custom_bag(tmp_path / 'in')
    with contextlib.closing(sqlite3.connect(tmp_path / 'in' / 'in.db3')) as database, database:
        database.execute('DELETE FROM message_definitions')
    report = fuse_bag(tmp_path / 'in', tmp_path / 'out', rig(), MeanFusion())
    assert report.fused == 1
    assert report.not_copied == ['/own (own_msgs/msg/Own)']
    assert not recorded_raw(tmp_path / 'out', '/own')


def test_a_single_file_can_be_given(tmp_path):
    write_bag(tmp_path / 'in', pairs_at([100]))
    file, = (tmp_path / 'in').glob('*.mcap')
    assert fuse_bag(file, tmp_path / 'out', rig(), MeanFusion()).fused == 1


@pytest.mark.parametrize(('name', 'topics', 'message'), [
    ('in', ('/thermal', TOPICS[1]),
     'no images on /thermal .infrared.; it has them on /infrared/image_raw, /visible/image_raw'),
    ('in', (TOPICS[0], '/note'), r'no images on /note \(visible\)'),
    ('nowhere', TOPICS, 'is no rosbag2'),
    ('empty', TOPICS, 'is no rosbag2'),
    ('broken', TOPICS, 'cannot be read as a rosbag2'),
    ('old.bag', TOPICS, 'ROS 1'),
])
def test_what_cannot_be_fused_is_refused_by_name(tmp_path, name, topics, message):
    write_bag(tmp_path / 'in', [*pairs_at([100]),
                                ('/note', 90, TYPES.types['std_msgs/msg/String']('a note'))])
    (tmp_path / 'empty').mkdir()
    shutil.copytree(tmp_path / 'in', tmp_path / 'broken')
    (tmp_path / 'broken' / 'in.mcap').write_bytes(b'nothing')
    (tmp_path / 'old.bag').write_bytes(b'#ROSBAG V2.0\n')
    with pytest.raises(InputError, match=message):
        fuse_bag(tmp_path / name, tmp_path / 'out', rig(topics), MeanFusion())
    assert not (tmp_path / 'out').exists()


def test_nothing_is_overwritten(tmp_path):
    write_bag(tmp_path / 'in', pairs_at([100]))
    fuse_bag(tmp_path / 'in', tmp_path / 'out', rig(), MeanFusion())
    before = raw_messages(tmp_path / 'out')
    with pytest.raises(InputError, match='exists; give a new folder'):
        fuse_bag(tmp_path / 'in', tmp_path / 'out', rig(), MeanFusion())
    assert raw_messages(tmp_path / 'out') == before
    with pytest.raises(InputError, match='holds /fused/image, .* already'):
        fuse_bag(tmp_path / 'out', tmp_path / 'again', rig(), MeanFusion())


class Interrupted(MeanFusion):
    """Ctrl-C at the third pair."""

    def __call__(self, sources, valid):
        if len(self.calls) == 2:
            raise KeyboardInterrupt
        return super().__call__(sources, valid)


def test_ctrl_c_leaves_a_readable_bag_of_what_is_done(tmp_path):
    write_bag(tmp_path / 'in', pairs_at(range(100, 300, 33)))
    with pytest.raises(KeyboardInterrupt):
        fuse_bag(tmp_path / 'in', tmp_path / 'out', rig(), Interrupted())
    assert len(recorded(tmp_path / 'out', '/fused/image')) == 2


def test_the_command_checks_its_options_before_it_loads_an_engine(tmp_path, capsys):
    for options, message in ((['--slop', '-1'], '--slop is -1'),
                             (['--offset', 'nan'], '--offset is nan'),
                             (['--offset', '1e300'], '--offset is 1e+300'),
                             (['--agc', 'range', '--minimum', '9', '--maximum', '8'],
                              'minimum, maximum'),
                             (['--homography', *'000000000'], 'invertible')):
        assert main(['fuse-bag', str(tmp_path / 'in'), str(tmp_path / 'out'), *options]) == 2
        assert message in capsys.readouterr().err


@pytest.mark.parametrize('options', [[], ['--stream']])
def test_the_command_fuses_with_the_engine(tmp_path, scene, capsys, options):
    infrared, visible = scene
    rows = []
    for stamp_ms in (100, 133, 166):
        rows += [(TOPICS[0], stamp_ms, messages.image_message(
            infrared, 'mono8', messages.header(stamp_ms * MS, 'thermal'))),
                 (TOPICS[1], stamp_ms, messages.image_message(
                     visible, 'bgr8', messages.header(stamp_ms * MS, 'camera')))]
    write_bag(tmp_path / 'in', rows)
    assert main(['fuse-bag', str(tmp_path / 'in'), str(tmp_path / 'out'), '--steps', '2',
                 '--interval', '2', '--device', 'cpu', '--json', str(tmp_path / 'report.json'),
                 '--figures', str(tmp_path / 'figures'), *options]) == 0
    out = capsys.readouterr().out
    assert 'fused 3 pairs' in out
    assert 'flicker' in out
    lines = (tmp_path / 'figures/video.csv').read_text().splitlines()
    assert len(lines) == 4
    assert {'flicker', 'ms', 'weight infrared'} <= set(lines[0].split(','))
    assert read_image(tmp_path / 'figures/video.png').size
    assert json.loads((tmp_path / 'report.json').read_text())['fused'] == 3
    fused = read_pixels(recorded(tmp_path / 'out', '/fused/image')[-1][1]).astype(int)
    assert fused.shape == visible.shape
    blind = visible[60, 40].mean() - visible[60, 100].mean()
    assert fused[60, 40].mean() - fused[60, 100].mean() > blind + 30, 'the warm blob must show'
    weights = [read_pixels(recorded(tmp_path / 'out', topic)[-1][1])
               for topic in OUTPUTS[1:]]
    np.testing.assert_allclose(sum(weights), 1, atol=1e-3)
