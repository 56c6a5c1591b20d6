"""Decoding of detector outputs, letterboxes, suppression, labels."""

import cv2
import numpy as np
import pytest

from dig2dig_ros.detection.detections import Detections, merge, suppress
from dig2dig_ros.detection.drawing import draw
from dig2dig_ros.detection.labels import COCO, labels_in_metadata, read_labels
from dig2dig_ros.detection.layouts import decode_grid, recognise, yolox_cells
from dig2dig_ros.detection.letterbox import place
from dig2dig_ros.detection.matching import Tally, tally
from dig2dig_ros.detection.onnx_detector import OnnxDetector
from dig2dig_ros.errors import InputError


def logit(p):
    return np.log(p / (1 - p))


def test_fastestdet_cell():
    cells = np.full((85, 22, 22), 1e-6, np.float32)
    cells[:5, 4, 9] = 0.81, np.arctanh(0.5), np.arctanh(-0.25), logit(0.2), logit(0.4)
    cells[5, 4, 9] = 0.49
    boxes, scores = decode_grid(cells, 352, 352)
    assert np.unravel_index(scores.argmax(), scores.shape) == (4 * 22 + 9, 0)
    assert scores.max() == pytest.approx(0.81 ** 0.6 * 0.49 ** 0.4)
    assert boxes[4 * 22 + 9] == pytest.approx(
        [(9 + 0.5) * 16, (4 - 0.25) * 16, 0.2 * 352, 0.4 * 352], abs=1e-3)


@pytest.mark.parametrize('decoded', [False, True])
def test_yolox_row_of_the_second_grid(decoded):
    # At 64x96 the grids have 8x12, 4x6 and 2x3 cells; row 96 + 6 + 2 is cell (2, 1), stride 16.
    rows = np.zeros((1, 96 + 24 + 6, 85), np.float32)
    if decoded:
        cells, strides = yolox_cells(64, 96)
        rows[0, :, :2], rows[0, :, 2:4] = cells * strides, strides
        rows[0, 104, :4] = (2 + 0.25) * 16, (1 + 0.5) * 16, 2 * 16, 3 * 16
    else:
        rows[0, 104, :4] = 0.25, 0.5, np.log(2), np.log(3)
    rows[0, 104, [4, 7]] = 0.5, 0.8
    layout = recognise(rows, 64, 96, None)
    boxes, scores = layout.decode(rows[0], 64, 96)
    assert (layout.family, layout.fit, layout.rgb, layout.unit) == (
        'YOLOX', 'top-left', False, 255)
    assert boxes[104] == pytest.approx([36, 24, 32, 48])
    assert scores[104, 2] == pytest.approx(0.4)


def test_yolov5_has_three_rows_for_each_cell():
    rows = np.zeros((1, 3 * 126, 85), np.float32)
    rows[0, 7, [0, 1, 2, 3, 4, 6]] = 32, 24, 6, 9, 0.5, 0.8
    layout = recognise(rows, 64, 96, 80)
    boxes, scores = layout.decode(rows[0], 64, 96)
    assert (layout.family, layout.fit, layout.rgb, layout.unit) == ('YOLOv5', 'centre', True, 1)
    assert boxes[7].tolist() == [32, 24, 6, 9]
    assert scores[7, 1] == pytest.approx(0.4)


def test_yolov8_has_its_boxes_in_columns():
    output = np.zeros((1, 84, 126), np.float32)
    output[0, [0, 1, 2, 3, 6], 9] = 32, 24, 6, 9, 0.7
    layout = recognise(output, 64, 96, None)
    boxes, scores = layout.decode(output[0], 64, 96)
    assert (layout.family, layout.fit, layout.rgb, layout.unit) == ('YOLOv8', 'centre', True, 1)
    assert boxes[9].tolist() == [32, 24, 6, 9]
    assert scores[9, 2] == pytest.approx(0.7)


@pytest.mark.parametrize(('shape', 'classes', 'complaint'), [
    ((1, 1000), None, 'known are'), ((1, 84, 126), 3, '80 classes, and its labels name 3'),
    ((1, 300, 6), 80, '1 classes, and its labels name 80')])
def test_an_unknown_output_is_refused(shape, classes, complaint):
    with pytest.raises(InputError, match=complaint):
        recognise(np.zeros(shape, np.float32), 64, 96, classes)


@pytest.mark.parametrize(('fit', 'corner'), [
    ('stretch', (0, 0, 64, 64)), ('top-left', (0, 0, 64, 32)), ('centre', (0, 16, 64, 32))])
def test_a_box_comes_back_from_the_input(fit, corner):
    image = np.full((100, 200, 3), 250, np.uint8)
    canvas, placement = place(image, 64, 64, fit)
    x, y, width, height = corner
    assert (canvas[y:y + height, x:x + width] == 250).all()
    assert (canvas == 250).all(axis=-1).sum() == width * height
    assert set(np.unique(canvas)) <= {114, 250}
    box = np.array([[x + width / 4, y + height / 2, width / 2, height / 4]])
    assert placement.back(box)[0] == pytest.approx([50, 50, 100, 25])


def test_suppression_is_by_class_and_keeps_the_most_certain():
    found = Detections.make([[0, 0, 10, 10], [1, 0, 10, 10], [1, 0, 10, 10], [50, 0, 10, 10]],
                            [0.6, 0.9, 0.5, 0.95], [0, 0, 2, 0])
    kept = suppress(found, 0.5)
    assert kept.scores.tolist() == pytest.approx([0.95, 0.9, 0.5])
    assert kept.classes.tolist() == [0, 0, 2]
    halves = [found.where(np.array([0, 2])), found.where(np.array([1, 3]))]
    assert merge(halves, 0.5).scores.tolist() == kept.scores.tolist()
    assert len(suppress(found.where(found.scores > 1), 0.5)) == 0


def test_drawing_leaves_the_image_alone():
    image = np.zeros((50, 60), np.uint8)
    picture = draw(image, Detections.make([[10.2, 20, 15, 25]], [0.9], [0]), COCO)
    assert picture.shape == (50, 60, 3)
    assert picture[20, 12].any()
    assert not image.any()


def test_names_of_classes(tmp_path):
    assert (len(COCO), COCO[0], COCO[2], COCO[79]) == (80, 'person', 'car', 'toothbrush')
    assert labels_in_metadata({'names': "{0: 'cat', 1: 'dog'}"}) == ('cat', 'dog')
    assert labels_in_metadata({'names': 'no dictionary'}) is None
    assert labels_in_metadata({}) is None
    path = tmp_path / 'labels.txt'
    path.write_text('cat\n\n dog \n')
    assert read_labels(path) == ('cat', 'dog')
    path.write_text('\n')
    with pytest.raises(InputError, match='names no class'):
        read_labels(path)


@pytest.mark.parametrize(('content', 'complaint'), [
    (None, 'does not exist'), (b'no onnx', 'cannot be loaded as ONNX')])
def test_a_file_that_is_no_detector_is_named(tmp_path, content, complaint):
    path = tmp_path / 'model.onnx'
    if content:
        path.write_bytes(content)
    with pytest.raises(InputError, match=f'model.onnx {complaint}'):
        OnnxDetector(path)


@pytest.mark.parametrize(('file', 'family'), [
    ('FastestDet.onnx', 'FastestDet'), ('yolox_nano.onnx', 'YOLOX'),
    ('yolov8n_int8.onnx', 'YOLOv8')])
def test_real_detectors_find_the_pedestrian_of_the_infrared_image(shared_data, file, family):
    detector = OnnxDetector(shared_data / 'detector' / file, confidence=0.4, threads=1)
    assert detector.family == family
    assert detector.labels == COCO
    image = cv2.imread(str(shared_data / 'dev_pairs/MSRS/ir/00004N.png'))
    found = detector.find(image)
    people = found.where(found.classes == 0)
    x, _, width, height = people.boxes[0]
    assert 510 < x + width / 2 < 560
    assert height > 2 * width
    assert len(detector.find(np.zeros_like(image))) == 0


def test_found_against_true_boxes():
    truth = [(0, 0, 10, 10), (20, 0, 10, 10), (40, 0, 10, 10)]
    # Two on the first object, one half of the second (overlap 0.5), one where nothing is.
    found = Detections.make([[0, 1, 10, 10], [0, 0, 10, 10], [20, 0, 10, 5], [70, 0, 9, 9]],
                            [0.9, 0.8, 0.7, 0.6], [0] * 4)
    assert tally(found, truth) == Tally(objects=3, found=2, false=2)
    assert tally(found, truth, 0.6) == (3, 1, 3)
    assert tally(found, []) + tally(found, truth) == (3, 2, 6)
