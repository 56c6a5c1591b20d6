"""Parameters as rows of a table that declares, documents and validates them.

rclpy refuses an int for a double and, with dynamic typing, checks no range; so parameters are
declared with dynamic typing and validated here, at start and at every change.
"""

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.exceptions import InvalidParameterValueException
from rclpy.node import Node

from dig2dig_ros.option import Option


class Parameter(Option):
    """One row: a setting that ROS can describe."""

    def descriptor(self) -> ParameterDescriptor:
        """Describe the parameter to `ros2 param describe` and rqt."""
        descriptor = ParameterDescriptor(
            description=self.help, additional_constraints=self.allowed,
            dynamic_typing=True, read_only=self.changes == 'start')
        if self.bounds and not self.length:
            low, high = map(self.kind, self.bounds)
            if self.kind is float:
                descriptor.floating_point_range = [
                    FloatingPointRange(from_value=low, to_value=high)]
            else:
                descriptor.integer_range = [IntegerRange(
                    from_value=low, to_value=high, step=self.step if self.step > 1 else 0)]
        return descriptor


def parameter(option: Option, **changes: Any) -> Parameter:
    """Make the row of a setting, with some of its attributes changed."""
    return Parameter(**{**vars(option), **changes})


def declare(node: Node, table: Sequence[Parameter]) -> None:
    """Declare every row and say which given parameters the node does not know."""
    for row in table:
        descriptor = row.descriptor()
        try:
            node.declare_parameter(row.name, row.default, descriptor)
        except InvalidParameterValueException:
            # Out of range. Declared all the same, so that `read` says it and it can be mended.
            descriptor.floating_point_range = descriptor.integer_range = []
            node.declare_parameter(row.name, row.default, descriptor)
    known = [row.name for row in table]
    for name in getattr(node, '_parameter_overrides', {}):
        if not node.has_parameter(name) and not name.startswith(('qos_overrides.', 'use_')):
            close = difflib.get_close_matches(name, known, n=1)
            hint = f'; did you mean {close[0]}?' if close else ''
            node.get_logger().warning(f'unknown parameter {name} is ignored{hint}')


def read(node: Node, table: Sequence[Parameter],
         changed: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Read and validate all values, those in `changed` in place of the node's.

    :raises InputError: for the first value that is not allowed.
    """
    changed = changed or {}
    return {
        row.name: row.validated(changed[row.name] if row.name in changed
                                else node.get_parameter(row.name).value)
        for row in table}
