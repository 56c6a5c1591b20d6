"""A setting stated once: the field of a dataclass that carries its help, bounds and choices.

Command line options, node parameters and documentation are derived from such fields.
"""

import dataclasses
from typing import Any


def option(default: Any, help: str, bounds: tuple[float, float] | None = None,
           choices: tuple[str, ...] | None = None) -> Any:
    """Make a field of a dataclass of settings.

    :param default: a bool, int, float, text, or a tuple of those.
    :param bounds: smallest and largest value, inclusive, of a number or of each of a tuple.
    :param choices: the allowed texts.
    """
    return dataclasses.field(
        default=default, metadata={'help': help, 'bounds': bounds, 'choices': choices})
