"""The rig file: how an infrared and a visible camera sit to each other, as YAML.

Two models: a fixed homography (`dig2dig align`), or two cameras with lenses and a baseline
(`dig2dig calibrate`).
"""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from dig2dig_ros.errors import InputError
from dig2dig_ros.fields import Fields
from dig2dig_ros.locations import write_text
from dig2dig_ros.topics import CAMERAS

DISTORTION_SIZES = {'plumb_bob': (4, 5), 'rational_polynomial': (8, 12, 14), 'equidistant': (4,)}
Size = tuple[int, int]


@dataclasses.dataclass(frozen=True)
class Camera:
    """A pinhole camera with a lens, as in sensor_msgs/CameraInfo.

    Attributes:
        size: (width, height) in pixels.
        matrix: K, 3 x 3, pixels; the centre of the top-left pixel is (0, 0).
        distortion: D of the model.
        model: plumb_bob, rational_polynomial or equidistant.
    """

    size: Size
    matrix: np.ndarray
    distortion: np.ndarray
    model: str = 'plumb_bob'


@dataclasses.dataclass(frozen=True)
class HomographyRig:
    """A homography, 3 x 3, from infrared to visible pixels of these sizes."""

    sizes: tuple[Size, Size]
    homography: np.ndarray


@dataclasses.dataclass(frozen=True)
class CameraRig:
    """Two cameras; X_visible = rotation X_infrared + translation, in metres, z ahead."""

    infrared: Camera
    visible: Camera
    rotation: np.ndarray
    translation: np.ndarray

    @property
    def sizes(self) -> tuple[Size, Size]:
        """(width, height) of both images, infrared first."""
        return self.infrared.size, self.visible.size


Rig = HomographyRig | CameraRig


def write_rig(path: Path, rig: Rig, quality: Mapping[str, Any]) -> None:
    """Write a rig file, whole or not at all.

    :param quality: figures to note with it; numbers, text, lists of them.
    :raises InputError: where the file cannot be written.
    """
    document: dict[str, Any] = {}
    if isinstance(rig, HomographyRig):
        document['model'] = 'homography'
        document |= {name: {'width': size[0], 'height': size[1]}
                     for name, size in zip(CAMERAS, rig.sizes, strict=True)}
        document['homography'] = _numbers(rig.homography)
    else:
        document['model'] = 'rig'
        for name, camera in zip(CAMERAS, (rig.infrared, rig.visible), strict=True):
            document[name] = {
                'width': camera.size[0], 'height': camera.size[1],
                'camera_matrix': _numbers(camera.matrix), 'distortion_model': camera.model,
                'distortion_coefficients': _numbers(camera.distortion)}
        document |= {'rotation': _numbers(rig.rotation),
                     'translation_m': _numbers(rig.translation)}
    document['quality'] = dict(quality)
    write_text(path, '# Written by dig2dig. Pixels: the centre of the top-left one is (0, 0). '
                     'Matrices row by row.\n'
               + yaml.safe_dump(document, sort_keys=False, default_flow_style=None))


def read_rig(path: Path) -> Rig:
    """Read a rig file.

    :raises InputError: where it is missing, no rig file, or holds what cannot be; it names the
        key.
    """
    document = Fields.of_file(path, 'rig file', '`dig2dig align` or `dig2dig calibrate`')
    if document.word('model', ('homography', 'rig')) == 'homography':
        return HomographyRig(tuple(_size(document.section(name)) for name in CAMERAS),
                             document.numbers('homography', 3, 3))
    cameras = [_camera(document.section(name), f'{path}: {name}.') for name in CAMERAS]
    return CameraRig(*cameras, _rotation(document), document.numbers('translation_m', 3))


def _numbers(array: np.ndarray) -> list[float]:
    return [float(value) for value in np.asarray(array, np.float64).ravel()]


def _size(section: Fields) -> Size:
    return section.whole('width'), section.whole('height')


def _rotation(document: Fields) -> np.ndarray:
    rotation = document.numbers('rotation', 3, 3)
    if not np.allclose(rotation @ rotation.T, np.eye(3), atol=1e-4) or np.linalg.det(
            rotation) < 0:
        raise document.error('rotation', rotation.ravel().tolist(), 'it must be a rotation matrix')
    return rotation


def _camera(section: Fields, where: str) -> Camera:
    return checked_camera(Camera(
        _size(section), section.numbers('camera_matrix', 3, 3),
        section.numbers('distortion_coefficients'),
        section.word('distortion_model', tuple(DISTORTION_SIZES))), where)


def checked_camera(camera: Camera, where: str = '') -> Camera:
    """Check a camera whose numbers come from elsewhere.

    :param where: put before the name of what is wrong.
    :raises InputError: where they cannot be.
    """
    if camera.model not in DISTORTION_SIZES:
        raise InputError(f'{where}distortion_model is {camera.model!r}; it must be '
                         f'{" or ".join(DISTORTION_SIZES)}')
    matrix, distortion = camera.matrix, camera.distortion
    if not np.isfinite(matrix).all() or min(matrix[0, 0], matrix[1, 1]) <= 0:
        raise InputError(f'{where}camera_matrix is {matrix.ravel().tolist()}; its numbers must be '
                         'finite, and both focal lengths above 0')
    if distortion.size not in DISTORTION_SIZES[camera.model] or not np.isfinite(distortion).all():
        raise InputError(f'{where}distortion_coefficients are {distortion.tolist()}; '
                         f'{camera.model} takes '
                         f'{" or ".join(map(str, DISTORTION_SIZES[camera.model]))} finite numbers')
    return camera
