"""Reads the calibration files that ROS camera tools write."""

from pathlib import Path
from typing import Any

import numpy as np
from ruamel.yaml import YAML, YAMLError

from dig2dig_ros.bag.storage import TYPES
from dig2dig_ros.errors import InputError

CAMERA_INFO = 'sensor_msgs/msg/CameraInfo'


def read_camera_info(path: Path, header: Any) -> Any:
    """Make a sensor_msgs/CameraInfo of a camera_calibration YAML file.

    :raises InputError: where the file is missing or lacks what a calibration has.
    """
    try:
        content = YAML(typ='safe').load(path)
        matrices = {short: np.array(content[long]['data'], np.float64) for short, long in (
            ('d', 'distortion_coefficients'), ('k', 'camera_matrix'),
            ('r', 'rectification_matrix'), ('p', 'projection_matrix'))}
        sizes = {short: matrices[short].size for short in 'krp'}
        if sizes != {'k': 9, 'r': 9, 'p': 12}:
            raise InputError(f'{path}: matrices have {sizes} numbers; k and r take 9, p 12')
        return TYPES.types[CAMERA_INFO](
            header, int(content['image_height']), int(content['image_width']),
            content['distortion_model'], **matrices, binning_x=0, binning_y=0,
            roi=TYPES.types['sensor_msgs/msg/RegionOfInterest'](0, 0, 0, 0, False))
    except OSError as error:
        raise InputError(f'{path} cannot be read: {error.strerror}') from error
    except (YAMLError, KeyError, TypeError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f'{path} is no camera calibration; give the YAML file that '
                         f'camera_calibration writes ({error!r})') from error
