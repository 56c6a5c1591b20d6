"""The rig file: how an infrared and a visible camera sit to each other, as YAML.

Two models: a fixed homography (`dig2dig align`), or two cameras with lenses and a baseline
(`dig2dig calibrate`).
"""

import dataclasses
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from dig2dig_ros.errors import InputError
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

    :raises InputError: where it is missing, no rig file, or holds numbers that cannot be.
    """
    try:
        document = yaml.safe_load(path.read_text(encoding='utf-8'))
    except OSError as error:
        raise InputError(f'{path} cannot be read: {error.strerror}') from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f'{path} is no rig file; give the YAML that `dig2dig align` or '
                         '`dig2dig calibrate` writes') from error
    try:
        model = document['model']
        if model == 'homography':
            return HomographyRig(tuple(_size(document[name]) for name in CAMERAS),
                                 _matrix(document['homography'], (3, 3), 'homography'))
        if model == 'rig':
            return CameraRig(*(_camera(document[name], name) for name in CAMERAS),
                             _rotation(document['rotation']),
                             _matrix(document['translation_m'], (3,), 'translation_m'))
    except InputError as error:
        raise InputError(f'{path}: {error}') from error
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f'{path} is no rig file; give the YAML that `dig2dig align` or '
                         f'`dig2dig calibrate` writes ({error!r})') from error
    raise InputError(f'{path}: model is {model!r}; it must be homography or rig')


def _numbers(array: np.ndarray) -> list[float]:
    return [float(value) for value in np.asarray(array, np.float64).ravel()]


def _size(section: Mapping[str, Any]) -> Size:
    size = int(section['width']), int(section['height'])
    if min(size) < 1:
        raise InputError(f'size is {size[0]}x{size[1]}; it must be at least 1x1')
    return size


def _matrix(values: Any, shape: tuple[int, ...], name: str) -> np.ndarray:
    array = np.asarray(values, np.float64)
    if array.size != math.prod(shape):
        raise InputError(f'{name} has {array.size} numbers; it takes {math.prod(shape)}')
    if not np.isfinite(array).all():
        raise InputError(f'{name} is {array.ravel().tolist()}; its numbers must be finite')
    return array.reshape(shape)


def _rotation(values: Any) -> np.ndarray:
    rotation = _matrix(values, (3, 3), 'rotation')
    if not np.allclose(rotation @ rotation.T, np.eye(3), atol=1e-4) or np.linalg.det(
            rotation) < 0:
        raise InputError(f'rotation is {rotation.ravel().tolist()}; it must be a rotation matrix')
    return rotation


def _camera(section: Mapping[str, Any], name: str) -> Camera:
    return checked_camera(name, _size(section), section['camera_matrix'],
                          section['distortion_coefficients'], section['distortion_model'])


def checked_camera(name: str, size: Size, matrix: Any, distortion: Any, model: str) -> Camera:
    """Make a camera of numbers from elsewhere.

    :param matrix: K, nine numbers.
    :param distortion: D of the model.
    :raises InputError: where they cannot be.
    """
    if model not in DISTORTION_SIZES:
        raise InputError(f'distortion_model of {name} is {model!r}; it must be one of '
                         f'{", ".join(DISTORTION_SIZES)}')
    matrix = _matrix(matrix, (3, 3), f'camera_matrix of {name}')
    if min(matrix[0, 0], matrix[1, 1]) <= 0:
        raise InputError(f'focal lengths of {name} are {matrix[0, 0]:g} and {matrix[1, 1]:g}; '
                         'they must be above 0')
    distortion = np.asarray(distortion, np.float64).ravel()
    if distortion.size not in DISTORTION_SIZES[model] or not np.isfinite(distortion).all():
        raise InputError(f'distortion_coefficients of {name} are {distortion.tolist()}; {model} '
                         f'takes {" or ".join(map(str, DISTORTION_SIZES[model]))} finite numbers')
    return Camera(size, matrix, distortion, model)
