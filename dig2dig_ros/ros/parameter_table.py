"""Parameters as rows of a table that declares, documents and validates them.

rclpy refuses an int for a double and, with dynamic typing, checks no range; so parameters are
declared with dynamic typing and validated here, at start and at every change.
"""

import dataclasses
import difflib
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.exceptions import InvalidParameterValueException
from rclpy.node import Node

from dig2dig_ros.errors import InputError

TYPE_NAMES = {bool: 'bool', int: 'int', float: 'float', str: 'string'}


@dataclasses.dataclass(frozen=True)
class Parameter:
    """One row; its type is that of the default, a bool, int, float, string or a list of those.

    Attributes:
        bounds: smallest and largest value, inclusive, of a number or of each entry of a list.
        choices: the allowed texts.
        length: how many entries a list must have.
        changes: `live` (any time), `configure` (only while the node is unconfigured) or `start`
            (never).
    """

    name: str
    default: Any
    description: str
    bounds: tuple[float, float] | None = None
    choices: tuple[str, ...] | None = None
    length: int | None = None
    changes: str = 'live'

    def validated(self, value: Any) -> Any:
        """Return the value in the parameter's type; a whole number is good for a float.

        :raises InputError: naming the parameter, the value and what is allowed.
        """
        if not isinstance(self.default, list):
            return self._validated(value, value)
        if isinstance(value, str) or not isinstance(value, Iterable):
            raise self._error(value)
        value = list(value)
        if len(value) != self.length:
            raise self._error(value)
        return [self._validated(entry, value) for entry in value]

    def _validated(self, entry: Any, whole: Any) -> Any:
        if self._kind is float and type(entry) is int:
            entry = float(entry)
        good = type(entry) is self._kind and (
            self._kind is not float or math.isfinite(entry)) and (
            self.bounds is None or self.bounds[0] <= entry <= self.bounds[1]) and (
            self.choices is None or entry in self.choices)
        if not good:
            raise self._error(whole)
        return entry

    def _error(self, value: Any) -> InputError:
        return InputError(f'{self.name} is {value!r}; it must be {self.allowed}')

    @property
    def _kind(self) -> type:
        return type(self.default[0]) if self.length else type(self.default)

    @property
    def type_name(self) -> str:
        """Type as the documentation names it."""
        name = TYPE_NAMES[self._kind]
        return f'{self.length} {name}s' if self.length else name

    @property
    def allowed(self) -> str:
        """What may be given, in words."""
        if self.choices:
            return f'one of {", ".join(self.choices)}'
        within = f' from {self.bounds[0]:g} to {self.bounds[1]:g}' if self.bounds else ''
        article = '' if self.length else 'an ' if self._kind is int else 'a '
        return f'{article}{self.type_name}{within}'

    def descriptor(self) -> ParameterDescriptor:
        """Describe the parameter to `ros2 param describe` and rqt."""
        descriptor = ParameterDescriptor(
            description=self.description, additional_constraints=self.allowed,
            dynamic_typing=True, read_only=self.changes == 'start')
        if self.bounds and not self.length:
            low, high = map(self._kind, self.bounds)
            if self._kind is float:
                descriptor.floating_point_range = [
                    FloatingPointRange(from_value=low, to_value=high)]
            else:
                descriptor.integer_range = [IntegerRange(from_value=low, to_value=high)]
        return descriptor


def from_field(name: str, field: dataclasses.Field) -> Parameter:
    """Make the row of a live parameter from a setting; see `dig2dig_ros.option`."""
    several = isinstance(field.default, tuple)
    return Parameter(
        name, list(field.default) if several else field.default, field.metadata['help'],
        field.metadata['bounds'], field.metadata['choices'],
        len(field.default) if several else None)


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
