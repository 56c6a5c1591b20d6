"""`dig2dig fuse --ray` from and to a bucket, on a local server that speaks S3."""

import os

import pytest

from dig2dig_ros.cli import main
from dig2dig_ros.images import match_folders, write_image

pytest.importorskip('ray', reason='Ray is not installed: pip install "dig2dig[cluster]"')
pytest.importorskip('s3fs', reason='s3fs is not installed')
server = pytest.importorskip('moto.server', reason='moto[server] is not installed')

FAST = ['--mode', 'one-pass', '--levels', '1', '--draws', '1', '--device', 'cpu',
        '--checkpoint', 'tiny']


@pytest.fixture
def bucket(monkeypatch):
    """A bucket of nobody else's; workers find it by the environment."""
    from upath import UPath
    local = server.ThreadedMotoServer('127.0.0.1', port=0)
    local.start()
    host, port = local.get_host_and_port()
    for name, value in (('ENDPOINT_URL', f'http://{host}:{port}'), ('ACCESS_KEY_ID', 'x'),
                        ('SECRET_ACCESS_KEY', 'x'), ('DEFAULT_REGION', 'us-east-1')):
        monkeypatch.setenv(f'AWS_{name}', value)
    place = UPath('s3://fleet/night')
    place.fs.mkdir('fleet')
    yield place
    local.stop()


def test_images_are_fused_in_place(bucket, scene, tmp_path):
    for folder in (bucket, tmp_path):
        for camera, image in zip(('infrared', 'visible'), scene, strict=True):
            for stem in ('a', 'b'):
                write_image(folder / camera / f'{stem}.png', image)
    for folder, ray in ((tmp_path, []), (bucket, ['--ray', '--ray-workers', '2'])):
        assert main(['fuse', *FAST, *ray, '--infrared', f'{folder}/infrared', '--visible',
                     f'{folder}/visible', '--output', f'{folder}/fused']) == 0
    matched, unmatched = match_folders([bucket / 'fused', tmp_path / 'fused'])
    assert unmatched == []
    assert len(matched) == 2
    for _, (remote, local) in matched:
        assert remote.read_bytes() == local.read_bytes()
    assert os.environ['AWS_ENDPOINT_URL'].startswith('http://127.0.0.1')
    assert {path.suffix for path in (bucket / 'fused/.dig2dig').iterdir()} == {'.jsonl'}
