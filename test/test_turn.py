"""Targetless alignment of cameras whose lenses are known, against the rendered street's truth."""

import dataclasses
import json

import cv2
import numpy as np
import pytest

from dig2dig_ros.alignment.align import align
from dig2dig_ros.alignment.camera_info import camera_info_yaml, camera_of
from dig2dig_ros.alignment.rig import read_rig
from dig2dig_ros.alignment.turn import Turn
from dig2dig_ros.bag.calibration import read_camera_info
from dig2dig_ros.camera.rig_registration import RigRegistration
from dig2dig_ros.cli import main
from dig2dig_ros.errors import InputError
from dig2dig_ros.synthetic.boards import sample_rig
from dig2dig_ros.synthetic.street import StreetScene

SIZE = (640, 512)
# Most of the picture stands 10 m off and more; there 5 mm between the lenses are 0.3 px.
BASELINE_M = 0.005


@pytest.fixture(scope='module')
def street():
    """The rig and four moments of it."""
    scene = StreetScene(*SIZE, seed=3, baseline_m=BASELINE_M)
    rendered = [scene.render(time_s, frame) for frame, time_s in enumerate((1, 5, 9, 13))]
    return scene.rig, [(each.infrared, each.visible) for each in rendered]


def places(rig):
    """Where a grid of far points in the visible image lies in infrared, N x 2."""
    return RigRegistration(rig, 1e4).sources(*(np.linspace(0.1, 0.9, 9) * side
                                               for side in rig.visible.size))


def test_the_whole_picture_is_aligned_where_a_similarity_is_off_by_pixels(street):
    truth, frames = street
    found = align(frames, lenses=(truth.infrared, truth.visible))
    assert found.accepted, found.reason
    apart = np.linalg.norm(places(found.rig) - places(truth), axis=1)
    assert apart.max() < 1.5
    plain = align(frames)
    visible = np.stack(np.meshgrid(*(np.linspace(0.1, 0.9, 9) * side for side in SIZE)),
                       axis=-1).reshape(-1, 1, 2)
    plainly = cv2.perspectiveTransform(visible, np.linalg.inv(plain.homography))[:, 0]
    assert np.linalg.norm(plainly - places(truth), axis=1).max() > 2 * apart.max()


def test_a_focal_length_off_by_three_percent_is_found(street):
    truth, frames = street
    matrix = truth.infrared.matrix * [[1.03, 1, 1], [1, 1.03, 1], [1, 1, 1]]
    lenses = (dataclasses.replace(truth.infrared, matrix=matrix), truth.visible)
    found = align(frames, lenses=lenses)
    assert found.accepted, found.reason
    assert found.rig.infrared.matrix[0, 0] == pytest.approx(truth.infrared.matrix[0, 0], rel=0.005)
    longer = truth.infrared.matrix * [[1.3, 1, 1], [1, 1.3, 1], [1, 1, 1]]
    lenses = (dataclasses.replace(truth.infrared, matrix=longer), truth.visible)
    assert 'not of these cameras at this zoom' in align(frames, lenses=lenses).reason


def test_a_turn_near_a_similarity_puts_the_middle_where_it_does():
    infrared, visible = (camera.matrix for camera in (sample_rig().infrared, sample_rig().visible))
    similarity = np.array([[1.7, -0.1, 30.0], [0.1, 1.7, -12.0]])
    turn = Turn.near(similarity, infrared, visible)
    middle = infrared[:2, 2]
    landed = cv2.perspectiveTransform(middle[None, None], turn.matrix)[0, 0]
    np.testing.assert_allclose(landed, similarity @ [*middle, 1], atol=1e-6)
    np.testing.assert_allclose(turn.rotation @ turn.rotation.T, np.eye(3), atol=1e-12)


def test_the_command_writes_a_rig(street, tmp_path, capsys):
    truth, frames = street
    for index, pair in enumerate(frames):
        for camera, image in zip(('infrared', 'visible'), pair, strict=True):
            (tmp_path / camera).mkdir(exist_ok=True)
            cv2.imwrite(str(tmp_path / camera / f'{index}.png'), image)
    for camera in ('infrared', 'visible'):
        (tmp_path / f'{camera}.yaml').write_text(camera_info_yaml(camera, getattr(truth, camera)))
    folders = [word for camera in ('infrared', 'visible')
               for word in (f'--{camera}', str(tmp_path / camera))]
    infos = [word for camera in ('infrared', 'visible')
             for word in (f'--{camera}-info', str(tmp_path / f'{camera}.yaml'))]
    output, report = tmp_path / 'rig.yaml', tmp_path / 'report.json'
    assert main(['align', *folders, *infos, '--output', str(output), '--json', str(report)]) == 0
    rig = read_rig(output)
    assert np.linalg.norm(places(rig) - places(truth), axis=1).max() < 1.5
    np.testing.assert_allclose(rig.infrared.distortion, truth.infrared.distortion)
    assert 'no baseline' in RigRegistration(rig, 10.0).describe()
    assert np.array(json.loads(report.read_text())['homography']).shape == (3, 3)
    capsys.readouterr()
    assert main(['align', *folders, *infos[:2]]) == 2
    assert 'takes the lenses of both cameras' in capsys.readouterr().err


@pytest.mark.parametrize(('text', 'complaint'), [
    ('image_width: 640', 'distortion_coefficients is missing'), ('[', 'is no YAML'),
    (None, 'cannot be read'), ('NaN', 'camera_matrix.data.*nan.*finite'),
    ('wide', "image_width is 'wide640'; it must be a whole number")])
def test_bad_calibrations_are_named(tmp_path, text, complaint):
    path = tmp_path / 'lens.yaml'
    if text in ('NaN', 'wide'):
        whole = camera_info_yaml('infrared', sample_rig().infrared)
        text = {'NaN': whole.replace('[590.0', '[.nan'),
                'wide': whole.replace('image_width: ', 'image_width: wide')}[text]
    if text is not None:
        path.write_text(text)
    with pytest.raises(InputError, match=f'lens.yaml.*{complaint}'):
        camera_of(read_camera_info(path, None), str(path))


def test_a_lens_of_another_size_is_refused(street):
    _, frames = street
    rig = sample_rig()
    with pytest.raises(InputError, match='visible images are 640x512, the calibration is for'):
        align(frames, lenses=(rig.infrared, rig.visible))
