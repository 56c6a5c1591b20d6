"""What a detector finds in the demo's pictures, against the rendered street's truth."""

from collections.abc import Sequence

import cv2
import numpy as np

from dig2dig_ros.camera.thermal import GainControl
from dig2dig_ros.detection.drawing import draw
from dig2dig_ros.detection.matching import Tally, tally
from dig2dig_ros.detection.onnx_detector import OnnxDetector
from dig2dig_ros.ros.demo.listener import Moment
from dig2dig_ros.ros.demo.report import titled

VIEWS = ('infrared', 'visible', 'fused')
# How detectors call what the street has.
NAMES = {'pedestrian': 'person', 'car': 'car'}
TRUE_COLOUR = (255, 255, 255)


def detection_report(detector: OnnxDetector, moments: Sequence[Moment],
                     rows: int) -> tuple[np.ndarray, str]:
    """Show each moment's pictures to the detector.

    :param rows: moments in the picture, spread over all.
    :returns: the strip, boxes coloured and true ones thin and white; and a table of all moments.
    """
    gain, total = GainControl(), {}
    lines = []
    for number, moment in enumerate(moments):
        line = []
        for view, picture in zip(VIEWS, _pictures(moment, gain), strict=True):
            found = detector.find(picture)
            for label, name in NAMES.items():
                mine = [number for number, known in enumerate(detector.labels) if known == name]
                truth = [tuple(box[1:]) for box in moment.boxes if box.label == label]
                counted = tally(found.where(np.isin(found.classes, mine)), truth)
                total[view, label] = total.get((view, label), Tally(0, 0, 0)) + counted
            line.append(titled(_with_truth(draw(picture, found, detector.labels), moment), view))
        if number % max(1, len(moments) // rows) == 0 and len(lines) < rows:
            lines.append(np.hstack(line))
    return np.vstack(lines), _table(total, detector, len(moments))


def _pictures(moment: Moment, gain: GainControl) -> tuple[np.ndarray, ...]:
    height, width = moment.visible.shape[:2]
    return cv2.resize(gain(moment.infrared), (width, height)), moment.visible, moment.fused


def _with_truth(picture: np.ndarray, moment: Moment) -> np.ndarray:
    for box in moment.boxes:
        left, top, width, height = map(round, box[1:])
        cv2.rectangle(picture, (left, top), (left + width, top + height), TRUE_COLOUR, 1)
    return picture


def _table(total: dict[tuple[str, str], Tally], detector: OnnxDetector, moments: int) -> str:
    lines = [f'  {detector.family} in {moments} moments, at confidence {detector.confidence:g}, '
             'overlap 0.5']
    for label in NAMES:
        for view in VIEWS:
            counted = total[view, label]
            found = f'found {counted.found} of {counted.objects}, ' if counted.objects else ''
            lines.append(f'  {label:<10}  {view:<8}  {found}{counted.false} '
                         f'{"false" if counted.objects else "(no truth known)"}')
    return '\n'.join(lines)
