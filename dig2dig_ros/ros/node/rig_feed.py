"""Feeds the registration with the rig that camera_info, and TF where it is wanted, describe."""

import dataclasses
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
from rclpy.node import Node

from dig2dig_ros.alignment.monitor import Monitor
from dig2dig_ros.alignment.rig import read_rig
from dig2dig_ros.camera.preparation import Preparation
from dig2dig_ros.camera.rig_source import Pose, RigSource
from dig2dig_ros.errors import InputError
from dig2dig_ros.ros.node.capture import Capture
from dig2dig_ros.ros.node.transforms import Transforms

# What has only just been asked for may still be on its way.
PATIENCE_S = 1.0
LOG_PERIOD_S = 30.0
NEW_PERIOD_S = 2.0


@dataclasses.dataclass(frozen=True)
class Alignment:
    """How infrared is aligned.

    Attributes:
        refine: the parameter `registration.refine`.
        off_px: see `Monitor.misalignment_px`.
        misaligned: see `Monitor.misaligned`.
        correction: see `Monitor.correction`.
        problem: why it is not aligned as the parameters say; empty where it is.
    """

    refine: str
    off_px: float | None = None
    misaligned: bool = False
    correction: np.ndarray = dataclasses.field(default_factory=lambda: np.eye(3))
    problem: str = ''

    @classmethod
    def of(cls, refine: str, monitor: Monitor | None, problem: str) -> 'Alignment':
        """Take what a monitor says, where there is one."""
        if monitor is None:
            return cls(refine, problem=problem)
        return cls(refine, monitor.misalignment_px, monitor.misaligned, monitor.correction,
                   problem)


class RigFeed:
    """Looks at each pair's camera_info; on the worker's thread."""

    def __init__(self, node: Node, preparation: Preparation) -> None:
        """Listen to TF where that is wanted."""
        self._node = node
        self._preparation = preparation
        self._transforms: Transforms | None = None
        self._said = ''
        self._refused = ''
        self._misfit = ''
        self._complaint = ''
        self._complained_s = 0.0
        self._well_s = time.monotonic()
        self._take_settings()

    def close(self) -> None:
        """Listen no more."""
        if self._transforms is not None:
            self._transforms.close()
            self._transforms = None

    @property
    def problem(self) -> str:
        """Why infrared is not aligned by what is wanted; empty where it is."""
        return self._refused or self._source.problem or self._misfit

    def apply(self, values: Mapping[str, Any]) -> None:
        """Have changed parameters taken, or note why not: a file for images of another size."""
        before = self._settings
        self._refused = ''
        try:
            self._preparation.apply(values)
        except InputError as error:
            self._refused = str(error)
        now = self._preparation.settings['registration']
        if (now.source, now.calibration) != (before.source, before.calibration):
            self._take_settings()
        self._settings = now

    def _take_settings(self) -> None:
        """Start over with the source that is set."""
        self.close()
        self._settings = self._preparation.settings['registration']
        self._source = RigSource()
        self._pose: Pose | None = None
        if self._settings.source == 'tf':
            self._transforms = Transforms(self._node)

    def feed(self, capture: Capture) -> None:
        """Offer a new rig where one is wanted and there."""
        if self._settings.source == 'file' or not capture.is_pair:
            return
        infos = {'infrared': capture.infrared_info, 'visible': capture.visible_info}
        rig = self._source.update(infos, lambda: self._find_pose(infos))
        if rig is not None:
            self._preparation.offer(rig)

    def say(self) -> None:
        """Log what is wrong, and what parallax remains where that changes."""
        self._misfit = self._preparation.problem
        self._complain()
        if self._preparation.parallax != self._said:
            self._said = self._preparation.parallax
            if self._said:
                self._node.get_logger().info(self._said)

    def _complain(self) -> None:
        """Log what has been wrong for a while, soon where it is something else, else seldom."""
        now_s = time.monotonic()
        if not self.problem:
            self._well_s, self._complaint = now_s, ''
            return
        period_s = LOG_PERIOD_S if self.problem == self._complaint else NEW_PERIOD_S
        if now_s - self._well_s > PATIENCE_S and now_s - self._complained_s > period_s:
            self._complained_s, self._complaint = now_s, self.problem
            self._node.get_logger().warning(f'the map stays as it was: {self.problem}')

    def _find_pose(self, infos: Mapping[str, Any]) -> Pose:
        if self._transforms is not None:
            return self._transforms.pose(infos)
        if self._pose is None:
            rig = read_rig(self._settings.file)
            self._pose = rig.rotation, rig.translation
        return self._pose
