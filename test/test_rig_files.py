"""What can be wrong with a rig file is told in a line: the file, the key, what would be right."""

import copy
import math

import cv2
import numpy as np
import pytest
import yaml

from dig2dig_ros.alignment.rig import HomographyRig, write_rig
from dig2dig_ros.camera.preparation import Preparation
from dig2dig_ros.cli import main
from dig2dig_ros.errors import InputError
from dig2dig_ros.synthetic.boards import sample_rig

SIZE = (64, 48)


@pytest.fixture(scope='module')
def right(tmp_path_factory):
    """Contents of a right file of each kind."""
    path = tmp_path_factory.mktemp('rig') / 'rig.yaml'
    contents = {}
    for kind, rig in (('rig', sample_rig()), ('homography', HomographyRig((SIZE, SIZE),
                                                                         np.eye(3)))):
        write_rig(path, rig, {})
        contents[kind] = yaml.safe_load(path.read_text())
    return contents


def changed(content, key, value):
    """Put a value at a key such as infrared.width; None takes the key away."""
    content = copy.deepcopy(content)
    *sections, last = key.split('.')
    place = content
    for section in sections:
        place = place[section]
    if value is None:
        del place[last]
    else:
        place[last] = value
    return yaml.safe_dump(content)


NINE = 'it takes 9 finite numbers, row-major 3 x 3'
TOOLS = 'give the rig file that `dig2dig align` or `dig2dig calibrate` writes'
FAULTS = [
    ('rig', 'model', None, 'model is missing; it must be homography or rig'),
    ('rig', 'model', 'stereo', "model is 'stereo'; it must be homography or rig"),
    ('rig', 'model', ['rig'], "model is ['rig']; it must be homography or rig"),
    ('rig', 'visible', None, 'visible is missing; it must be a section with keys of its own'),
    ('rig', 'visible', 7, 'visible is 7; it must be a section with keys of its own'),
    ('homography', 'infrared.width', None,
     'infrared.width is missing; it must be a whole number from 1 on'),
    ('homography', 'infrared.width', 64.5,
     'infrared.width is 64.5; it must be a whole number from 1 on'),
    ('rig', 'visible.height', 0, 'visible.height is 0; it must be a whole number from 1 on'),
    ('rig', 'visible.height', True, 'visible.height is True; it must be a whole number from 1 on'),
    ('homography', 'homography', None, f'homography is missing; {NINE}'),
    ('homography', 'homography', [1, 0, 0], f'homography is [1, 0, 0]; {NINE}'),
    ('homography', 'homography', 'wide', f"homography is 'wide'; {NINE}"),
    ('homography', 'homography', [1.0, 0, 0, 0, 1, 0, 0, 0, math.nan], f'nan]; {NINE}'),
    ('homography', 'homography', [0] * 9, 'it must be invertible'),
    ('rig', 'infrared.camera_matrix', [1, 2, 'x', 4, 5, 6, 7, 8, 9],
     f"infrared.camera_matrix is [1, 2, 'x', 4, 5, 6, 7, 8, 9]; {NINE}"),
    ('rig', 'infrared.camera_matrix', [[0, 0, 3], [0, 1, 4], [0, 0, 1]],
     'infrared.camera_matrix is [0.0, 0.0, 3.0, 0.0, 1.0, 4.0, 0.0, 0.0, 1.0]; its numbers '
     'must be finite, and both focal lengths above 0'),
    ('rig', 'visible.distortion_model', 'fisheye', "visible.distortion_model is 'fisheye'; it "
     'must be plumb_bob or rational_polynomial or equidistant'),
    ('rig', 'visible.distortion_coefficients', [0.1, 0.2],
     'visible.distortion_coefficients are [0.1, 0.2]; plumb_bob takes 4 or 5 finite numbers'),
    ('rig', 'visible.distortion_coefficients', [0.1, math.inf, 0, 0],
     'visible.distortion_coefficients is [0.1, inf, 0, 0]; it takes a list of finite numbers'),
    ('rig', 'rotation', [2.0, 0, 0, 0, 1, 0, 0, 0, 1], 'it must be a rotation matrix'),
    ('rig', 'translation_m', None, 'translation_m is missing; it takes 3 finite numbers'),
    ('rig', 'translation_m', [0.1, math.nan, 0],
     'translation_m is [0.1, nan, 0]; it takes 3 finite numbers'),
    ('homography', 'visible.width', 640,
     'visible images are 64x48, PATH is for 640x48; calibrate at the resolution that the camera '
     'sends'),
    ('text', '', '', f'is empty; {TOOLS}'),
    ('text', '', 'just words', f"is 'just words'; {TOOLS}"),
    ('text', '', '- 1\n- 2\n', f'is [1, 2]; {TOOLS}'),
    ('text', '', 'model: rig\n  visible: [', f'is no YAML (line 2); {TOOLS}'),
    ('text', '', b'\xff\xd8\xff\xe0', f'is no YAML; {TOOLS}'),
    ('folder', '', '', f'cannot be read (Is a directory); {TOOLS}'),
    ('absent', '', '', f'cannot be read (No such file or directory); {TOOLS}'),
]


@pytest.mark.parametrize(('kind', 'key', 'value', 'complaint'), FAULTS)
def test_each_fault_is_one_line(right, tmp_path, kind, key, value, complaint):
    path = tmp_path / 'rig.yaml'
    if kind == 'folder':
        path.mkdir()
    elif kind != 'absent':
        text = value if kind == 'text' else changed(right[kind], key, value)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InputError) as caught:
        Preparation({'registration.calibration': str(path)}).prepare_images(
            np.zeros(SIZE[::-1], np.uint8), np.zeros(SIZE[::-1], np.uint8))
    message = str(caught.value)
    assert str(path) in message
    assert complaint.replace('PATH', str(path)) in message
    assert '\n' not in message
    assert 'Error' not in message


def test_numbers_may_be_rows_and_texts_of_yaml_1_1(right, tmp_path):
    """Another program's YAML writes 1e-05, which YAML 1.1 takes for a text."""
    path = tmp_path / 'rig.yaml'
    path.write_text(changed(right['homography'], 'homography',
                            [[1, 0, '1e-05'], [0, 1, 0], [0, 0, 1]]))
    preparation = Preparation({'registration.calibration': str(path)})
    image = np.arange(64 * 48, dtype=np.uint16).reshape(SIZE[::-1]).astype(np.uint8)
    prepared = preparation.prepare_images(image, image)
    assert prepared.infrared.shape == (48, 64)


def test_the_command_says_it_and_writes_nothing(tmp_path, capsys):
    folders = []
    for camera in ('infrared', 'visible'):
        (tmp_path / camera).mkdir()
        cv2.imwrite(str(tmp_path / camera / '1.png'), np.eye(*SIZE[::-1], dtype=np.uint8))
        folders += [f'--{camera}', str(tmp_path / camera)]
    path = tmp_path / 'rig.yaml'
    path.write_text('homography: [1, 0, 0, 0, 1, 0, 0, 0, 1]\n')
    for command, output in (('fuse', tmp_path / 'out'), ('check-alignment', tmp_path / 'a.png')):
        assert main([command, *folders, '--calibration', str(path), '--output', str(output)]) == 2
        error = capsys.readouterr().err.strip()
        assert f'{path}: model is missing; it must be homography or rig' in error
        assert '\n' not in error
        assert not output.exists()
