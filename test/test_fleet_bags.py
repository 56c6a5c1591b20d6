"""`dig2dig fuse-bag --ray`: many bags, one cut into segments, by URL; on a real Ray."""

import json
import shutil

import numpy as np
import pytest
from bag_content import content

from dig2dig_ros.bag import messages
from dig2dig_ros.bag.storage import create_bag
from dig2dig_ros.cli import main
from dig2dig_ros.fleet.bag_run import find_bags

FAST = ['--mode', 'one-pass', '--levels', '1', '--draws', '1', '--device', 'cpu',
        '--checkpoint', 'tiny']
SECOND = 1_000_000_000


@pytest.fixture
def on_ray(ray_address):
    """The options that spread the work over two workers."""
    return ['--ray', ray_address, '--ray-workers', '2', '--segment', '1']


@pytest.fixture(scope='module')
def bag(tmp_path_factory, scene):
    """Three seconds of a scene that moves, with raw infrared that warms up."""
    place = tmp_path_factory.mktemp('bags') / 'long'
    infrared, visible = scene
    with create_bag(place, 'mcap') as writer:
        topics = [messages.add_topic(writer, f'/{camera}/image_raw', messages.IMAGE)
                  for camera in ('infrared', 'visible')]
        for number in range(30):
            time_ns = SECOND + number * SECOND // 10
            raw = np.roll(infrared, number, axis=1).astype(np.uint16) * (20 + number) + 3000
            for topic, pixels, encoding in ((topics[0], raw, 'mono16'),
                                            (topics[1], np.roll(visible, number, 1), 'bgr8')):
                messages.write(writer, topic, time_ns, messages.image_message(
                    pixels, encoding, messages.header(time_ns, 'camera')))
    return place


def fuse(*words):
    return main(['fuse-bag', *map(str, words), *FAST])


@pytest.fixture(scope='module')
def serial(bag, tmp_path_factory):
    """What one process makes of the bag."""
    place = tmp_path_factory.mktemp('serial') / 'fused'
    assert fuse(bag, place) == 0
    return content(place)


def test_many_bags_become_what_serial_runs_make_of_them(bag, serial, tmp_path, on_ray, capsys):
    many = tmp_path / 'many'
    shutil.copytree(bag, many / 'long')
    shutil.copytree(bag, many / 'broken')
    (many / 'broken/long.mcap').write_bytes(b'nothing')
    shutil.copyfile(bag / 'long.mcap', many / 'file.mcap')
    report = tmp_path / 'report.json'
    assert fuse(many, tmp_path / 'out', *on_ray, '--json', report) == 1
    for name in ('long', 'file'):
        assert content(tmp_path / 'out' / name) == serial
    assert len(list((tmp_path / 'out/long').glob('*.mcap'))) == 3
    found = json.loads(report.read_text())
    assert [entry['fused'] for entry in found['bags']] == [30, 30]
    assert [entry['input'] for entry in found['failed']] == [str(many / 'broken')]
    assert 'cannot be read as a rosbag2' in found['failed'][0]['error']
    assert f'failed: {many}/broken: ' in capsys.readouterr().err
    assert sorted(path.name for path in (tmp_path / 'out').iterdir()) == ['file', 'long']

    made = (tmp_path / 'out/long/metadata.yaml').stat().st_mtime_ns
    shutil.rmtree(tmp_path / 'out/file')
    assert fuse(many, tmp_path / 'out', *on_ray) == 1
    assert '1 of 3 were done already' in capsys.readouterr().err
    assert (tmp_path / 'out/long/metadata.yaml').stat().st_mtime_ns == made
    assert content(tmp_path / 'out/file') == serial


def test_what_is_there_is_not_written_over(bag, tmp_path, capsys):
    """Refused before a worker is asked for: nobody answers at that address."""
    shutil.copytree(bag, tmp_path / 'out')
    assert fuse(bag, tmp_path / 'out', '--ray', '127.0.0.1:1', '--segment', '1') == 2
    assert 'exists and was made from something else' in capsys.readouterr().err
    assert content(tmp_path / 'out') == content(bag)
    assert [path.name for path in tmp_path.iterdir()] == ['out']


def test_a_finished_segment_is_not_made_again(bag, serial, tmp_path, on_ray, monkeypatch):
    from dig2dig_ros.fleet import bags
    # What a run leaves that is stopped between its second and its third segment.
    monkeypatch.setattr('dig2dig_ros.fleet.bag_run.BagRun._join', lambda *_: ())
    assert fuse(bag, tmp_path / 'out', *on_ray) == 2
    monkeypatch.undo()
    (parts,) = tmp_path.glob('.out.*.parts')
    shutil.rmtree(parts / '00002')
    kept = (parts / '00001' / bags.MARK).stat()
    inode = (parts / '00001' / '00001.mcap').stat().st_ino
    assert kept.st_size
    assert fuse(bag, tmp_path / 'out', *on_ray) == 0
    assert content(tmp_path / 'out') == serial
    assert (tmp_path / 'out/out_1.mcap').stat().st_ino == inode
    assert not list(tmp_path.glob('.out*'))


def test_a_stream_is_close_to_the_serial_one_across_a_border(bag, tmp_path, on_ray):
    """Ten pairs of warm-up here; the pictures differ by less than a grey level in the mean."""
    assert fuse(bag, tmp_path / 'serial', '--stream', '--no-weights') == 0
    assert fuse(bag, tmp_path / 'cut', '--stream', '--no-weights', *on_ray) == 0
    serial, cut = content(tmp_path / 'serial'), content(tmp_path / 'cut')
    assert [row[:4] for row in cut] == [row[:4] for row in serial]
    differences = [np.abs(np.frombuffer(one[4], np.uint8)[-36864:].astype(int)
                          - np.frombuffer(other[4], np.uint8)[-36864:]).mean()
                   for one, other in zip(cut, serial, strict=True) if one[0] == '/fused/image']
    assert len(differences) == 30
    assert max(differences) < 1


def test_bags_are_told_from_folders_of_bags(tmp_path, bag):
    for name in ('split/split_0.mcap', 'split/split_1.mcap', 'night/a/metadata.yaml',
                 'night/.hidden/x.mcap', 'night/b.db3', 'night/notes.txt'):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    out = tmp_path / 'out'
    assert find_bags([bag], out) == [(bag, out)]
    assert find_bags([tmp_path / 'split'], out) == [(tmp_path / 'split', out)]
    assert find_bags([tmp_path / 'night', bag], out) == [
        (tmp_path / 'night/a', out / 'a'), (tmp_path / 'night/b.db3', out / 'b'),
        (bag, out / 'long')]


@pytest.mark.needs('upath')
def test_a_bag_is_fetched_and_put_by_url(bag, tmp_path, scene):
    """In one process, since fsspec's memory is; workers run the same job."""
    from dig2dig_ros.bag.fuse import Rig
    from dig2dig_ros.camera.preparation import Preparation
    from dig2dig_ros.engine import FusionSettings
    from dig2dig_ros.fleet.bags import BagJob, Step, marked
    from dig2dig_ros.fleet.engines import EngineChoice
    from dig2dig_ros.locations import location
    source, target = location('memory://in/long'), location('memory://out/fused')
    source.fs.put(str(bag), source.path, recursive=True)
    rig = Rig(('/infrared/image_raw', '/visible/image_raw'), 20_000_000, 0, Preparation({}))
    settings = FusionSettings(mode='one-pass', levels=1, draws=1)
    job = BagJob(EngineChoice(settings, 'tiny', 'cpu'), rig, False, False, 1.0)
    report = job.open()(Step(source, target, '{}'))
    assert report.fused == 30
    assert marked(target, '{}') == report
    assert marked(target, '{"steps": 3}') is None
    target.fs.get(target.path, str(tmp_path / 'fetched'), recursive=True)
    assert len(content(tmp_path / 'fetched')) == 90


def test_several_bags_and_urls_need_ray(bag, tmp_path, capsys):
    assert fuse(bag, bag, tmp_path / 'out') == 2
    assert 'several need --ray' in capsys.readouterr().err
