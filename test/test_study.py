"""Grids, resuming studies, DIG curves, and `dig2dig study` end to end."""

import csv
import dataclasses
import json

import cv2
import numpy as np
import pytest
import torch

from dig2dig_ros.cli import main
from dig2dig_ros.engine import FusionEngine, FusionSettings
from dig2dig_ros.errors import InputError
from dig2dig_ros.evaluation.curves import GLOBAL, Curve, dig_curves, mean_curve
from dig2dig_ros.evaluation.grid import Curves, load_grid
from dig2dig_ros.evaluation.study import Study, choose, fingerprint, fit_pairs

NAMES = ('infrared', 'visible')
FAST = FusionSettings(mode='one-pass', levels=1, draws=1, precision='fp32')


@pytest.fixture
def pairs(tmp_path, scene):
    """Three scenes in two folders, as `match_folders` lists them."""
    listed = []
    for stem, step in (('a', 1), ('b', -1), ('c', 1)):
        files = [tmp_path / folder / f'{stem}.png' for folder in ('infrared', 'visible')]
        for file, image in zip(files, scene, strict=True):
            file.parent.mkdir(exist_ok=True)
            cv2.imwrite(str(file), image[::step])
        listed.append((stem, files))
    return listed


@pytest.fixture
def load_engine(smoothing_prior):
    """Gives engines with the counting prior."""
    return lambda settings: FusionEngine(smoothing_prior, torch.device('cpu'), settings)


def grid_file(tmp_path, text):
    path = tmp_path / 'grid.yaml'
    path.write_text(text)
    return path


def test_axes_multiply_over_the_base_and_cells_add(tmp_path):
    grid = load_grid(grid_file(tmp_path, """
        title: Both
        base: {steps: 20, power: 3.0}
        axes: {interval: [5, 10], divergence: [l1, l2]}
        cells: {none: {weighting: uniform}}
    """))
    assert list(grid.cells) == [
        'interval 5, divergence l1', 'interval 5, divergence l2', 'interval 10, divergence l1',
        'interval 10, divergence l2', 'none']
    assert grid.cells['interval 10, divergence l1'] == FusionSettings(
        steps=20, power=3.0, interval=10, divergence='l1')
    assert grid.cells['none'].weighting == 'uniform'
    assert grid.curves is None


def test_a_json_grid_with_regions(tmp_path):
    grid = load_grid(grid_file(tmp_path, json.dumps(
        {'curves': {'levels': 4, 'regions': {'a': {'man': [1, 2, 3, 4]}}}})))
    assert grid.cells == {}
    assert grid.curves == Curves(levels=4, regions={'a': {'man': [1, 2, 3, 4]}})


def test_a_preset_is_the_base_of_every_cell_that_names_none(tmp_path):
    path = grid_file(tmp_path, """
        base: {steps: 20}
        cells: {a: {}, b: {steps: 5}, c: {preset: live, levels: 2}}""")
    cells = load_grid(path, 'paper', 'cpu').cells
    assert cells == {'a': FusionSettings.preset('paper', steps=20),
                     'b': FusionSettings.preset('paper', steps=5),
                     'c': FusionSettings.preset('live', 'cpu', steps=20, levels=2)}


@pytest.mark.parametrize(('text', 'complaint'), [
    ('cells: {a: {preset: papier}}', 'preset is .papier'),
    ('cells: [', 'cannot be read as YAML'),
    ('[1, 2]', 'not a mapping'),
    ('title: empty', 'declares no cells'),
    ('grid: {}', "unknown key 'grid'"),
    ('cells: {a: {stepz: 3}}', "unknown setting 'stepz'"),
    ('cells: {a: {steps: 0}}', 'steps is 0'),
    ('axes: {steps: 15}', 'axis steps is 15; it must be a list'),
    ('curves: {level: 3}', 'level'),
    ('cells: {l1/l2: {}, l1 l2: {}}', "'l1/l2' and 'l1 l2' would both lie in the folder l1_l2"),
    ('cells: {..: {}}', "cell '..' cannot name a folder"),
])
def test_a_bad_grid_is_named_with_its_fault(tmp_path, text, complaint):
    with pytest.raises(InputError, match=rf'grid\.yaml.*{complaint}'):
        load_grid(grid_file(tmp_path, text))


def test_shipped_grids_are_valid():
    from pathlib import Path
    folder = Path(__file__).resolve().parents[1] / 'studies'
    grids = [load_grid(path) for path in sorted(folder.glob('*.yaml'))]
    assert len(grids) >= 5
    assert all(grid.cells or grid.curves for grid in grids)


def test_finished_cells_are_not_run_again(tmp_path, pairs, load_engine, smoothing_prior):
    cells = {'one': FAST, 'l1/l2': dataclasses.replace(FAST, divergence='l1')}

    def study(identity='prior', cells=cells):
        before = smoothing_prior.calls
        done = Study(pairs, NAMES, tmp_path / 'out', load_engine, identity).run(cells)
        return done, smoothing_prior.calls - before

    first, calls = study()
    assert calls == 2 * 3 * 2  # Cells, scenes, sources.
    again, calls = study()
    assert calls == 0
    assert [cell.mean() for cell in again] == [cell.mean() for cell in first]
    _, calls = study(cells=cells | {'one': dataclasses.replace(FAST, window=5)})
    assert calls == 3 * 2  # Only the cell that changed.
    _, calls = study(identity='another prior')
    assert calls == 2 * 3 * 2
    assert cv2.imread(str(tmp_path / 'out/l1_l2/b.png')).shape == (96, 128, 3)


def test_a_broken_record_is_run_again(tmp_path, pairs, load_engine, smoothing_prior):
    (tmp_path / 'out/one').mkdir(parents=True)
    (tmp_path / 'out/one/cell.json').write_text('{"settings": ')
    Study(pairs, NAMES, tmp_path / 'out', load_engine, '').run({'one': FAST})
    assert smoothing_prior.calls == 6


def test_video_follows_flicker_and_weights(tmp_path, pairs, load_engine):
    still = [(str(number), pairs[0][1]) for number in range(3)]
    study = Study(still, NAMES, tmp_path / 'out', load_engine, '', video=True)
    (cell,) = study.run({'one': FAST})
    (again,) = study.run({'one': FAST})
    mean = cell.mean()
    assert again.mean() == mean
    assert mean['flicker'] == 0
    assert mean['weight infrared'] + mean['weight visible'] == pytest.approx(1, abs=1e-5)


def test_a_limit_spreads_scenes_and_cuts_videos():
    pairs = [(str(number), []) for number in range(10)]
    assert [stem for stem, _ in choose(pairs, 3, video=False)] == ['0', '3', '6']
    assert [stem for stem, _ in choose(pairs, 3, video=True)] == ['0', '1', '2']
    assert choose(pairs, None, video=False) == pairs
    assert len(choose(pairs, 99, video=False)) == 10
    with pytest.raises(InputError, match='--limit is 0'):
        choose(pairs, 0, video=False)


def test_pairs_that_cannot_be_used_are_left_out_beforehand(tmp_path, pairs):
    pairs[0][1][0].write_bytes(b'no image')
    cv2.imwrite(str(pairs[1][1][1]), np.zeros((50, 50), np.uint8))
    fit, faults = fit_pairs(pairs)
    assert [stem for stem, _ in fit] == ['c']
    assert 'a.png' in faults['a']
    assert '50x50' in faults['b']
    with pytest.raises(InputError, match='no pair can be used; the first: .*a.png'):
        fit_pairs(pairs[:2])


def test_the_fingerprint_changes_with_a_weight():
    layer = torch.nn.Linear(3, 3)
    before = fingerprint(layer)
    assert fingerprint(layer) == before
    with torch.no_grad():
        layer.bias[0] += 1
    assert fingerprint(layer) != before


def test_curves_end_at_the_first_loss_and_respect_regions(load_engine, scene):
    engine = load_engine(FAST)
    curves = dig_curves(engine, scene, Curves(levels=4, t_max=400), {'blob': (20, 40, 40, 40)})
    whole = curves[GLOBAL]
    assert len(whole.timesteps) == 5
    assert whole.timesteps[0] == 400
    assert whole.timesteps[-1] == 0
    assert whole.mean[:, 0].tolist() == [0, 0]
    # DIG telescopes: all of it is the loss at the highest timestep.
    loss = engine_loss(engine, scene)
    assert whole.mean[:, -1] == pytest.approx(loss.mean(axis=(1, 2)), rel=1e-4)
    assert whole.variance[:, -1] == pytest.approx(loss.var(axis=(1, 2)), rel=1e-3)
    blob = loss[:, 40:80, 20:60]
    assert curves['blob'].mean[:, -1] == pytest.approx(blob.mean(axis=(1, 2)), rel=1e-4)
    assert engine.settings == dataclasses.replace(FAST, coarse_from=1000)  # no coarse prior


def engine_loss(engine, scene):
    """l of the only level of a one-level ladder from t = 400, K x H x W."""
    engine.settings = dataclasses.replace(FAST, t_max=400)
    gain = engine.information_gain(scene)[1][0]
    engine.settings = FAST
    return gain


def test_a_region_outside_the_image_is_named(load_engine, scene):
    with pytest.raises(InputError, match=r'region man is \[100, 0, 40, 10\].*128x96'):
        dig_curves(load_engine(FAST), scene, Curves(levels=2), {'man': [100, 0, 40, 10]})


def test_the_mean_curve_has_the_variance_of_all_pixels():
    pixels = np.array([[1.0, 3.0], [10.0, 30.0]])
    curves = [Curve((9, 0), row.mean(keepdims=True)[None], row.var(keepdims=True)[None])
              for row in pixels]
    joint = mean_curve(curves)
    assert joint.mean.item() == pixels.mean()
    assert joint.variance.item() == pytest.approx(pixels.var())


def test_the_command_writes_tables_and_plots(tmp_path, pairs, capsys):
    grid = grid_file(tmp_path, """
        base: {mode: one-pass, levels: 1, draws: 1}
        cells: {default: {}, l1: {divergence: l1}}
        curves: {levels: 2, regions: {a: {blob: [20, 40, 40, 40]}}}
    """)
    arguments = ['study', str(grid), '--infrared', str(tmp_path / 'infrared'), '--visible',
                 str(tmp_path / 'visible'), '--output', str(tmp_path / 'out'), '--limit', '2',
                 '--device', 'cpu']
    assert main(arguments) == 0
    table = capsys.readouterr().out
    assert 'default' in table
    assert 'ms ↓' in table
    out = tmp_path / 'out'
    assert '| l1 |' in (out / 'table.md').read_text()
    with (out / 'table.csv').open() as file:
        rows = list(csv.DictReader(file))
    assert [(row['method'], row['image']) for row in rows] == [
        ('default', 'a'), ('default', 'b'), ('l1', 'a'), ('l1', 'b')]
    with (out / 'curves.csv').open() as file:
        curves = list(csv.DictReader(file))
    assert {(row['scene'], row['region']) for row in curves} == {
        ('a', GLOBAL), ('a', 'blob'), ('b', GLOBAL)}
    for picture in ('table.png', 'curves.png'):
        assert cv2.imread(str(out / picture)).std() > 10
