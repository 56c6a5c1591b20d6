"""The detector node over DDS, with a detector of four lines: it sees one box, as sure of it as the
picture is bright."""

import sys

import numpy as np
import onnx
import pytest
from live import bench, image_message, pixels, stamp
from onnx import TensorProto, helper, numpy_helper

from dig2dig_ros.detection.onnx_detector import OnnxDetector
from dig2dig_ros.ros.demo.detection import detection_report
from dig2dig_ros.ros.demo.listener import Moment
from dig2dig_ros.ros.vision_messages import Detection2DArray
from dig2dig_ros.synthetic.street import Box

# The node as users start it; and reporting more often, so that no test need wait for it.
NODE = [sys.executable, '-m', 'dig2dig_ros.ros.detector_node', '--ros-args']
QUICK = [sys.executable, '-c', 'from dig2dig_ros.ros import detector_node, detector_statistics\n'
         'detector_node.DIAGNOSTICS_PERIOD_S, detector_statistics.SILENT_S = 0.1, 0.5\n'
         'raise SystemExit(detector_node.main())', '--ros-args']
SECOND_NS = 1_000_000_000
WHITE, BLACK = (np.full((48, 64, 3), value, np.uint8) for value in (255, 0))
# The 32x32 input has 8 rows of grey 114 about the white picture.
SURE = (24 + 8 * 114 / 255) / 32


@pytest.fixture(scope='module')
def model(tmp_path_factory):
    """A YOLOv8 layout, 1 x (4 + 2) x 8: a box of 8x8 about (16, 16), of class 1."""
    boxes, mask = np.zeros((1, 4, 8), np.float32), np.zeros((1, 2, 8), np.float32)
    boxes[0, :, 3], mask[0, 1, 3] = (16, 16, 8, 8), 1
    constants = {'boxes': boxes, 'mask': mask, 'shape': np.array([1, 1, 1])}
    graph = helper.make_graph(
        [helper.make_node('GlobalAveragePool', ['images'], ['channels']),
         helper.make_node('ReduceMean', ['channels'], ['mean'], axes=[1]),
         helper.make_node('Reshape', ['mean', 'shape'], ['bright']),
         helper.make_node('Mul', ['bright', 'mask'], ['scores']),
         helper.make_node('Concat', ['boxes', 'scores'], ['output'], axis=1)],
        'tiny', [helper.make_tensor_value_info('images', TensorProto.FLOAT, [1, 3, 32, 32])],
        [helper.make_tensor_value_info('output', TensorProto.FLOAT, [1, 6, 8])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 13)], ir_version=8)
    helper.set_model_props(made, {'names': "{0: 'cold', 1: 'car'}"})
    path = tmp_path_factory.mktemp('model') / 'tiny.onnx'
    onnx.save(made, str(path))
    return path


@pytest.fixture
def live(tmp_path):
    with bench(tmp_path, namespace='/robot') as made:
        yield made


def detector(live, model):
    return live.start(*QUICK, '-r', '__ns:=/robot', '-p', f'model:={model}')


def status(live):
    return live.levels.get('robot/detector_node: detector')


def send_until(live, image, done):
    number = iter(range(1, 10**6))
    live.spin_until(lambda: live.publish('image', image_message(
        image, 'bgr8', next(number) * SECOND_NS, 'camera')) or done(), 'the detector')


def test_the_file_without_a_node(model):
    found = OnnxDetector(model).find(WHITE)
    assert found.boxes.tolist() == [[24, 16, 16, 16]]
    assert found.scores == pytest.approx([SURE], abs=1e-5)
    assert OnnxDetector(model).labels == ('cold', 'car')
    assert len(OnnxDetector(model).find(BLACK)) == 0
    assert len(OnnxDetector(model, confidence=0.05, every_class=True).find(BLACK)) == 1


def test_the_table_of_the_demo(model):
    """In every bright picture one car is found: true in the first moment, false in the second."""
    moments = [Moment(WHITE[..., 0], BLACK, WHITE, np.ones((48, 64), np.float32), [box])
               for box in (Box('car', 24, 16, 16, 16), Box('pedestrian', 0, 0, 9, 9))]
    picture, text = detection_report(OnnxDetector(model), moments, 1)
    assert picture.shape == (48 + 32, 3 * (64 + 8), 3)  # of the first moment only
    assert [line.split() for line in text.splitlines()[1:]] == [
        f'{label} {view} found {found} of 1, {false} false'.split()
        for label, view, found, false in (
            ('pedestrian', 'infrared', 0, 0), ('pedestrian', 'visible', 0, 0),
            ('pedestrian', 'fused', 0, 0), ('car', 'infrared', 1, 1), ('car', 'visible', 0, 0),
            ('car', 'fused', 1, 1))]


def test_boxes_on_the_picture(live, model):
    process = detector(live, model)
    live.listen('detections/image')
    if Detection2DArray:
        live.listen('detections', message_type=Detection2DArray)
    send_until(live, WHITE, lambda: live.heard['detections/image'])
    message = live.heard['detections/image'][-1]
    picture = pixels(message)
    assert (message.header.frame_id, stamp(message) % SECOND_NS) == ('camera', 0)
    assert picture.shape == WHITE.shape
    assert (picture[24, 24] != 255).any()  # on the left edge of the box
    assert (picture[24, 32] == 255).all()  # inside it
    if Detection2DArray:
        live.spin_until(lambda: live.heard['detections'], 'detections')
        one = live.heard['detections'][-1].detections[0]
        assert one.results[0].hypothesis.class_id == 'car'
        assert (one.bbox.center.position.x, one.bbox.size_x) == (32, 16)
    assert live.set_parameters('detector_node', confidence=1.5) != ''
    assert live.set_parameters('detector_node', confidence=0.95) == ''
    live.clear()
    send_until(live, WHITE, lambda: any(
        (pixels(heard) == 255).all() for heard in live.heard['detections/image']))
    assert process.end() == 0
    assert 'Traceback' not in process.log


def test_every_image_is_accounted_for(live, model):
    detector(live, model)
    figures = {}

    def listen(message):
        for one in message.status:
            if one.name.endswith(': detector'):
                figures.update({entry.key: entry.value for entry in one.values})

    from diagnostic_msgs.msg import DiagnosticArray
    live.node.create_subscription(DiagnosticArray, '/diagnostics', listen, 10)
    send_until(live, WHITE, lambda: int(figures.get('images dropped: no subscriber', 0)))
    live.listen('detections/image')
    send_until(live, WHITE, lambda: len(live.heard['detections/image']) > 3)
    bad = image_message(WHITE, 'bgr8', 1)
    bad.step = 1
    live.spin_until(lambda: live.publish('image', bad)
                    or figures.get('images dropped: unreadable'), 'the bad image')

    def settled():
        parts = sum(int(value) for name, value in figures.items()
                    if name == 'images detected in' or name.startswith('images dropped'))
        return parts == int(figures['images in'])

    live.spin_until(settled, 'an account of every image')
    assert 'step' in figures['last error']
    assert figures['objects'] == figures['images detected in']
    assert figures['family'] == 'YOLOv8'
    assert figures['runs on'].endswith('ExecutionProvider')
    live.spin_until(lambda: status(live) == 1, 'a warning: no image')


@pytest.mark.parametrize(('assignment', 'complaint'), [
    ('model:=""', 'the parameter model is empty'),
    ('model:=no/such.onnx', 'no/such.onnx does not exist'),
    ('model:=LABELS', 'cannot be loaded as ONNX'),
    ('labels:=LABELS', 'its labels name 3')])
def test_a_bad_file_is_one_line(live, model, tmp_path, assignment, complaint):
    labels = tmp_path / 'labels.txt'
    labels.write_text('cat\ndog\ncow\n')
    process = live.start(*NODE, '-p', f'model:={model}', '-p',
                         assignment.replace('LABELS', str(labels)))
    assert process.wait() == 2
    lines = [line for line in process.log.splitlines() if line.strip()]
    assert lines[-1].startswith('detector_node: error: ')
    assert complaint in lines[-1]
    assert 'Traceback' not in process.log
