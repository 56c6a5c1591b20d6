"""Puts a rig together from what cameras publish: lenses from camera_info, pose from elsewhere."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from dig2dig_ros.alignment.camera_info import camera_of
from dig2dig_ros.alignment.rig import CameraRig
from dig2dig_ros.errors import InputError
from dig2dig_ros.topics import CAMERAS

# Lenses wider than this are not for a plane; an optical frame and that of its body are 90 apart.
_MOST_APART_DEG = 80.0

Pose = tuple[np.ndarray, np.ndarray]
"""Rotation 3 x 3 and translation in metres: X_visible = rotation X_infrared + translation."""


class RigSource:
    """Makes a new rig whenever what it is made of changes.

    Attributes:
        problem: why there is none, or no newer one; empty where all is well.
    """

    def __init__(self) -> None:
        """Start with nothing."""
        self.problem = ''
        self._made_of: tuple = ()

    def update(self, infos: Mapping[str, Any], pose: Callable[[], Pose]) -> CameraRig | None:
        """Look at the newest camera_info of both cameras.

        :param infos: sensor_msgs/CameraInfo of rclpy or rosbags, by camera; None: not come yet.
        :param pose: gives the pose.
        :returns: a rig, where it is another than the last one.
        """
        try:
            missing = [camera for camera in CAMERAS if infos[camera] is None]
            if missing:
                raise InputError(f'no camera_info of {" and ".join(missing)} has come')
            found = pose()
            made_of = (*(_content(infos[camera]) for camera in CAMERAS),
                       *(each.tobytes() for each in found))
            if made_of == self._made_of:
                self.problem = ''
                return None
            rig = rig_of(infos, found)
        except InputError as error:
            self.problem = str(error)
            return None
        self.problem, self._made_of = '', made_of
        return rig


def _content(info: Any) -> tuple:
    """What of a message describes the lens."""
    roi = info.roi
    return (info.width, info.height, info.distortion_model, info.binning_x, info.binning_y,
            roi.x_offset, roi.y_offset, roi.width, roi.height, bytes(np.asarray(info.k)),
            bytes(np.asarray(info.d)))


def rig_of(infos: Mapping[str, Any], pose: Pose) -> CameraRig:
    """Put together lenses and pose.

    :param infos: sensor_msgs/CameraInfo of rclpy or rosbags, by camera.
    :raises InputError: where a lens cannot be, or the cameras look away from each other.
    """
    cameras = [camera_of(infos[camera], camera) for camera in CAMERAS]
    rotation, translation = pose
    apart = math.degrees(math.acos(np.clip(rotation[2, 2], -1, 1)))
    if apart > _MOST_APART_DEG:
        raise InputError(f'infrared and visible look {apart:.0f} degrees apart; the frame of an '
                         'image is the optical one, x right, y down, z ahead (REP 103)')
    return CameraRig(*cameras, rotation, translation)


def frames_of(infos: Mapping[str, Any]) -> tuple[str, str]:
    """Frames of infrared and visible, between which a transform is to be found.

    :param infos: sensor_msgs/CameraInfo of rclpy or rosbags, by camera.
    :raises InputError: where there is nothing to be found between them.
    """
    infrared, visible = (infos[camera].header.frame_id for camera in CAMERAS)
    for camera, frame in zip(CAMERAS, (infrared, visible), strict=True):
        if not frame:
            raise InputError(f'camera_info of {camera} has no frame_id, so TF does not tell '
                             'where that camera is')
    if infrared == visible:
        raise InputError(f'both cameras are in one frame, {visible!r}, so TF does not tell how '
                         'they sit to each other; give each its own, or take camera_info')
    return infrared, visible


def pose_of_transform(transform: Any) -> Pose:
    """Read a geometry_msgs/Transform that takes infrared coordinates to visible ones.

    :raises InputError: where its rotation is none.
    """
    shift, turn = transform.translation, transform.rotation
    quaternion = np.array([turn.x, turn.y, turn.z, turn.w])
    length = np.linalg.norm(quaternion)
    translation = np.array([shift.x, shift.y, shift.z])
    if not (0.9 < length < 1.1 and np.isfinite(translation).all()):
        raise InputError(f'the transform between the cameras has the rotation '
                         f'{quaternion.tolist()} and the translation {translation.tolist()}; '
                         'they must be a unit quaternion and finite metres')
    x, y, z, w = quaternion / length
    return np.array([
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)]]), translation
