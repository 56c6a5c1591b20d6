"""What a detector is shown of a pair, and what it finds there."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np

from dig2dig_ros.detection.detections import Detections, merge
from dig2dig_ros.detection.onnx_detector import OnnxDetector
from dig2dig_ros.errors import InputError

CAMERA_VIEWS = ('infrared', 'visible', 'mean', 'maximum', 'late')
SCORE = 0.001  # of the weakest box that counts for average precision, as is usual
OVERLAP = 0.6


def camera_pictures(infrared: np.ndarray, visible: np.ndarray) -> dict[str, np.ndarray]:
    """The pictures of a pair that need no fusion: each camera, pixelwise mean and maximum.

    :param infrared: uint8, H x W or H x W x 3 (BGR); likewise visible.
    :returns: uint8 by view; mean and maximum H x W x 3, of each channel with the infrared image.
    :raises InputError: where the sizes differ.
    """
    if infrared.shape[:2] != visible.shape[:2]:
        raise InputError(f'the infrared image is {infrared.shape[1]}x{infrared.shape[0]} pixels '
                         f'and the visible one {visible.shape[1]}x{visible.shape[0]}; a pair is '
                         'aligned pixel by pixel')
    hot, bright = (cv2.cvtColor(image, cv2.COLOR_GRAY2BGR) if image.ndim == 2 else image
                   for image in (infrared, visible))
    return {'infrared': infrared, 'visible': visible, 'mean': cv2.addWeighted(
        hot, 0.5, bright, 0.5, 0), 'maximum': np.maximum(hot, bright)}


class Observer:
    """Shows pictures to one detector, and remembers by their content what it found.

    Only pictures that come again are remembered (of cameras: `remember`), in memory and, with
    `cache`, in files, so that a study that fuses again asks the detector for its own pictures
    alone.
    """

    def __init__(self, model: Path, cache: Path | None = None, threads: int = 1):
        """Load the detector.

        :param cache: folder for what was found.
        :raises InputError: where the file is no detector.
        """
        self.detector = OnnxDetector(model, confidence=SCORE, overlap=OVERLAP, threads=threads,
                                     providers=('CPUExecutionProvider',), every_class=True)
        self.labels = self.detector.labels
        self._cache = None
        if cache:
            rules = f'{SCORE} {OVERLAP} every class'.encode()
            key = hashlib.sha1(model.read_bytes() + rules).hexdigest()
            self._cache = cache / f'{model.stem}-{key[:12]}'
            self._cache.mkdir(parents=True, exist_ok=True)
        self._memory: dict[str, Detections] = {}

    def find(self, image: np.ndarray, remember: bool = False) -> Detections:
        """What the detector finds in a picture, down to a score of 0.001.

        :param image: uint8, H x W or H x W x 3 (BGR).
        """
        if not remember:
            return self.detector.find(image)
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


def observers(models: Sequence[Path], cache: Path | None = None,
              threads: int = 1) -> Mapping[str, Observer]:
    """An observer for each file, by file name.

    :raises InputError: where two share a name, or one is no detector.
    """
    found: dict[str, Observer] = {}
    for model in models:
        if model.name in found:
            raise InputError(f'--detector names {model.name} twice; figures are kept by file '
                             'name, so give each file its own')
        found[model.name] = Observer(model, cache, threads)
    return found
