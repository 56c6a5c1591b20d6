"""sensor_msgs/CameraInfo of a camera that is known."""

import numpy as np
from sensor_msgs.msg import CameraInfo
from std_msgs.msg import Header

from dig2dig_ros.alignment.rig import Camera


def camera_info(header: Header, camera: Camera) -> CameraInfo:
    """Make the message of a monocular camera."""
    matrix = camera.matrix.ravel().tolist()
    return CameraInfo(
        header=header, width=camera.size[0], height=camera.size[1],
        distortion_model=camera.model, d=camera.distortion.tolist(), k=matrix,
        r=np.eye(3).ravel().tolist(),
        p=[*matrix[:3], 0.0, *matrix[3:6], 0.0, *matrix[6:], 0.0])
