"""Other framings of a picture: by how much a detector's score on few pictures moves by chance.

A fused picture that a detector really likes better, it likes better mirrored, and without a few
rows and columns at the border, too.
"""

import dataclasses

import numpy as np

from dig2dig_ros.evaluation.detection.truth import Truth


@dataclasses.dataclass(frozen=True)
class Framing:
    """What of a picture is shown, and how.

    Attributes:
        mirrored: left for right.
        cut: pixels that are left out at the left, top, right and bottom.
    """

    mirrored: bool = False
    cut: tuple[int, int, int, int] = (0, 0, 0, 0)

    def picture(self, image: np.ndarray) -> np.ndarray:
        """H x W or H x W x C, framed."""
        (left, top), (right, bottom) = self._corners(image.shape[1], image.shape[0])
        part = image[top:bottom, left:right]
        return np.ascontiguousarray(part[:, ::-1] if self.mirrored else part)

    def truth(self, truth: Truth, width: int, height: int) -> Truth:
        """The objects of a framed picture; what is left out of it is none of them.

        :param width: in pixels, of the whole picture; so is height.
        """
        first, last = self._corners(width, height)
        size = np.array([width, height])
        start = (truth.boxes[:, :2] * size).clip(first, last)
        stop = ((truth.boxes[:, :2] + truth.boxes[:, 2:]) * size).clip(first, last)
        boxes = np.hstack([start - first, stop - start]) / np.tile(last - first, 2)
        if self.mirrored:
            boxes[:, 0] = 1 - boxes[:, 0] - boxes[:, 2]
        kept = (boxes[:, 2:] > 0).all(axis=1)
        return Truth(boxes[kept], tuple(np.array(truth.names, object)[kept]))

    def _corners(self, width: int, height: int) -> tuple[np.ndarray, np.ndarray]:
        """Top left and bottom right of what is shown, in pixels of the whole picture."""
        left, top, right, bottom = self.cut
        return np.array([left, top]), np.array([width - right, height - bottom])


WHOLE = Framing()
FRAMINGS = (WHOLE, Framing(mirrored=True), Framing(cut=(10, 6, 0, 0)),
            Framing(cut=(0, 0, 14, 10)))
