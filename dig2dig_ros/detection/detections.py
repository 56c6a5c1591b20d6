"""What a detector found in one picture, and non-maximum suppression."""

import dataclasses
from collections.abc import Sequence

import cv2
import numpy as np


@dataclasses.dataclass(frozen=True)
class Detections:
    """Objects in one picture, the most certain first.

    Attributes:
        boxes: float32 n x 4: x and y of the top left corner, width, height; image pixels.
        scores: float32 n, in [0, 1].
        classes: int32 n, numbers into the detector's labels.
    """

    boxes: np.ndarray
    scores: np.ndarray
    classes: np.ndarray

    def __len__(self) -> int:
        return len(self.scores)

    def where(self, keep: np.ndarray) -> 'Detections':
        """Those that a boolean mask or an array of indices names."""
        return Detections(self.boxes[keep], self.scores[keep], self.classes[keep])

    @staticmethod
    def make(boxes: np.ndarray, scores: np.ndarray, classes: np.ndarray) -> 'Detections':
        """From arrays of any number type, in the order given."""
        return Detections(np.asarray(boxes, np.float32).reshape(-1, 4),
                          np.asarray(scores, np.float32), np.asarray(classes, np.int32))


def suppress(found: Detections, overlap: float) -> Detections:
    """Greedy non-maximum suppression within each class, the most certain first.

    :param overlap: intersection over union above which the less certain box goes, 0..1.
    """
    kept = np.zeros(0, int)
    # Class by class: every box is compared with every other, and a detector whose scores are
    # taken down to 0.01 gives thousands of them.
    for number in np.unique(found.classes):
        mine = np.flatnonzero(found.classes == number)
        best = cv2.dnn.NMSBoxes(found.boxes[mine].tolist(), found.scores[mine].tolist(), 0.0,
                                overlap)
        kept = np.append(kept, mine[np.asarray(best, int).ravel()])
    return found.where(kept[np.argsort(-found.scores[kept], kind='stable')])


def merge(parts: Sequence[Detections], overlap: float) -> Detections:
    """Late fusion: the boxes of several pictures of one view, suppressed together."""
    return suppress(Detections(*(np.concatenate([getattr(part, name) for part in parts])
                                 for name in ('boxes', 'scores', 'classes'))), overlap)
