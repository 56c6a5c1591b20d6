"""camera_info of the fused image, which lies pixel for pixel in the visible camera's raw frame."""

import numpy as np
from sensor_msgs.msg import CameraInfo
from std_msgs.msg import Header

from dig2dig_ros.alignment.camera_info import image_size
from dig2dig_ros.alignment.rig import CameraRig
from dig2dig_ros.ros.camera_info import camera_info


def fused_info(visible: CameraInfo | None, rig: CameraRig | None,
               size: tuple[int, int]) -> CameraInfo | None:
    """Choose what describes an image of the visible camera.

    :param visible: what that camera publishes.
    :param rig: that infrared is aligned by.
    :param size: (width, height) of the image.
    :returns: the camera's own where it is calibrated for this size; else that of the rig; else
        the camera's own without calibration; None where there is none of this size.
    """
    if visible is not None and (image_size(visible) != size
                                or not np.isfinite([*visible.k, *visible.d]).all()):
        visible = None
    if rig is not None and rig.visible.size == size and (visible is None or not any(visible.k)):
        return camera_info(Header(), rig.visible)
    return visible
