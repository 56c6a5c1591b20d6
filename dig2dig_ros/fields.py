"""The fields of a YAML file, each read with a complaint that names the file and the field."""

import math
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from dig2dig_ros.errors import InputError


class Fields:
    """A mapping of a YAML file, and where in the file it is."""

    def __init__(self, content: Any, file: str, inside: str, right: str) -> None:
        """Check that it is a mapping.

        :param file: what to call the file in an error.
        :param inside: the keys that lead here, joined by dots; empty at the top.
        :param right: what would be right in its place.
        :raises InputError: where it is none.
        """
        if not isinstance(content, dict):
            where = f'{file}: {inside}' if inside else file
            what = 'is empty' if content is None else f'is {_shown(content)}'
            raise InputError(f'{where} {what}; {right}')
        self._content, self._file, self._inside = content, file, inside

    @classmethod
    def of_file(cls, path: Path, kind: str, tools: str) -> 'Fields':
        """Read a file.

        :param kind: of file, such as `rig file`.
        :param tools: what writes such files.
        :raises InputError: where it cannot be read, or is no YAML mapping.
        """
        right = f'give the {kind} that {tools} writes'
        try:
            content = yaml.safe_load(path.read_text(encoding='utf-8'))
        except OSError as error:
            raise InputError(f'{path} cannot be read ({error.strerror}); {right}') from error
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            mark = getattr(error, 'problem_mark', None)
            line = f' (line {mark.line + 1})' if mark else ''
            raise InputError(f'{path} is no YAML{line}; {right}') from error
        return cls(content, str(path), '', right)

    def section(self, key: str) -> 'Fields':
        """Go to a mapping in this one."""
        right = 'it must be a section with keys of its own'
        return Fields(self._value(key, right), self._file, self._name(key), right)

    def whole(self, key: str) -> int:
        """Read a whole number from 1 on."""
        right = 'it must be a whole number from 1 on'
        value = self._value(key, right)
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise self.error(key, value, right)
        return value

    def word(self, key: str, choices: Collection[str] = ()) -> str:
        """Read one of several words; without choices, any text."""
        right = f'it must be {" or ".join(choices) or "a text"}'
        value = self._value(key, right)
        if not isinstance(value, str) or choices and value not in choices:
            raise self.error(key, value, right)
        return value

    def numbers(self, key: str, *shape: int) -> np.ndarray:
        """Read a list of finite numbers.

        :param shape: of them, row-major; none: as many as there are, in one row.
        :returns: float64.
        """
        right = f'it takes {math.prod(shape) if shape else "a list of"} finite numbers' + (
            f', row-major {shape[0]} x {shape[1]}' if len(shape) == 2 else '')
        value = self._value(key, right)
        try:
            # YAML 1.1 has 1e-05 a text.
            array = np.array([float(each) for each in _flat(value)])
        except (TypeError, ValueError):
            raise self.error(key, value, right) from None
        if not np.isfinite(array).all() or (shape and array.size != math.prod(shape)):
            raise self.error(key, value, right)
        return array.reshape(shape or -1)

    def error(self, key: str, value: Any, right: str) -> InputError:
        """Make the error of a field that cannot be."""
        return InputError(f'{self._file}: {self._name(key)} is {_shown(value)}; {right}')

    def _name(self, key: str) -> str:
        return f'{self._inside}.{key}' if self._inside else key

    def _value(self, key: str, right: str) -> Any:
        if key not in self._content:
            raise InputError(f'{self._file}: {self._name(key)} is missing; {right}')
        return self._content[key]


def _flat(value: Any) -> list:
    """Numbers of a list, or of a list of rows."""
    if not isinstance(value, list):
        raise TypeError
    rows = [each if isinstance(each, list) else [each] for each in value]
    flat = [each for row in rows for each in row]
    if any(isinstance(each, bool) for each in flat):
        raise TypeError
    return flat


def _shown(value: Any) -> str:
    text = ' '.join(repr(value).split())
    return text if len(text) <= 90 else f'{text[:87]}...'
