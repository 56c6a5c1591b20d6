"""`dig2dig evaluate` end to end, and its tables."""

import csv
import json
import sys

import cv2
import numpy as np
import pytest

from dig2dig_ros.cli import main
from dig2dig_ros.evaluation.metrics import measure
from dig2dig_ros.evaluation.pages import fill, markdown_table
from dig2dig_ros.evaluation.tables import comparison, markdown, ranks


@pytest.fixture
def folders(tmp_path, scene):
    """Sources a, b and the fused images of two methods, all as PNG."""
    infrared, visible = scene
    grey = cv2.cvtColor(visible, cv2.COLOR_BGR2GRAY)
    images = {'infrared': infrared, 'visible': visible, 'mean': infrared // 2 + grey // 2,
              'max': np.maximum(infrared, grey)}
    for folder, image in images.items():
        (tmp_path / folder).mkdir()
        cv2.imwrite(str(tmp_path / folder / 'a.png'), image)
        cv2.imwrite(str(tmp_path / folder / 'b.png'), image[::-1, ::-1])
    return tmp_path


def evaluate(folder, *fused, options=()):
    arguments = ['evaluate', '--infrared', str(folder / 'infrared'),
                 '--visible', str(folder / 'visible'), '--json', str(folder / 'out.json')]
    for one in fused:
        arguments += ['--fused', one]
    code = main([*arguments, *options])
    path = folder / 'out.json'
    return code, json.loads(path.read_text()) if path.exists() else None


def test_json_has_each_image_and_the_mean(folders, scene):
    code, document = evaluate(folders, str(folders / 'mean'))
    assert code == 0
    per_image = document['metrics']['per_image']
    fused = cv2.imread(str(folders / 'mean/a.png'), cv2.IMREAD_UNCHANGED)
    assert per_image['a'] == pytest.approx(measure(fused, scene))
    for name, value in document['metrics']['mean'].items():
        assert value == pytest.approx((per_image['a'][name] + per_image['b'][name]) / 2)


def test_methods_side_by_side(folders, capsys):
    code, document = evaluate(folders, str(folders / 'mean'), f'brightest={folders / "max"}',
                              options=['--csv', str(folders / 'out.csv')])
    assert code == 0
    assert list(document['methods']) == ['mean', 'brightest']
    assert document['metrics'] == document['methods']['mean']
    table = capsys.readouterr().out
    assert [line for line in table.splitlines() if line.startswith('MSE')][0].count('*') == 1
    with (folders / 'out.csv').open() as file:
        rows = list(csv.DictReader(file))
    assert [(row['method'], row['image']) for row in rows] == [
        ('mean', 'a'), ('mean', 'b'), ('brightest', 'a'), ('brightest', 'b')]
    assert float(rows[0]['CC']) == document['methods']['mean']['per_image']['a']['CC']


def test_sources_in_place_of_the_pair(folders):
    code = main(['evaluate', '--sources', *(str(folders / name) for name in
                                            ('infrared', 'visible', 'max')),
                 '--fused', str(folders / 'mean'), '--json', str(folders / 'three.json')])
    assert code == 0
    three = json.loads((folders / 'three.json').read_text())['metrics']['mean']
    _, two = evaluate(folders, str(folders / 'mean'))
    assert three['SSIM'] > two['metrics']['mean']['SSIM']


def test_a_bad_image_is_reported_and_the_rest_measured(folders, capsys):
    (folders / 'mean/b.png').write_bytes(b'no image')
    code, document = evaluate(folders, str(folders / 'mean'))
    assert code == 1
    assert list(document['metrics']['per_image']) == ['a']
    assert 'b.png' in document['failed']['b']
    assert 'b.png' in capsys.readouterr().err


def test_an_image_of_another_size_is_named(folders):
    cv2.imwrite(str(folders / 'mean/b.png'), np.zeros((50, 50), np.uint8))
    code, document = evaluate(folders, str(folders / 'mean'))
    assert code == 1
    assert 'mean/b.png: source 1 is 128x96 pixels and the fused image 50x50' in (
        document['failed']['b'])


def test_images_without_partner_are_left_out_and_listed(folders, capsys):
    (folders / 'mean/b.png').unlink()
    code, document = evaluate(folders, str(folders / 'mean'))
    assert code == 0
    assert document['unmatched'] == ['b']
    assert '1 left out' in capsys.readouterr().err


def test_a_figure_that_is_not_finite_is_null_in_json(folders):
    code, document = evaluate(folders, f'copy={folders / "infrared"}')
    assert code == 0
    assert document['metrics']['mean']['PSNR'] is None
    assert document['metrics']['mean']['SSIM'] > 1


@pytest.mark.parametrize(('arguments', 'complaint'), [
    (['--infrared', 'infrared', '--fused', 'mean'], '--infrared DIR --visible DIR'),
    (['--sources', 'infrared', '--visible', 'visible', '--fused', 'mean'], 'or as --sources'),
    (['--sources', 'infrared', 'nowhere', '--fused', 'mean'], 'nowhere'),
    (['--sources', 'infrared', 'visible', '--fused', 'mean', '--fused', 'mean=max'], 'twice'),
])
def test_bad_usage_exits_2_with_one_line(folders, monkeypatch, capsys, arguments, complaint):
    monkeypatch.chdir(folders)
    assert main(['evaluate', *arguments]) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith('dig2dig evaluate: error: ')
    assert complaint in error


def test_ranks_know_the_direction_and_share_places():
    methods = {'a': {'MSE': 4.0, 'CC': 0.5}, 'b': {'MSE': 2.0, 'CC': 0.5},
               'c': {'MSE': 3.0, 'CC': 0.1}}
    assert ranks(methods, 'MSE') == {'a': 3, 'b': 1, 'c': 2}
    assert ranks(methods, 'CC') == {'a': 1, 'b': 1, 'c': 3}


def test_marks_of_the_tables():
    methods = {'a': {'MSE': 4.0}, 'b': {'MSE': 2.0}, 'c': {'MSE': 3.0}}
    assert comparison(methods).splitlines()[1].split()[2:] == ['4.0', '2.0*', '3.0+']
    assert markdown(methods, 'l', ['MSE']).splitlines()[2:] == [
        '| a | 4.0 |', '| b | **2.0** |', '| c | *3.0* |']


def test_a_table_fills_its_place_in_a_page():
    table = markdown_table(('a', 'b'), [('x|y', r'\1')])
    assert table == '| a | b |\n| --- | --- |\n| x\\|y | \\1 |'
    page = 'before\n<!-- c (d) -->\nold\n<!-- /c (d) -->\nafter\n'
    assert fill(page, 'c (d)', table) == page.replace('old', table)
    for other in ('c', 'd'):
        with pytest.raises(ValueError, match=f'0 times the place {other}'):
            fill(page, other, table)
    with pytest.raises(ValueError, match='2 times'):
        fill(2 * page, 'c (d)', table)


def test_a_missing_extra_is_named_in_one_line(folders, monkeypatch, capsys):
    for module in [name for name in sys.modules if name.startswith('dig2dig_ros.evaluation')]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.delitem(sys.modules, 'dig2dig_ros.commands.evaluate')
    monkeypatch.setitem(sys.modules, 'skimage.measure', None)
    monkeypatch.setitem(sys.modules, 'skimage.metrics', None)
    assert main(['evaluate', '--fused', str(folders / 'mean')]) == 2
    error = capsys.readouterr().err.strip()
    assert error.startswith('dig2dig evaluate: error: needs the Python package skimage')
    assert 'dig2dig[evaluation]' in error
