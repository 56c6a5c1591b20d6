"""A detector from an ONNX file, run by onnxruntime."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dig2dig_ros.detection.detections import Detections, suppress
from dig2dig_ros.detection.labels import COCO, labels_in_metadata
from dig2dig_ros.detection.layouts import recognise
from dig2dig_ros.detection.letterbox import place
from dig2dig_ros.errors import InputError

DEFAULT_SIDE_PX = 640  # where the file leaves the input size open, as YOLO exports may
PROVIDERS = ('CUDAExecutionProvider', 'OpenVINOExecutionProvider', 'CPUExecutionProvider')
TYPES = {'tensor(float)': np.float32, 'tensor(float16)': np.float16}


class OnnxDetector:
    """Finds objects in 8-bit images: YOLOX, YOLOv5, YOLOv8, YOLO11 and FastestDet files.

    The layout is told by what the file says of itself: input, metadata, and the shape of its
    output for one grey picture, which also warms it up. The picture is brought to the input as
    the family was trained (letterbox, channel order, range).

    Attributes:
        family: of the layout.
        labels: names of the classes.
        provider: of onnxruntime, that runs the file.
    """

    def __init__(self, model: Path, labels: Sequence[str] | None = None, confidence: float = 0.5,
                 overlap: float = 0.45, threads: int = 0,
                 providers: Sequence[str] = PROVIDERS, every_class: bool = False):
        """Load the file.

        :param labels: class names; left out: those in the file, or COCO's.
        :param confidence: below which a detection does not count, 0..1.
        :param overlap: intersection over union above which two boxes of a class are one, 0..1.
        :param threads: of one picture, 0 for onnxruntime's own choice.
        :param providers: of onnxruntime, in order of preference; those absent are passed over.
        :param every_class: let a box count for every class whose score reaches `confidence`, as
            average precision is measured, and not for its most probable class alone.
        :raises InputError: where the file is missing or is no such detector.
        """
        self._session = _session(model, threads, providers)
        self.provider = self._session.get_providers()[0]
        self._input = self._session.get_inputs()[0]
        if len(self._input.shape) != 4 or self._input.shape[1] != 3 \
                or self._input.type not in TYPES:
            raise InputError(f'{model} takes {self._input.type} {self._input.shape}; '
                             'it must take 1 x 3 x H x W of float or float16')
        self._size = tuple(side if isinstance(side, int) else DEFAULT_SIDE_PX
                           for side in self._input.shape[2:])
        self.confidence, self._overlap, self._every_class = confidence, overlap, every_class
        named = labels or labels_in_metadata(
            self._session.get_modelmeta().custom_metadata_map)
        probe = self._run(np.full((1, 3, *self._size), 0.5))
        try:
            self._layout = recognise(probe, *self._size, len(named) if named else None)
        except InputError as error:
            raise InputError(f'{model} {error}') from error
        self.family = self._layout.family
        self.labels = tuple(named or self._default_labels(probe))

    def find(self, image: np.ndarray) -> Detections:
        """Objects in an image, the most certain first.

        :param image: uint8, H x W or H x W x 3 (BGR).
        """
        canvas, placement = place(image, *self._size, self._layout.fit)
        channels = canvas[..., ::-1] if self._layout.rgb else canvas
        tensor = channels.transpose(2, 0, 1)[None] * np.float32(self._layout.unit / 255)
        boxes, scores = self._layout.decode(self._run(tensor)[0], *self._size)
        rows, classes = self._certain(scores)
        boxes = boxes[rows].astype(np.float64)
        boxes[:, :2] -= boxes[:, 2:] / 2
        return suppress(Detections.make(placement.back(boxes), scores[rows, classes], classes),
                        self._overlap)

    def _certain(self, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        if self._every_class:
            return np.nonzero(scores >= self.confidence)
        classes = scores.argmax(axis=1)
        rows = np.nonzero(scores[np.arange(len(scores)), classes] >= self.confidence)[0]
        return rows, classes[rows]

    def _run(self, tensor: np.ndarray) -> np.ndarray:
        tensor = np.ascontiguousarray(tensor, TYPES[self._input.type])
        return self._session.run(None, {self._input.name: tensor})[0].astype(
            np.float32, copy=False)

    def _default_labels(self, output: np.ndarray) -> tuple[str, ...]:
        count = self._layout.decode(output[0], *self._size)[1].shape[1]
        return COCO if count == len(COCO) else tuple(f'class {i}' for i in range(count))


def _session(model: Path, threads: int, providers: Sequence[str]):
    import onnxruntime
    if not model.is_file():
        raise InputError(f'{model} does not exist; give an ONNX detector file')
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = threads, 3
    present = onnxruntime.get_available_providers()
    try:
        return onnxruntime.InferenceSession(
            str(model), options, providers=[name for name in providers if name in present])
    except Exception as error:  # onnxruntime's own errors share no public base class
        raise InputError(f'{model} cannot be loaded as ONNX: {error}'.splitlines()[0]) from error
