"""A setting stated once: what it may be, and the words for it. No ROS and no torch.

Settings are dataclasses whose fields are made by `option`. Validation, command line options, node
parameters and the documentation's tables are derived from them, by way of `options`.
"""

import dataclasses
import math
from collections.abc import Iterable, Iterator
from typing import Any

from dig2dig_ros.errors import InputError

TYPE_NAMES = {bool: 'bool', int: 'int', float: 'float', str: 'string'}


@dataclasses.dataclass(frozen=True)
class Option:
    """One setting; its type is that of the default, a bool, int, float, string or a list of those.

    Attributes:
        help: what it does, in a sentence.
        bounds: smallest and largest value, inclusive, of a number or of each entry of a list.
        choices: the allowed texts.
        length: how many entries a list must have.
        changes: in the node, `live` (any time), `configure` (only while it is unconfigured) or
            `start` (never).
        step: between allowed whole numbers, from the smallest on.
        unit: of a number, in words.
        kind: type of the values, where the default is none of them.
        word: the default where it is none of the values: it stands for one from elsewhere.
    """

    name: str
    default: Any
    help: str
    bounds: tuple[float, float] | None = None
    choices: tuple[str, ...] | None = None
    length: int | None = None
    changes: str = 'live'
    step: int = 1
    unit: str = ''
    kind: type | None = None
    word: str = ''

    def __post_init__(self) -> None:
        """Take the type of the default where none is given."""
        if self.kind is None:
            kind = type(self.default[0]) if self.length else type(self.default)
            object.__setattr__(self, 'kind', kind)

    def validated(self, value: Any) -> Any:
        """Return the value in the option's type; a whole number is good for a float.

        :raises InputError: naming the option, the value and what is allowed.
        """
        if type(value) is type(self.default) and value == self.default:
            return value
        if not self.length:
            return self._validated(value, value)
        if isinstance(value, str) or not isinstance(value, Iterable):
            raise self._error(value)
        value = list(value)
        if len(value) != self.length:
            raise self._error(value)
        return [self._validated(entry, value) for entry in value]

    def _validated(self, entry: Any, whole: Any) -> Any:
        if self.word and type(entry) is str:
            entry = self._read(entry)
        if self.kind is float and type(entry) is int:
            entry = float(entry)
        good = type(entry) is self.kind and (
            self.kind is not float or math.isfinite(entry)) and (
            self.bounds is None or self.bounds[0] <= entry <= self.bounds[1]) and (
            self.step == 1 or (entry - self.bounds[0]) % self.step == 0) and (
            self.choices is None or entry in self.choices)
        if not good:
            raise self._error(whole)
        return entry

    def _read(self, text: str) -> Any:
        """The value that a text spells: an editor that saw the word sends text."""
        if self.kind is bool:
            return {'true': True, 'false': False}.get(text.lower())
        try:
            return self.kind(text)
        except ValueError:
            return text

    def _error(self, value: Any) -> InputError:
        return InputError(f'{self.name} is {value!r}; it must be {self.allowed}')

    @property
    def type_name(self) -> str:
        """Type as the documentation names it."""
        name = TYPE_NAMES[self.kind]
        return f'{self.length} {name}s' if self.length else name

    @property
    def within(self) -> str:
        """Choices or range, in words; empty where the type says all."""
        if self.choices:
            return ', '.join(self.choices)
        if not self.bounds:
            return ''
        low, high = (f'{bound:.10g}' for bound in self.bounds)
        return (f'{low} to {high}' + (f' {self.unit}' if self.unit else '')
                + (f' in steps of {self.step}' if self.step > 1 else ''))

    @property
    def allowed(self) -> str:
        """What may be given, in words."""
        word = f', or {self.word}' if self.word else ''
        if self.choices:
            return f'one of {self.within}{word}'
        within = f' from {self.within}' if self.within else ''
        article = '' if self.length else 'an ' if self.kind is int else 'a '
        return f'{article}{self.type_name}{within}{word}'


def option(default: Any, help: str, bounds: tuple[float, float] | None = None,
           choices: tuple[str, ...] | None = None, paper: str = '', **limits: Any) -> Any:
    """Make a field of a dataclass of settings.

    :param default: a bool, int, float, text, or a tuple of those; None where the dataclass finds
        the value itself, then with `kind`.
    :param bounds: smallest and largest value, inclusive, of a number or of each of a tuple.
    :param choices: the allowed texts.
    :param paper: equation or sentence of the paper that it follows; empty where the paper is
        silent or has no such thing.
    :param limits: other attributes of `Option`.
    """
    return dataclasses.field(default=default, metadata={
        'option': {'help': help, 'bounds': bounds, 'choices': choices, **limits}, 'paper': paper})


def options(settings: type, group: str = '') -> Iterator[Option]:
    """Give every setting of a dataclass, by its name or as `group.name`."""
    for field in dataclasses.fields(settings):
        several = isinstance(field.default, tuple)
        yield Option(
            f'{group}.{field.name}' if group else field.name,
            list(field.default) if several else field.default,
            length=len(field.default) if several else None, **field.metadata['option'])
