"""Files by path and by URL: found, read, written whole."""

import errno
from pathlib import Path

import numpy as np
import pytest

from dig2dig_ros.errors import InputError
from dig2dig_ros.images import match_folders, read_image, write_image
from dig2dig_ros.locations import (
    BadLocation,
    is_remote,
    location,
    output_file,
    output_folder,
    signatures,
    write_bytes,
)


@pytest.fixture
def box():
    """A folder in fsspec's memory."""
    pytest.importorskip('upath', reason='upath is not installed: pip install "dig2dig[cluster]"')
    place = location('memory://box/fused')
    yield place
    place.fs.rm('/box', recursive=True)


def test_paths_and_file_urls_are_local():
    assert location('some/folder') == Path('some/folder')
    assert location('file:///some/a%20folder') == Path('/some/a folder')
    assert not is_remote(location('file:///x'))


@pytest.mark.needs('upath')
def test_urls_of_unknown_schemes_are_refused():
    with pytest.raises(InputError, match='nope://x: .*nope'):
        location('nope://x')


def test_images_are_written_and_matched_by_url(box, scene, tmp_path):
    assert is_remote(box)
    for index, folder in enumerate((box, tmp_path)):
        write_image(folder / 'a.png', scene[1])
        write_image(folder / f'{index}.png', scene[0])
    np.testing.assert_array_equal(read_image(box / 'a.png'), scene[1])
    assert (box / 'a.png').read_bytes() == (tmp_path / 'a.png').read_bytes()
    matched, unmatched = match_folders([box, tmp_path])
    assert matched == [('a', [box / 'a.png', tmp_path / 'a.png'])]
    assert unmatched == ['0', '1']
    with pytest.raises(InputError, match='b.png: no such file'):
        read_image(box / 'b.png')


@pytest.mark.parametrize('remote', [False, True])
def test_a_signature_tells_that_a_file_changed(tmp_path, request, remote):
    folder = request.getfixturevalue('box') if remote else tmp_path / 'made'
    assert signatures(folder) == {}
    write_bytes(folder / 'a', b'one')
    write_bytes(folder / 'b', b'two')
    first = signatures(folder)
    assert first.keys() == {'a', 'b'}
    assert signatures(folder) == first
    write_bytes(folder / 'a', b'another')
    second = signatures(folder)
    assert second['a'] != first['a']
    assert second['b'] == first['b']


def test_where_output_can_go_is_known_beforehand(tmp_path, monkeypatch):
    (tmp_path / 'file').write_text('')
    below = tmp_path / 'new/folder/file'
    assert output_file(str(below)) == below
    assert output_folder(str(below)) == below
    monkeypatch.chdir(tmp_path)
    assert output_file('file') == Path('file')
    assert not (tmp_path / 'new').exists()
    with pytest.raises(BadLocation, match=f'{tmp_path} is a folder; give a file'):
        output_file(str(tmp_path))
    for refused in (output_folder, lambda text: output_file(f'{text}/below')):
        with pytest.raises(BadLocation, match='file is a file; a folder is needed'):
            refused('file')
    monkeypatch.setattr('os.access', lambda path, mode: False)
    with pytest.raises(BadLocation, match='is a folder that cannot be written'):
        output_file('new')


def test_a_write_that_fails_leaves_what_was_there(tmp_path, monkeypatch):
    write_bytes(tmp_path / 'a', b'old')
    write_part = Path.write_bytes

    def full(path, data):
        write_part(path, data[:2])
        raise OSError(errno.ENOSPC, 'No space left on device')

    monkeypatch.setattr(Path, 'write_bytes', full)
    with pytest.raises(InputError, match=r'a: cannot be written \(No space left on device\)'):
        write_bytes(tmp_path / 'a', b'new')
    monkeypatch.undo()
    assert [path.name for path in tmp_path.iterdir()] == ['a']
    assert (tmp_path / 'a').read_bytes() == b'old'
