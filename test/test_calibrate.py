"""Calibration against rendered boards, whose cameras are known, and what it refuses."""

import dataclasses
import json

import cv2
import numpy as np
import pytest
from rendered_boards import lepton_rig, lepton_views, recorded

from dig2dig_ros.alignment.calibrate import calibrate
from dig2dig_ros.alignment.lens import project, ray_grid, unproject
from dig2dig_ros.alignment.rig import Camera, read_rig
from dig2dig_ros.alignment.targets import Target, find
from dig2dig_ros.bag.calibration import read_camera_info
from dig2dig_ros.cli import main
from dig2dig_ros.errors import InputError
from dig2dig_ros.synthetic.boards import Board, poses, render, sample_rig

TARGET = Target('chessboard', (6, 4), 0.055)


@pytest.fixture(scope='module')
def lepton(tmp_path_factory):
    """Files of fourteen views, and the options that name them."""
    return recorded(tmp_path_factory.mktemp('lepton'), lepton_views())


@pytest.fixture(scope='module')
def least(tmp_path_factory):
    """Options that name six of the views, the least that are taken."""
    return recorded(tmp_path_factory.mktemp('least'), lepton_views()[:6])[1]


@pytest.fixture(scope='module')
def calibrated(lepton, tmp_path_factory):
    """The command's output for them, one view being spoilt."""
    folder = tmp_path_factory.mktemp('out')
    code = main(['calibrate', *lepton[1], '--target', 'chessboard', '--size', '6x4', '--square',
                 '0.055', '--output', str(folder / 'rig'), '--json', str(folder / 'f.json')])
    assert code == 0
    return folder


def test_lens_and_its_inverse():
    camera = sample_rig().infrared
    pixels = np.array([[0, 0], [639, 511], [320, 10], [100.5, 300.25]])
    np.testing.assert_allclose(project(camera, unproject(camera, pixels)), pixels, atol=1e-3)
    grid = ray_grid(camera, np.arange(640), np.arange(512))
    np.testing.assert_allclose(grid[10, 320], unproject(camera, pixels)[2], atol=1e-6)
    fish = Camera((640, 512), camera.matrix, np.array([0.02, -0.01, 0.002, 0.0]), 'equidistant')
    np.testing.assert_allclose(project(fish, unproject(fish, pixels)), pixels, atol=1e-3)


@pytest.mark.parametrize('distortion', [
    [-0.3, 0.1, 0.001, -0.002], [-0.3, 0.1, 0.001, -0.002, 0.03],
    [0.2, -0.1, 0.001, -0.002, 0.03, 0.4, -0.05, 0.02],
    [0.2, -0.1, 0.001, -0.002, 0.03, 0.4, -0.05, 0.02, 1e-3, 2e-3, -1e-3, 1e-3]])
def test_every_lens_projects_as_opencv_does(distortion):
    camera = Camera((640, 512), sample_rig().infrared.matrix, np.array(distortion))
    rays = np.random.default_rng(0).uniform(-0.5, 0.5, (50, 2))
    points = np.column_stack([rays, np.ones(50)])
    truth, _ = cv2.projectPoints(points, np.zeros(3), np.zeros(3), camera.matrix,
                                 camera.distortion)
    np.testing.assert_allclose(project(camera, rays), truth[:, 0], atol=1e-9)


def test_rendered_rig_is_found(calibrated):
    truth = lepton_rig()
    rig = read_rig(calibrated / 'rig' / 'rig.yaml')
    turn = cv2.Rodrigues(rig.rotation @ truth.rotation.T)[0]
    assert np.degrees(np.linalg.norm(turn)) < 0.3
    baseline = np.linalg.norm(truth.translation)
    assert np.linalg.norm(rig.translation) == pytest.approx(baseline, rel=0.04)
    assert rig.infrared.matrix[0, 0] == pytest.approx(truth.infrared.matrix[0, 0], rel=0.01)
    figures = json.loads((calibrated / 'f.json').read_text())
    assert figures['transfer_px']['median'] < 0.25
    assert figures['transfer_px']['p95'] < 0.5
    assert figures['infrared']['rms_px'] < 0.15
    assert figures['visible']['rms_px'] < 0.15
    assert figures['views']['found'] == 14
    assert figures['views']['used'] >= 11


def test_files_are_ros_calibrations(calibrated):
    info = read_camera_info(calibrated / 'rig' / 'infrared.yaml', None)
    rig = read_rig(calibrated / 'rig' / 'rig.yaml')
    assert (info.width, info.height) == (160, 120)
    assert info.distortion_model == 'plumb_bob'
    np.testing.assert_allclose(info.k.reshape(3, 3), rig.infrared.matrix, rtol=1e-8)
    np.testing.assert_allclose(info.d, rig.infrared.distortion, atol=1e-8)
    np.testing.assert_allclose(info.p.reshape(3, 4)[:, :3], rig.infrared.matrix, rtol=1e-8)
    page = (calibrated / 'rig' / 'report.html').read_text()
    assert page.count('data:image/png') == 3
    assert 'held-out transfer error' in page


@pytest.mark.parametrize(('kind', 'size', 'square'), [
    ('chessboard', (6, 4), 0.055), ('circles', (6, 5), 0.06), ('acircles', (4, 7), 0.04),
    ('charuco', (7, 5), 0.06)])
@pytest.mark.parametrize('hot', [True, False])
def test_corners_of_each_board(kind, size, square, hot):
    rig = sample_rig()
    board, target = Board(kind, size, square), Target(kind, size, square)
    pose = np.array(cv2.Rodrigues(np.radians([18.0, -14, 5]))[0]), np.array([0.02, -0.03, 1.1])
    infrared, _ = render(rig, board, pose, hot=hot)
    found = find(target, infrared)
    assert found is not None
    middle = _middle(board)
    places = (target.points[found.indices] - middle) @ pose[0].T + pose[1]
    truth = project(rig.infrared, places[:, :2] / places[:, 2:])
    nearest = np.linalg.norm(found.pixels[:, None] - truth[None], axis=-1).min(axis=1)
    # The centre of a circle's picture is not the picture of its centre.
    assert np.median(nearest) < (0.15 if kind in ('chessboard', 'charuco') else 0.35)
    assert len(found.indices) >= 0.8 * len(target.points)


@pytest.mark.parametrize(('kind', 'size', 'square'), [
    ('chessboard', (6, 4), 0.055), ('circles', (5, 4), 0.06), ('acircles', (4, 5), 0.04)])
@pytest.mark.parametrize('hot', [True, False])
def test_boards_of_80_by_60_pixels(kind, size, square, hot):
    """A ChArUco board's markers do not fit so few pixels."""
    rig = sample_rig('lepton')
    matrix = np.array([[80.0, 0, 40.2], [0, 80.3, 29.4], [0, 0, 1]])
    rig = dataclasses.replace(rig, infrared=Camera((80, 60), matrix, rig.infrared.distortion))
    board, target = Board(kind, size, square), Target(kind, size, square)
    [pose] = poses(rig, board, 1, seed=1, fill=0.62)
    found = find(target, render(rig, board, pose, hot=hot)[0])
    assert found is not None
    places = (target.points[found.indices] - _middle(board)) @ pose[0].T + pose[1]
    truth = project(rig.infrared, places[:, :2] / places[:, 2:])
    nearest = np.linalg.norm(found.pixels[:, None] - truth[None], axis=-1).min(axis=1)
    assert np.median(nearest) < 0.2


def _middle(board):
    columns, rows = board.size
    if board.kind == 'acircles':
        return board.square_m * np.array([(2 * columns - 1) / 2, (rows - 1) / 2, 0])
    inner = 2 if board.kind == 'charuco' else 1
    return board.square_m * np.array([(columns - inner) / 2, (rows - inner) / 2, 0])


def test_one_view_of_another_moment_is_dropped_and_named(lepton):
    scenes = list(lepton[0])
    name, (infrared, _) = scenes[5]
    scenes[5] = name, (infrared, scenes[6][1][1])
    found = calibrate(TARGET, scenes)
    assert name in found.dropped
    assert len(found.views) >= 10


def test_mirrored_images_are_named(tmp_path):
    scenes, _ = recorded(tmp_path, [(infrared[:, ::-1], visible)
                                    for infrared, visible in lepton_views()[:9]])
    with pytest.raises(InputError, match='mirrored'):
        calibrate(TARGET, scenes)


@pytest.mark.parametrize(('change', 'complaint'), [
    (['--size', '5x4'], 'at least 6x'), (['--size', '7'], 'columns x rows'),
    (['--square', '-1'], 'metres'), (['--target', 'charuco', '--size', '9x9'], 'charuco in 0')])
def test_wrong_options_write_nothing(least, tmp_path, capsys, change, complaint):
    options = {'--target': 'chessboard', '--size': '6x4', '--square': '0.055'}
    options |= dict(zip(change[::2], change[1::2], strict=True))
    out = tmp_path / 'rig'
    code = main(['calibrate', *least, '--output', str(out),
                 *[text for pair in options.items() for text in pair]])
    assert code == 2
    assert complaint in capsys.readouterr().err
    assert not out.exists()


def test_blind_camera_different_views_and_few_views(lepton, tmp_path):
    blind = tmp_path / 'blind.png'
    cv2.imwrite(str(blind), np.full((120, 160), 7300, np.uint16))
    with pytest.raises(InputError, match='infrared in 0, visible in 7'):
        calibrate(TARGET, [(name, (blind, files[1])) for name, files in lepton[0][:7]])
    shuffled = [(name, (files[0], lepton[0][(index + 4) % 12][1][1]))
                for index, (name, files) in enumerate(lepton[0][:12])]
    with pytest.raises(InputError, match='different boards|views are left'):
        calibrate(TARGET, shuffled)
    with pytest.raises(InputError, match='6 are the least'):
        calibrate(TARGET, lepton[0][:4])
    same = [(str(index), lepton[0][0][1]) for index in range(8)]
    with pytest.raises(InputError, match='record'):
        calibrate(TARGET, same)


def test_real_boards_that_hardly_tilt_tell_of_a_mirrored_camera(shared_data, tmp_path, capsys):
    folder, mirrored = shared_data / 'unaligned' / 'target_lepton_zed', tmp_path / 'ir'
    mirrored.mkdir()
    for path in (folder / 'ir').iterdir():
        cv2.imwrite(str(mirrored / path.name), cv2.imread(str(path), -1)[:, ::-1])
    assert main(['calibrate', '--infrared', str(mirrored), '--visible', str(folder / 'vi'),
                 '--target', 'chessboard', '--size', '6x4', '--square', '0.055',
                 '--output', str(tmp_path / 'rig')]) == 2
    assert 'mirrored against the other' in capsys.readouterr().err
    assert not (tmp_path / 'rig').exists()


def test_real_thermal_boards(shared_data):
    folder = shared_data / 'unaligned' / 'target_lepton_zed'
    found = [find(Target('chessboard', (6, 4), 0.055), cv2.imread(str(path), -1))
             for path in sorted((folder / 'ir').iterdir())]
    assert len(found) == 13
    assert all(found)
