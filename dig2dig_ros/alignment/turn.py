"""Two cameras whose lenses are known, at one place: how one is turned against the other.

Their images without distortion differ by K_v R diag(s, s, 1) K_i^-1: three rotations, and the
ratio s by which the focal lengths are off each other. Those are four unknowns, as of a similarity,
and hold over the whole picture. Things nearer than infinity are off by the parallax.
"""

import dataclasses
from collections.abc import Sequence

import cv2
import numpy as np

from dig2dig_ros.alignment.lens import project
from dig2dig_ros.alignment.pyramid import Frame
from dig2dig_ros.alignment.refine import resizing
from dig2dig_ros.alignment.rig import Camera, CameraRig

Lenses = tuple[Camera, Camera]
"""Of the infrared and of the visible camera."""


@dataclasses.dataclass(frozen=True)
class Turn:
    """A `Motion`: visible ray = rotation diag(ratio, ratio, 1) infrared ray.

    Attributes:
        infrared: K of the image without distortion, 3 x 3, in pixels of some level.
        visible: likewise.
        rotation: 3 x 3.
        ratio: true focal length of the visible camera to what its K says, over that of infrared.
    """

    infrared: np.ndarray
    visible: np.ndarray
    rotation: np.ndarray
    ratio: float = 1.0

    @classmethod
    def near(cls, similarity: np.ndarray, infrared: np.ndarray, visible: np.ndarray) -> 'Turn':
        """Take what a similarity does at the infrared principal point.

        :param similarity: 2 x 3, infrared to visible pixels.
        :param infrared: K, as the attribute.
        :param visible: K, as the attribute.
        """
        ray = np.linalg.solve(visible, np.append(similarity @ infrared[:, 2], 1.0))
        aside, axis = np.hypot(*ray[:2]), np.array([-ray[1], ray[0], 0.0])
        towards = cv2.Rodrigues(axis / max(aside, 1e-12) * np.arctan(aside))[0]
        angle = np.arctan2(similarity[1, 0], similarity[0, 0])
        about = cv2.Rodrigues(np.array([0.0, 0.0, angle]))[0]
        scale = np.hypot(*similarity[:, 0]) * _focal(infrared) / _focal(visible)
        return cls(infrared, visible, towards @ about, float(scale))

    @property
    def matrix(self) -> np.ndarray:
        """The map, 3 x 3."""
        matrix = (self.visible @ self.rotation @ np.diag([self.ratio, self.ratio, 1.0])
                  @ np.linalg.inv(self.infrared))
        return matrix / matrix[2, 2]

    def moved(self, parameters: np.ndarray, size: tuple[int, int]) -> 'Turn':
        """See `Motion`: a shift is a turn about the axis across it."""
        reach, focal = 0.5 * np.hypot(*size), _focal(self.visible)
        x, y, grow, angle = parameters
        further = cv2.Rodrigues(np.array([-y / focal, x / focal, angle / reach]))[0]
        return dataclasses.replace(self, rotation=further @ self.rotation,
                                   ratio=self.ratio * float(1 + grow / reach))

    def rescaled(self, factor: float) -> 'Turn':
        """See `Motion`."""
        pixels = resizing((factor, factor))
        return dataclasses.replace(self, infrared=pixels @ self.infrared,
                                   visible=pixels @ self.visible)

    def rig(self, lenses: Lenses) -> CameraRig:
        """Make the rig of it, with both cameras at one place.

        The infrared focal length takes the ratio; that of the visible camera stays.
        """
        infrared, visible = lenses
        matrix = infrared.matrix @ np.diag([1 / self.ratio, 1 / self.ratio, 1.0])
        return CameraRig(dataclasses.replace(infrared, matrix=matrix), visible, self.rotation,
                         np.zeros(3))


def focal_scale(lenses: Lenses) -> float:
    """Visible pixels to an infrared pixel, by the focal lengths."""
    return _focal(lenses[1].matrix) / _focal(lenses[0].matrix)


def without_distortion(frames: Sequence[Frame], lenses: Lenses) -> list[Frame]:
    """Show every image as a lens with the same K and no distortion would.

    :param frames: of the sizes of the lenses. What the lens did not see repeats its border.
    """
    maps = [_straight_map(camera) for camera in lenses]
    return [tuple(cv2.remap(image, *places, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
                  for image, places in zip(frame, maps, strict=True)) for frame in frames]


def _straight_map(camera: Camera) -> tuple[np.ndarray, np.ndarray]:
    width, height = camera.size
    pixels = np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1).reshape(-1, 2)
    inverse = np.linalg.inv(camera.matrix)
    rays = pixels @ inverse[:2, :2].T + inverse[:2, 2]
    places = project(camera, rays).reshape(height, width, 2).astype(np.float32)
    return places[..., 0], places[..., 1]


def _focal(matrix: np.ndarray) -> float:
    return float(np.sqrt(matrix[0, 0] * matrix[1, 1]))
