"""Pictures with boxes."""

from collections.abc import Sequence

import cv2
import numpy as np

from dig2dig_ros.detection.detections import Detections

COLOURS = ((0, 220, 255), (255, 160, 0), (120, 255, 80), (220, 80, 255), (60, 120, 255))


def draw(image: np.ndarray, found: Detections, labels: Sequence[str] = ()) -> np.ndarray:
    """The image with a box, the name and the score of each object, uint8 H x W x 3 (BGR).

    :param image: uint8, H x W or H x W x 3 (BGR); left as it is.
    :param labels: class names; without them the scores stand alone.
    """
    picture = cv2.cvtColor(image, cv2.COLOR_GRAY2BGR) if image.ndim == 2 else image.copy()
    for box, score, number in zip(found.boxes, found.scores, found.classes, strict=True):
        x, y, width, height = (round(float(value)) for value in box)
        colour = COLOURS[number % len(COLOURS)]
        text = f'{labels[number]} {score:.2f}' if labels else f'{score:.2f}'
        cv2.rectangle(picture, (x, y), (x + width, y + height), colour, 2)
        cv2.putText(picture, text, (x, max(y - 4, 12)), cv2.FONT_HERSHEY_SIMPLEX, 0.5, colour,
                    1, cv2.LINE_AA)
    return picture
