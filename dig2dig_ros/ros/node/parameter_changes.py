"""Checks of the node's parameters that concern more than one of them, or their moment."""

from collections.abc import Mapping
from typing import Any

from rclpy.node import Node

from dig2dig_ros.camera.preparation import Preparation
from dig2dig_ros.errors import InputError
from dig2dig_ros.ros.node.engine_session import fusion_settings
from dig2dig_ros.ros.node.parameters import PARAMETERS
from dig2dig_ros.ros.node.transforms import require_tf
from dig2dig_ros.ros.parameter_table import read

# Upstream's synchroniser has nothing of this.
ONLY_NEAREST = {'sync.by': 'stamp', 'sync.offset_s': 0.0}


def check_together(values: Mapping[str, Any]) -> None:
    """Check what upstream's policy cannot do, and tf2; all else is checked by those who use it.

    :raises InputError: naming the parameter.
    """
    if values['sync.policy'] == 'approximate':
        for name, only in ONLY_NEAREST.items():
            if values[name] != only:
                raise InputError(f'{name} is {values[name]!r}; with sync.policy approximate it '
                                 f'must be {only!r}')
    if values['registration.source'] == 'tf':
        require_tf()


def check_change(node: Node, changed: Mapping[str, Any],
                 configured: bool) -> dict[str, Any] | None:
    """Check a change as a whole, before any of it is made.

    :returns: all values as they will be; None where the change waits for the configuring.
    :raises InputError: for a value that is not allowed, or not now.
    """
    rows = [row for row in PARAMETERS if row.name in changed]
    for row in rows:
        row.validated(changed[row.name])
    if not configured or not rows:
        return None
    for row in rows:
        if row.changes == 'configure':
            raise InputError(f'{row.name} is read when the node is configured; deactivate and '
                             'clean it up first (ros2 lifecycle set)')
    values = read(node, PARAMETERS, changed)
    check_together(values)
    Preparation(values)
    for device in ('cpu', 'cuda'):  # good on either: this thread does not know which it is
        fusion_settings(values, device)
    return values
