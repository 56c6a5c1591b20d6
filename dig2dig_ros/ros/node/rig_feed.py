"""Feeds the registration with the rig that camera_info, and TF where it is wanted, describe."""

import time
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from rclpy.node import Node
from rclpy.time import Time

from dig2dig_ros.alignment.rig import read_rig
from dig2dig_ros.camera.preparation import Preparation
from dig2dig_ros.camera.registration_settings import RegistrationSettings
from dig2dig_ros.camera.rig_source import Pose, RigSource, pose_of_transform
from dig2dig_ros.errors import InputError
from dig2dig_ros.ros.node.capture import Capture

LOOK_UP_S = 1.0
LOG_PERIOD_S = 30.0
NEW_PERIOD_S = 0.5


class Alignment(NamedTuple):
    """How infrared is aligned.

    Attributes:
        refine: the parameter `registration.refine`.
        off_px: see `Preparation.misalignment_px`.
        correction: see `Preparation.correction`.
        problem: why it is not aligned as the parameters say; empty where it is.
    """

    refine: str
    off_px: float | None
    correction: np.ndarray
    problem: str = ''


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


class RigFeed:
    """Looks at each pair's camera_info; on the worker's thread."""

    def __init__(self, node: Node) -> None:
        """Listen to nothing yet."""
        self._node = node
        self._source = RigSource()
        self._settings = RegistrationSettings()
        self._buffer: Any = None
        self._listener: Any = None
        self._pose: Pose | None = None
        self._looked_s = 0.0
        self._misfit = ''
        self._said = ''
        self._complaint = ''
        self._complained_s = 0.0
        self._refused = ''

    @property
    def problem(self) -> str:
        """Why infrared is not aligned by what is wanted; empty where it is."""
        return self._refused or self._source.problem or self._misfit

    def apply(self, preparation: Preparation, values: Mapping[str, Any]) -> None:
        """Have changed parameters taken, or note why not: a file for images of another size."""
        self._refused = ''
        try:
            preparation.apply(values)
        except InputError as error:
            self._refused = str(error)

    def feed(self, preparation: Preparation, capture: Capture) -> None:
        """Offer a new rig where one is wanted and there."""
        settings = preparation.settings['registration']
        if (settings.source, settings.calibration) != (self._settings.source,
                                                       self._settings.calibration):
            self._source, self._pose = RigSource(), None
        self._settings = settings
        if settings.source == 'file' or not capture.is_pair:
            return
        infos = {'infrared': capture.infrared_info, 'visible': capture.visible_info}
        rig = self._source.update(infos, lambda: self._find_pose(capture))
        if rig is not None:
            preparation.offer(rig)

    def say(self, preparation: Preparation) -> None:
        """Log what is wrong, and what parallax remains where that changes."""
        self._misfit = preparation.problem
        self._complain()
        if preparation.parallax != self._said:
            self._said = preparation.parallax
            if self._said:
                self._node.get_logger().info(self._said)

    def _complain(self) -> None:
        """Log what is wrong, soon where it is something else, and else now and then."""
        passed_s = time.monotonic() - self._complained_s
        changed = self.problem != self._complaint
        if self.problem and passed_s > (NEW_PERIOD_S if changed else LOG_PERIOD_S):
            self._complained_s, self._complaint = time.monotonic(), self.problem
            self._node.get_logger().error(f'the map stays as it was: {self.problem}')

    def _find_pose(self, capture: Capture) -> Pose:
        if self._settings.source == 'camera_info':
            if self._pose is None:
                rig = read_rig(self._settings.file)
                self._pose = rig.rotation, rig.translation
            return self._pose
        now_s = time.monotonic()
        if self._pose is None or now_s - self._looked_s > LOOK_UP_S:
            self._looked_s = now_s
            self._pose = self._look_up(capture)
        return self._pose

    def _look_up(self, capture: Capture) -> Pose:
        tf2_ros = require_tf()
        if self._buffer is None:
            self._buffer = tf2_ros.Buffer()
            self._listener = tf2_ros.TransformListener(self._buffer, self._node)
        frames = [image.header.frame_id for image in (capture.visible, capture.infrared)]
        try:
            found = self._buffer.lookup_transform(*frames, Time())
        except Exception as error:  # tf2's have no base but Exception
            raise InputError(f'no transform from {frames[1]!r} to {frames[0]!r}: {error}'
                             ) from error
        return pose_of_transform(found.transform)
