"""A person detector from an ONNX file: FastestDet, or the YOLOv5 and YOLOv8 families."""

import dataclasses
from pathlib import Path

import cv2
import numpy as np

from dig2dig_ros.errors import InputError

PERSON = 0  # of the 80 COCO classes
DEFAULT_SIDE_PX = 640  # where the file leaves the input size open, as YOLO exports may


@dataclasses.dataclass(frozen=True)
class Detection:
    """One person: confidence in [0, 1], and the box (x, y, width, height) in image pixels."""

    confidence: float
    box: tuple[float, float, float, float]


class PersonDetector:
    """Finds people in 8-bit images through onnxruntime, on the CPU.

    The layout of the output tells the family: 1 x (5 + C) x h x w is FastestDet, 1 x N x (5 + C)
    is YOLOv5, 1 x (4 + C) x N is YOLOv8. The picture is stretched to the network's input.
    """

    def __init__(self, model: Path, confidence: float = 0.5, overlap: float = 0.45):
        """Load the file.

        :param confidence: below which a detection does not count, 0..1.
        :param overlap: intersection over union above which two boxes are one person, 0..1.
        :raises InputError: where the file is missing or is no such detector.
        """
        import onnxruntime
        if not model.is_file():
            raise InputError(f'{model} does not exist; give an ONNX detector file')
        try:
            self._session = onnxruntime.InferenceSession(
                str(model), providers=['CPUExecutionProvider'])
        except Exception as error:  # onnxruntime's own errors share no public base class
            raise InputError(f'{model} cannot be loaded as ONNX: {error}'.splitlines()[0]) \
                from error
        self._input = self._session.get_inputs()[0]
        if len(self._input.shape) != 4 or self._input.shape[1] != 3:
            raise InputError(f'{model} takes {self._input.shape}; it must take 1 x 3 x H x W')
        self._confidence, self._overlap, self._name = confidence, overlap, str(model)

    def find(self, image: np.ndarray) -> list[Detection]:
        """People in an image, the most certain first.

        :param image: uint8, H x W or H x W x 3 (BGR).
        """
        height, width = (side if isinstance(side, int) else DEFAULT_SIDE_PX
                         for side in self._input.shape[2:])
        output = self._session.run(None, {self._input.name: _tensor(image, height, width)})[0]
        scores, boxes = self._decode(output, height, width)
        boxes = boxes * np.tile([image.shape[1], image.shape[0]], 2)
        kept = cv2.dnn.NMSBoxes(boxes.tolist(), scores.tolist(), self._confidence, self._overlap)
        return [Detection(float(scores[i]), tuple(map(float, boxes[i])))
                for i in np.array(kept, int).ravel()]

    def _decode(self, output: np.ndarray, height: int,
                width: int) -> tuple[np.ndarray, np.ndarray]:
        if output.ndim == 4 and output.shape[1] > 5:
            return decode_grid(output[0])
        if output.ndim == 3 and output.shape[2] < output.shape[1]:
            return decode_rows(output[0], height, width, has_objectness=True)
        if output.ndim == 3:
            return decode_rows(output[0].T, height, width, has_objectness=False)
        raise InputError(f'{self._name} puts out {output.shape}; known are FastestDet, YOLOv5 '
                         'and YOLOv8 outputs')


def decode_grid(cells: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Decode FastestDet: one box for each cell of the grid.

    :param cells: (5 + C) x h x w: objectness, box (tanh offset from the cell's corner in cells,
        sigmoid size as part of the image), class probabilities.
    :returns: person scores, n; boxes n x 4 (x, y, width, height) in parts of the image.
    """
    rows, columns = np.mgrid[:cells.shape[1], :cells.shape[2]]
    # The published post-processing: objectness and class weigh 0.6 to 0.4, geometrically, and a
    # cell is a person only where that is its most probable class.
    scores = cells[0] ** 0.6 * cells[5:].max(axis=0) ** 0.4
    scores = np.where(cells[5:].argmax(axis=0) == PERSON, scores, 0)
    box_w, box_h = _sigmoid(cells[3]), _sigmoid(cells[4])
    x = (columns + np.tanh(cells[1])) / cells.shape[2] - box_w / 2
    y = (rows + np.tanh(cells[2])) / cells.shape[1] - box_h / 2
    return scores.ravel(), np.stack([x, y, box_w, box_h], axis=-1).reshape(-1, 4)


def decode_rows(rows: np.ndarray, height: int, width: int,
                has_objectness: bool) -> tuple[np.ndarray, np.ndarray]:
    """Decode YOLOv5 (with objectness) and YOLOv8 (without): one box a row.

    :param rows: n x (4 + 1 + C) or n x (4 + C): centre and size in network pixels, scores.
    :returns: as `decode_grid`.
    """
    classes = rows[:, 5:] * rows[:, 4:5] if has_objectness else rows[:, 4:]
    scores = np.where(classes.argmax(axis=1) == PERSON, classes[:, PERSON], 0)
    boxes = rows[:, :4] / np.array([width, height, width, height])
    boxes[:, :2] -= boxes[:, 2:] / 2
    return scores, boxes


def draw(image: np.ndarray, people: list[Detection]) -> np.ndarray:
    """The image with a box and the confidence for each person, uint8 H x W x 3 (BGR)."""
    picture = cv2.cvtColor(image, cv2.COLOR_GRAY2BGR) if image.ndim == 2 else image.copy()
    for person in people:
        x, y, width, height = map(round, person.box)
        cv2.rectangle(picture, (x, y), (x + width, y + height), (0, 220, 255), 2)
        cv2.putText(picture, f'{person.confidence:.2f}', (x, max(y - 4, 12)),
                    cv2.FONT_HERSHEY_SIMPLEX, 0.5, (0, 220, 255), 1, cv2.LINE_AA)
    return picture


def _tensor(image: np.ndarray, height: int, width: int) -> np.ndarray:
    picture = cv2.cvtColor(image, cv2.COLOR_GRAY2BGR) if image.ndim == 2 else image
    picture = cv2.resize(picture, (width, height), interpolation=cv2.INTER_LINEAR)
    return picture.transpose(2, 0, 1)[None].astype(np.float32) / 255


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))
