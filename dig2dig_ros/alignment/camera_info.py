"""A lens as ROS has it: from CameraInfo messages, and into the YAML files of camera_calibration.

`bag.calibration` reads such files.
"""

from typing import Any

import numpy as np

from dig2dig_ros.alignment.rig import Camera, checked_camera
from dig2dig_ros.errors import InputError


def camera_of(info: Any, name: str) -> Camera:
    """Read the lens of a raw image from a sensor_msgs/CameraInfo, of rclpy or of rosbags.

    K is that of the full resolution; the image may be a region of it (`roi`), and binned.

    :param name: of the camera, for errors.
    :raises InputError: where it is not calibrated, or holds numbers that cannot be.
    """
    matrix = np.array(info.k, np.float64).reshape(3, 3)
    if not matrix.any():
        raise InputError(f'camera_info of {name} is not calibrated (K is 0)')
    matrix[0, 2] -= info.roi.x_offset
    matrix[1, 2] -= info.roi.y_offset
    bins = np.array([max(info.binning_x, 1), max(info.binning_y, 1)])
    # The centre of the top-left pixel is (0, 0), and that of four binned ones (0.5, 0.5).
    matrix[:2] /= bins[:, None]
    matrix[:2, 2] += 0.5 / bins - 0.5
    distortion = np.array(info.d, np.float64)
    model = info.distortion_model or 'plumb_bob'
    if not distortion.size:
        distortion = np.zeros(4 if model == 'equidistant' else 8 if 'rational' in model else 5)
    return checked_camera(Camera(image_size(info), matrix, distortion, model),
                          f'camera_info of {name}: ')


def image_size(info: Any) -> tuple[int, int]:
    """(width, height) of the images that a sensor_msgs/CameraInfo is for."""
    return ((info.roi.width or info.width) // max(info.binning_x, 1),
            (info.roi.height or info.height) // max(info.binning_y, 1))


def camera_info_yaml(name: str, camera: Camera) -> str:
    """Write a monocular camera in the layout of camera_calibration_parsers.

    :param name: of the camera, `camera_name`.
    """
    columns = [*camera.matrix.ravel()]
    projection = [*columns[:3], 0.0, *columns[3:6], 0.0, *columns[6:9], 0.0]
    identity = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]
    lines = [f'image_width: {camera.size[0]}', f'image_height: {camera.size[1]}',
             f'camera_name: {name}', *_matrix('camera_matrix', 3, 3, columns),
             f'distortion_model: {camera.model}',
             *_matrix('distortion_coefficients', 1, len(camera.distortion), camera.distortion),
             *_matrix('rectification_matrix', 3, 3, identity),
             *_matrix('projection_matrix', 3, 4, projection)]
    return '\n'.join(lines) + '\n'


def _matrix(name: str, rows: int, columns: int, values) -> list[str]:
    data = ', '.join(f'{value:.10g}' if value % 1 else f'{value:.1f}' for value in values)
    return [f'{name}:', f'  rows: {rows}', f'  cols: {columns}', f'  data: [{data}]']
