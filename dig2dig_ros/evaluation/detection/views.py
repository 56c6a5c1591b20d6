"""What a detector is shown of a pair, and what it finds there."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np

from dig2dig_ros.detection.detections import Detections, merge, suppress
from dig2dig_ros.detection.onnx_detector import OnnxDetector
from dig2dig_ros.errors import InputError
from dig2dig_ros.evaluation.detection.truth import LabelNames

CAMERA_VIEWS = ('infrared', 'visible', 'mean', 'maximum', 'late')
SCORE = 0.01  # of the weakest box that counts for average precision
OVERLAP = 0.5  # above which two boxes of a class are one


def camera_pictures(infrared: np.ndarray, visible: np.ndarray) -> dict[str, np.ndarray]:
    """The pictures of a pair that need no fusion: each camera, pixelwise mean and maximum.

    Mean and maximum are of luminance (BT.601) under the colours of the visible image, as a fused
    picture is coloured.

    :param infrared: uint8, H x W or H x W x 3 (BGR); likewise visible.
    :returns: uint8 by view, infrared as it is and the others of the visible image's shape.
    :raises InputError: where the sizes differ.
    """
    if infrared.shape[:2] != visible.shape[:2]:
        raise InputError(f'the infrared image is {infrared.shape[1]}x{infrared.shape[0]} pixels '
                         f'and the visible one {visible.shape[1]}x{visible.shape[0]}; a pair is '
                         'aligned pixel by pixel')
    hot = infrared if infrared.ndim == 2 else cv2.cvtColor(infrared, cv2.COLOR_BGR2GRAY)
    return {'infrared': infrared, 'visible': visible,
            'mean': _on_luminance(visible, lambda grey: cv2.addWeighted(grey, 0.5, hot, 0.5, 0)),
            'maximum': _on_luminance(visible, lambda grey: np.maximum(grey, hot))}


def _on_luminance(image: np.ndarray, change: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    if image.ndim == 2:
        return change(image)
    planes = cv2.cvtColor(image, cv2.COLOR_BGR2YCrCb)
    planes[..., 0] = change(planes[..., 0])
    return cv2.cvtColor(planes, cv2.COLOR_YCrCb2BGR)


class Observer:
    """Shows pictures to one detector, and remembers by their content what it found.

    Only pictures that come again are remembered (of cameras: `remember`), in memory and, with
    `cache`, in files, so that a study that fuses again asks the detector for its own pictures
    alone.

    Attributes:
        labels: names of the labels that the detector knows.
    """

    def __init__(self, model: Path, names: LabelNames, cache: Path | None = None,
                 threads: int = 1):
        """Load the detector.

        :param names: of the labels, see `truth.label_names`. What it finds of the alternatives
            of one label are boxes of one class.
        :param cache: folder for what was found.
        :raises InputError: where the file is no detector.
        """
        self.detector = OnnxDetector(model, confidence=SCORE, overlap=OVERLAP, threads=threads,
                                     providers=('CPUExecutionProvider',), every_class=True)
        known = {name: index for index, name in enumerate(self.detector.labels)}
        self.labels = tuple(name for name, these in names.items() if known.keys() & set(these))
        self._classes = np.full(len(self.detector.labels), -1)
        for number, name in enumerate(self.labels):
            self._classes[[known[one] for one in names[name] if one in known]] = number
        self._cache = None
        if cache:
            rules = f'{SCORE} {OVERLAP} every class'.encode()
            key = hashlib.sha1(model.read_bytes() + rules).hexdigest()
            self._cache = cache / f'{model.stem}-{key[:12]}'
            self._cache.mkdir(parents=True, exist_ok=True)
        self._memory: dict[str, Detections] = {}

    def find(self, image: np.ndarray, remember: bool = False) -> Detections:
        """What the detector finds in a picture, down to a score of 0.01, as numbers into `labels`.

        :param image: uint8, H x W or H x W x 3 (BGR).
        """
        found = self._recall(image) if remember else self.detector.find(image)
        classes = self._classes[found.classes]
        labelled = Detections(found.boxes, found.scores, classes.astype(np.int32))
        return suppress(labelled.where(classes >= 0), OVERLAP)

    def _recall(self, image: np.ndarray) -> Detections:
        key = hashlib.sha1(f'{image.shape}'.encode() + image.tobytes()).hexdigest()
        if key not in self._memory:
            self._memory[key] = self._from_file(key, image)
        return self._memory[key]

    def find_in_pair(self, infrared: np.ndarray, visible: np.ndarray,
                     views: Sequence[str] = CAMERA_VIEWS) -> dict[str, Detections]:
        """What it finds in a pair without fusion, by view.

        `late` are the boxes of both cameras, suppressed by class: two runs of the detector.

        :raises InputError: as `camera_pictures`.
        """
        pictures = camera_pictures(infrared, visible)
        found = {view: self.find(picture, remember=True) for view, picture in pictures.items()
                 if view in views or (view in ('infrared', 'visible') and 'late' in views)}
        if 'late' in views:
            found['late'] = merge([found['infrared'], found['visible']], OVERLAP)
        return {view: found[view] for view in views}

    def _from_file(self, key: str, image: np.ndarray) -> Detections:
        path = self._cache / f'{key}.npy' if self._cache else None
        if path and path.is_file():
            rows = np.load(path)
            return Detections.make(rows[:, :4], rows[:, 4], rows[:, 5])
        found = self.detector.find(image)
        if path:
            part = path.with_suffix('.part')
            with part.open('wb') as file:
                np.save(file, np.column_stack([found.boxes, found.scores, found.classes]))
            part.replace(path)
        return found


def observers(models: Sequence[Path], names: LabelNames, cache: Path | None = None,
              threads: int = 1) -> Mapping[str, Observer]:
    """An observer for each file, by file name.

    :raises InputError: where two share a name, or one is no detector.
    """
    found: dict[str, Observer] = {}
    for model in models:
        if model.name in found:
            raise InputError(f'--detector names {model.name} twice; figures are kept by file '
                             'name, so give each file its own')
        found[model.name] = Observer(model, names, cache, threads)
    return found
