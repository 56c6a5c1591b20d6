"""Reads the calibration files that ROS camera tools write."""

from pathlib import Path
from typing import Any

from dig2dig_ros.bag.storage import TYPES
from dig2dig_ros.fields import Fields

CAMERA_INFO = 'sensor_msgs/msg/CameraInfo'


def read_camera_info(path: Path, header: Any) -> Any:
    """Make a sensor_msgs/CameraInfo of a camera_calibration YAML file.

    :raises InputError: where the file is missing, or lacks what a calibration has; it names the
        key.
    """
    content = Fields.of_file(path, 'YAML file', 'camera_calibration')
    matrices = {short: content.section(long).numbers('data', *shape).ravel()
                for short, long, shape in (
                    ('d', 'distortion_coefficients', ()), ('k', 'camera_matrix', (3, 3)),
                    ('r', 'rectification_matrix', (3, 3)), ('p', 'projection_matrix', (3, 4)))}
    return TYPES.types[CAMERA_INFO](
        header, content.whole('image_height'), content.whole('image_width'),
        content.word('distortion_model'), **matrices, binning_x=0, binning_y=0,
        roi=TYPES.types['sensor_msgs/msg/RegionOfInterest'](0, 0, 0, 0, False))
