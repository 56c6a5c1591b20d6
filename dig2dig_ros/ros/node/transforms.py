"""How the cameras sit to each other, from TF."""

import time
from collections.abc import Mapping
from typing import Any

from rclpy.node import Node
from rclpy.time import Time

from dig2dig_ros.camera.rig_source import Pose, frames_of, pose_of_transform
from dig2dig_ros.errors import InputError

LOOK_UP_S = 1.0


def require_tf() -> Any:
    """Import tf2_ros.

    :raises InputError: where it is not installed.
    """
    try:
        import tf2_ros
    except ImportError as error:
        raise InputError(f'registration.source is tf, which needs tf2_ros ({error}): apt install '
                         'ros-$ROS_DISTRO-tf2-ros-py, or take camera_info') from error
    return tf2_ros


class Transforms:
    """Listens to /tf and /tf_static as long as it is not closed."""

    def __init__(self, node: Node) -> None:
        """Begin to listen: what is published once comes some time after that.

        :raises InputError: where tf2_ros is not installed.
        """
        tf2_ros = require_tf()
        self._buffer = tf2_ros.Buffer()
        self._listener = tf2_ros.TransformListener(self._buffer, node)
        self._frames: tuple[str, str] | None = None
        self._pose: Pose | None = None
        self._looked_s = 0.0

    def close(self) -> None:
        """Unsubscribe; the node would keep the listener for ever."""
        self._listener.unregister()

    def pose(self, infos: Mapping[str, Any]) -> Pose:
        """Look up the newest pose; where one was found, not again within a second.

        :param infos: sensor_msgs/CameraInfo by camera.
        :raises InputError: where there is none.
        """
        frames, now_s = frames_of(infos), time.monotonic()
        if self._pose is None or frames != self._frames or now_s - self._looked_s > LOOK_UP_S:
            self._frames, self._looked_s, self._pose = frames, now_s, None
            self._pose = self._look_up(*frames)
        return self._pose

    def _look_up(self, infrared: str, visible: str) -> Pose:
        try:
            found = self._buffer.lookup_transform(visible, infrared, Time())
        except Exception as error:  # tf2's have no base but Exception
            raise InputError(f'no transform from {infrared!r} to {visible!r}: '
                             f'{str(error).strip()}') from error
        return pose_of_transform(found.transform)
