"""`dig2dig evaluate --ray` and `dig2dig study --ray` give what serial runs give."""

import json

import cv2
import numpy as np
import pytest

from dig2dig_ros.cli import main


@pytest.fixture(scope='module')
def place(tmp_path_factory, scene):
    """Six frames of two cameras and of their mean, one of which is broken."""
    place = tmp_path_factory.mktemp('frames')
    for name in ('infrared', 'visible', 'fused'):
        (place / name).mkdir()
    random = np.random.default_rng(0)
    for number in range(6):
        infrared, visible = scene[0], np.roll(scene[1], number // 3, axis=1)
        grain = random.integers(0, 3, infrared.shape).astype(np.uint8)
        fused = cv2.addWeighted(infrared, 0.5, cv2.cvtColor(visible, cv2.COLOR_BGR2GRAY), 0.5, 0)
        for name, image in (('infrared', infrared), ('visible', visible),
                            ('fused', cv2.add(fused, grain))):
            cv2.imwrite(str(place / name / f'{number}.png'), image)
    (place / 'fused/2.png').write_bytes(b'no image')
    return place


def sources(place):
    return ['--infrared', str(place / 'infrared'), '--visible', str(place / 'visible')]


def evaluated(place, report, *more):
    code = main(['evaluate', *sources(place), '--fused', str(place / 'fused'), '--json',
                 str(report), *more])
    assert code == 1
    return json.loads(report.read_text())


@pytest.mark.parametrize('video', [[], ['--video']])
def test_measures_are_those_of_a_serial_run(place, tmp_path, ray_address, monkeypatch, video,
                                            capsys):
    """A video in chunks of two, whose flicker goes on from the chunk before."""
    monkeypatch.setattr('dig2dig_ros.fleet.measures.VIDEO_FRAMES', 2)
    serial = evaluated(place, tmp_path / 'serial.json', *video)
    on_ray = [*video, '--ray', ray_address]
    assert evaluated(place, tmp_path / 'ray.json', *on_ray) == serial
    assert serial['failed'].keys() == {'2'}
    assert 'were done already' not in capsys.readouterr().err
    assert evaluated(place, tmp_path / 'ray.json', *on_ray) == serial
    assert 'were done already' in capsys.readouterr().err


def test_measuring_on_ray_takes_fused_images(place, capsys):
    assert main(['evaluate', *sources(place), '--ray']) == 2
    assert 'dig2dig fuse --ray' in capsys.readouterr().err


@pytest.mark.parametrize('video', [[], ['--video']])
def test_a_study_is_that_of_a_serial_run(place, tmp_path, ray_address, video):
    grid = tmp_path / 'grid.yaml'
    grid.write_text('base: {mode: one-pass, draws: 1}\naxes: {levels: [1, 2]}\n')
    words = ['study', str(grid), *sources(place), '--checkpoint', 'tiny',
             '--device', 'cpu', *video]
    assert main([*words, '--output', str(tmp_path / 'one')]) == 0
    on_ray = [*words, '--output', str(tmp_path / 'two'), '--ray', ray_address]
    assert main(on_ray) == 0
    for cell in ('levels_1', 'levels_2'):
        one, two = (json.loads((tmp_path / run / cell / 'cell.json').read_text())
                    for run in ('one', 'two'))
        for scores in (*one['per_image'].values(), *two['per_image'].values()):
            assert scores.pop('ms') > 0
        assert two == one
        for stem in range(6):
            assert (tmp_path / 'two' / cell / f'{stem}.png').read_bytes() == (
                tmp_path / 'one' / cell / f'{stem}.png').read_bytes()
    assert (tmp_path / 'two/table.md').is_file()
    made = (tmp_path / 'two/levels_1/cell.json').stat().st_mtime_ns
    (tmp_path / 'two/levels_2/cell.json').unlink()
    assert main(on_ray) == 0
    assert (tmp_path / 'two/levels_1/cell.json').stat().st_mtime_ns == made
    assert (tmp_path / 'two/levels_2/cell.json').is_file()
