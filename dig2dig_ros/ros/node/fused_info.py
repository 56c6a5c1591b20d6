"""camera_info of the fused image, which lies pixel for pixel in the visible camera's raw frame."""

import numpy as np
from sensor_msgs.msg import CameraInfo

from dig2dig_ros.alignment.camera_info import image_size
from dig2dig_ros.alignment.rig import CameraRig


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
        return _info_of_rig(rig)
    return visible


def _info_of_rig(rig: CameraRig) -> CameraInfo:
    camera = rig.visible
    matrix = camera.matrix.ravel().tolist()
    return CameraInfo(
        width=camera.size[0], height=camera.size[1], distortion_model=camera.model,
        d=camera.distortion.tolist(), k=matrix, r=np.eye(3).ravel().tolist(),
        p=[*matrix[:3], 0.0, *matrix[3:6], 0.0, *matrix[6:], 0.0])
