"""Decoding of detector outputs, and the real detector on a real pair."""

import json

import cv2
import numpy as np
import pytest

from dig2dig_ros.cli import main
from dig2dig_ros.errors import InputError
from dig2dig_ros.evaluation.detector import (
    Detection,
    PersonDetector,
    decode_grid,
    decode_rows,
    draw,
)


def logit(p):
    return np.log(p / (1 - p))


def test_fastestdet_cell():
    cells = np.full((85, 22, 22), 1e-6, np.float32)
    cells[:5, 4, 9] = 0.81, np.arctanh(0.5), np.arctanh(-0.25), logit(0.2), logit(0.4)
    cells[5, 4, 9] = 0.49
    cells[7, 2, 2], cells[0, 2, 2] = 0.9, 0.9  # A car.
    scores, boxes = decode_grid(cells)
    assert scores.argmax() == 4 * 22 + 9
    assert scores.max() == pytest.approx(0.81 ** 0.6 * 0.49 ** 0.4)
    assert scores[2 * 22 + 2] == 0
    assert boxes[4 * 22 + 9] == pytest.approx(
        [(9 + 0.5) / 22 - 0.1, (4 - 0.25) / 22 - 0.2, 0.2, 0.4], abs=1e-6)


@pytest.mark.parametrize('has_objectness', [True, False])
def test_yolo_rows(has_objectness):
    row = [320, 240, 64, 96] + ([0.5] if has_objectness else []) + [0.8] + [0.0] * 79
    car = [*row[:-80], 0.1, 0.0, 0.7, *[0.0] * 77]
    scores, boxes = decode_rows(np.array([row, car]), 480, 640, has_objectness)
    assert scores.tolist() == pytest.approx([0.4 if has_objectness else 0.8, 0])
    assert boxes[0] == pytest.approx([0.45, 0.4, 0.1, 0.2])


def test_drawing_leaves_the_image_alone():
    image = np.zeros((50, 60), np.uint8)
    picture = draw(image, [Detection(0.9, (10.2, 20.0, 15.0, 25.0))])
    assert picture.shape == (50, 60, 3)
    assert picture[20, 12].any()
    assert not image.any()


@pytest.mark.parametrize(('content', 'complaint'), [
    (None, 'does not exist'), (b'no onnx', 'cannot be loaded as ONNX')])
def test_a_file_that_is_no_detector_is_named(tmp_path, content, complaint):
    path = tmp_path / 'model.onnx'
    if content:
        path.write_bytes(content)
    with pytest.raises(InputError, match=f'model.onnx {complaint}'):
        PersonDetector(path)


def test_real_detector_finds_the_pedestrian_of_the_infrared_image(shared_data):
    detector = PersonDetector(shared_data / 'detector/FastestDet.onnx')
    image = cv2.imread(str(shared_data / 'dev_pairs/MSRS/ir/00004N.png'))
    person = detector.find(image)[0]
    assert person.confidence > 0.7
    x, y, width, height = person.box
    assert 510 < x + width / 2 < 560
    assert height > 2 * width
    assert detector.find(np.zeros_like(image)) == []


def test_command_counts_in_each_view(shared_data, tmp_path, capsys):
    for view, image in (('ir', 'ir/00004N.png'), ('vi', 'vi/00004N.png')):
        (tmp_path / view).mkdir()
        picture = cv2.imread(str(shared_data / 'dev_pairs/MSRS' / image))
        cv2.imwrite(str(tmp_path / view / 'a.png'), picture)
    code = main(['detect-check', '--model', str(shared_data / 'detector/FastestDet.onnx'),
                 '--infrared', str(tmp_path / 'ir'), '--visible', str(tmp_path / 'vi'),
                 '--fused', f'copy={tmp_path / "ir"}', '--pictures', str(tmp_path / 'pictures'),
                 '--json', str(tmp_path / 'out.json')])
    assert code == 0
    people = json.loads((tmp_path / 'out.json').read_text())['people']
    assert people['copy'] == people['infrared']
    assert people['infrared']['mean_confidence'] > 0.7
    assert 'images with people' in capsys.readouterr().out
    assert {path.name for path in (tmp_path / 'pictures').iterdir()} == {
        'a_infrared.jpg', 'a_visible.jpg', 'a_copy.jpg'}
