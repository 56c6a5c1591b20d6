"""Detection scores of the views of a set of pairs."""

from collections.abc import Mapping

import numpy as np

from dig2dig_ros.detection.detections import Detections
from dig2dig_ros.errors import InputError
from dig2dig_ros.evaluation.detection.average_precision import Precision, average_precision
from dig2dig_ros.evaluation.detection.truth import Truth
from dig2dig_ros.evaluation.detection.views import CAMERA_VIEWS, Observer

Size = tuple[int, int]


class ViewScores:
    """Gathers what detectors find, picture by picture, and scores it at the end."""

    def __init__(self, truths: Mapping[str, Truth], detectors: Mapping[str, Observer]):
        """:param truths: by stem; detectors by name.

        :raises InputError: where a detector knows none of the labelled classes.
        """
        self._truths, self._detectors = truths, detectors
        self._found: dict[tuple[str, str], dict[str, Detections]] = {}
        self._sizes: dict[str, Size] = {}
        labelled = sorted({name for truth in truths.values() for name in truth.names})
        for name, observer in detectors.items():
            if not set(labelled) & set(observer.labels):
                raise InputError(f'{name} knows none of the labelled classes '
                                 f'({", ".join(labelled) or "no label at all"}); '
                                 '--label-names spells them as the detector does')

    def add(self, stem: str, infrared: np.ndarray, visible: np.ndarray,
            fused: Mapping[str, np.ndarray]) -> None:
        """Show the pictures of one pair to all detectors.

        :param infrared: uint8, H x W or H x W x 3 (BGR); likewise visible and fused, whose size
            may be another.
        :param fused: by view.
        :raises InputError: where the cameras' sizes differ.
        """
        size = visible.shape[1], visible.shape[0]
        for name, observer in self._detectors.items():
            found = observer.find_in_pair(infrared, visible)
            for view, picture in fused.items():
                found[view] = _scaled(observer.find(picture), picture, size)
            for view, objects in found.items():
                self._found.setdefault((view, name), {})[stem] = objects
        self._sizes[stem] = size

    def scores(self) -> dict[str, dict[str, Precision]]:
        """By view (fused ones first), by detector, by class: ap50 and ap."""
        views = dict.fromkeys(view for view, _ in self._found)
        fused_first = sorted(views, key=lambda view: view in CAMERA_VIEWS)
        truths = {stem: self._truths[stem] for stem in self._sizes}
        return {view: {name: average_precision(truths, self._found[view, name], observer.labels,
                                               self._sizes)
                       for name, observer in self._detectors.items()} for view in fused_first}


def _scaled(found: Detections, picture: np.ndarray, size: Size) -> Detections:
    factor = np.tile([size[0] / picture.shape[1], size[1] / picture.shape[0]], 2)
    return Detections.make(found.boxes * factor, found.scores, found.classes)
