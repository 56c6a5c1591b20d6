"""A recording fused in segments of time holds what one fused at once holds, in the same order."""

from types import SimpleNamespace

import numpy as np
import pytest
from bag_content import content

from dig2dig_ros.bag import messages
from dig2dig_ros.bag.fuse import Rig, fuse_bag
from dig2dig_ros.bag.plan import plan_bag
from dig2dig_ros.bag.segments import fuse_segment, join_segments
from dig2dig_ros.bag.storage import TYPES, copy_connection, create_bag, open_bag
from dig2dig_ros.camera.preparation import Preparation
from dig2dig_ros.errors import InputError

TOPICS = ('/infrared/image_raw', '/visible/image_raw')
MS = 1_000_000
SECOND = 1000 * MS


def mean(sources, valid):
    infrared, visible = sources
    if np.all(infrared == 99):
        raise InputError('infrared is 99')
    image = ((infrared.astype(np.float32) + visible) / 2).astype(np.uint8)
    return SimpleNamespace(image=image, weights=np.full((2, *image.shape), 0.5, np.float32))


def rig():
    return Rig(TOPICS, 20 * MS, 0, Preparation({}))


def image(stamp_ms, pixels):
    encoding = 'mono16' if pixels.dtype == np.uint16 else 'mono8'
    return messages.image_message(pixels, encoding, messages.header(stamp_ms * MS, 'camera'))


def rows(dtype=np.uint8, jump_ms=None):
    """Pairs at 30 Hz for four seconds; imu notes at the times of pairs and between them."""
    random = np.random.default_rng(0)
    for number in range(120):
        time_ms = 1000 + number * 33
        stamp_ms = time_ms if jump_ms is None or time_ms < jump_ms else time_ms - 900
        if number == 77:
            infrared = np.full((16, 24), 99, dtype)
        else:
            infrared = random.integers(0, 200, (16, 24)).astype(dtype) * (1 + number // 9)
        yield TOPICS[0], time_ms - 3, image(stamp_ms - 2, infrared)
        yield '/note', time_ms, TYPES.types['std_msgs/msg/String'](f'before {number}')
        if number % 11 != 10:
            yield TOPICS[1], time_ms, image(stamp_ms, random.integers(
                0, 255, (16, 24), dtype=np.uint8))
        yield '/note', time_ms, TYPES.types['std_msgs/msg/String'](f'after {number}')


def write_bag(path, content, storage='mcap'):
    with create_bag(path, storage) as writer:
        connections = {}
        for topic, time_ms, message in content:
            if topic not in connections:
                connections[topic] = messages.add_topic(writer, topic, message.__msgtype__)
            messages.write(writer, connections[topic], time_ms * MS, message)
    return path


def in_segments(source, target, fuse=mean, warm_up=0, on_jump=lambda: None):
    plan = plan_bag(source, rig(), SECOND, warm_up)
    parts, reports = [], []
    for number, segment in enumerate(plan.segments):
        parts.append(target.parent / f'part{number}')
        reports.append(fuse_segment(source, parts[-1], segment, rig(), fuse, on_jump))
    join_segments(parts, target)
    return plan, reports


@pytest.mark.parametrize('storage', ['mcap', 'sqlite3'])
@pytest.mark.parametrize(('dtype', 'jump_ms'), [(np.uint8, None), (np.uint16, 3200)])
def test_segments_hold_what_one_run_holds(tmp_path, storage, dtype, jump_ms):
    """Raw infrared too, whose gain is carried on, and across a jump back in time."""
    source = write_bag(tmp_path / 'in', rows(dtype, jump_ms), storage)
    whole = fuse_bag(source, tmp_path / 'whole', rig(), mean)
    plan, reports = in_segments(source, tmp_path / 'cut')
    assert content(tmp_path / 'cut') == content(tmp_path / 'whole')
    assert len(plan.segments) == 4
    assert sum(report.fused for report in reports) == whole.fused
    assert sum((report.failed for report in reports), plan.report.failed) == whole.failed
    assert len(whole.failed) == 1 if dtype == np.uint8 else whole.fused > 100
    assert plan.report.dropped == whole.dropped
    with open_bag(tmp_path / 'cut') as cut, open_bag(tmp_path / 'whole') as one:
        assert (cut.message_count, cut.duration, cut.start_time) == (
            one.message_count, one.duration, one.start_time)
        assert [(row.topic, row.msgcount) for row in cut.connections] == [
            (row.topic, row.msgcount) for row in one.connections]
    assert sorted(path.suffix for path in (tmp_path / 'cut').iterdir()) == sorted([
        '.yaml', *['.db3' if storage == 'sqlite3' else '.mcap'] * 4])


def test_quality_of_service_is_kept(tmp_path):
    from rosbags.interfaces import Qos, QosDurability, QosHistory, QosLiveliness, QosReliability
    from rosbags.interfaces import QosTime as Time
    never = Time(2147483647, 4294967295)
    latched = Qos(QosHistory.KEEP_LAST, 1, QosReliability.RELIABLE, QosDurability.TRANSIENT_LOCAL,
                  never, never, QosLiveliness.AUTOMATIC, never, False)
    plain = write_bag(tmp_path / 'plain', rows())
    with open_bag(plain) as reader, create_bag(tmp_path / 'in', 'mcap') as writer:
        copies = {source.id: copy_connection(writer, reader, source._replace(
            ext=source.ext._replace(offered_qos_profiles=[latched])))
            for source in reader.connections}
        for source, time_ns, data in reader.messages():
            writer.write(copies[source.id], time_ns, data)
    in_segments(tmp_path / 'in', tmp_path / 'cut')
    profiles = {row[0]: row[2] for row in content(tmp_path / 'cut')}
    assert profiles['/note'] == [latched]


def test_a_stream_warms_up_on_the_pairs_before_its_segment(tmp_path):
    source = write_bag(tmp_path / 'in', rows(jump_ms=3200))
    seen, jumps = [], []

    def follow(sources, valid):
        seen.append(int(sources[1].sum()))
        return mean(sources, valid)

    fuse_bag(source, tmp_path / 'whole', rig(), follow)
    all_in_order = seen.copy()
    plan = plan_bag(source, rig(), SECOND, warm_up=10)
    assert [len(segment.warm_up) for segment in plan.segments] == [0, 10, 10, 10]
    for segment in plan.segments:
        seen.clear()
        fuse_segment(source, tmp_path / f'part{segment.first}', segment, rig(), follow,
                     lambda: jumps.append(len(seen)))
        first = all_in_order.index(seen[0])
        assert seen == all_in_order[first:first + len(seen)]
    assert len(jumps) == 1 or (len(jumps) == 2 and jumps[1] < 10)


def test_short_and_disordered_recordings_are_not_cut(tmp_path):
    short = write_bag(tmp_path / 'short', [row for row in rows() if row[1] < 2400])
    assert plan_bag(short, rig(), SECOND) is None
    write_bag(tmp_path / 'b', rows())
    ahead = tmp_path / 'ahead'
    join_segments([tmp_path / 'b', write_bag(tmp_path / 'a', [
        row for row in rows() if row[1] < 1500])], ahead)
    assert plan_bag(ahead, rig(), SECOND) is None


def test_raw_images_that_come_late_are_refused_by_name(tmp_path):
    late = [row for row in rows() if row[1] < 3000]
    late += [row for row in rows(np.uint16) if row[1] >= 3000]
    source = write_bag(tmp_path / 'in', late)
    plan = plan_bag(source, rig(), SECOND)
    with pytest.raises(InputError, match='give --segment 0'):
        fuse_segment(source, tmp_path / 'part', plan.segments[-1], rig(), mean)
    assert not (tmp_path / 'part').exists()
