"""Declared grids: which settings a study runs, read from a YAML or JSON file."""

import dataclasses
import itertools
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from dig2dig_ros.errors import InputError
from dig2dig_ros.settings import OPTIONS, FusionSettings

KEYS = ('title', 'base', 'axes', 'cells', 'curves')
Region = tuple[int, int, int, int]  # x, y, width, height in pixels


@dataclasses.dataclass(frozen=True)
class Curves:
    """What of Figure 5 to draw.

    Attributes:
        levels: timesteps at which DIG is cumulated, spaced like a DIG-N schedule.
        t_max: the highest of them, 1..999.
        draws: noise draws averaged in each level; 1 is the paper's Eq. 9.
        regions: rectangles by name, by the stem of the image that they are in.
    """

    levels: int = 20
    t_max: int = 999
    draws: int = 1
    regions: Mapping[str, Mapping[str, Region]] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Grid:
    """One study.

    Attributes:
        title: heading of its tables.
        cells: settings by the name of the cell, in the order of the table.
        curves: what of Figure 5 to draw, or None.
    """

    title: str
    cells: Mapping[str, FusionSettings]
    curves: Curves | None = None


def load_grid(path: Path, preset: str | None = None, device: str = 'auto') -> Grid:
    """Read a grid file.

    Keys: `title`; `base`, settings of every cell; `axes`, lists of values by setting, of which
    every combination is a cell; `cells`, further cells by name; `curves`.
    `preset` among the settings of the base or a cell takes the others from that preset.

    :param preset: of all cells that name none; None for the defaults of `FusionSettings`.
    :param device: that runs the cells; presets may depend on it.
    :raises InputError: naming the file and the key, where something is wrong.
    """
    import yaml
    try:
        content = yaml.safe_load(path.read_text())  # JSON is YAML, too.
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(f'{path} cannot be read as YAML or JSON: '
                         f'{" ".join(str(error).split())}') from error
    try:
        return _grid(content, path.stem, preset, device)
    except (InputError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f'{path}: {error}') from error


def _grid(content: Any, stem: str, preset: str | None, device: str) -> Grid:
    if not isinstance(content, dict):
        raise InputError(f'is not a mapping; its keys are {", ".join(KEYS)}')
    unknown = content.keys() - set(KEYS)
    if unknown:
        raise InputError(f'unknown key {min(map(str, unknown))!r}; known are {", ".join(KEYS)}')
    base = content.get('base') or {}
    wanted = _combinations(content.get('axes') or {}) | (content.get('cells') or {})
    cells = {str(name): _settings({'preset': preset, **base, **(changes or {})}, device)
             for name, changes in wanted.items()}
    _check_folders(cells)
    curves = Curves(**content['curves']) if 'curves' in content else None
    if not cells and not curves:
        raise InputError('declares no cells; give axes, cells or curves')
    return Grid(content.get('title', stem), cells, curves)


def cell_folder(name: str) -> str:
    """Name of the folder that holds a cell's images."""
    return re.sub(r'[^\w.+-]+', '_', name)


def _check_folders(cells: Iterable[str]) -> None:
    """One cell would take the images and scores of another for its own."""
    owners: dict[str, str] = {}
    for name in cells:
        folder = cell_folder(name)
        if folder in ('', '.', '..'):
            raise InputError(f'cell {name!r} cannot name a folder; give it a letter or digit')
        if folder in owners:
            raise InputError(f'cells {owners[folder]!r} and {name!r} would both lie in the folder '
                             f'{folder}; rename one')
        owners[folder] = name


def _combinations(axes: Mapping[str, list]) -> dict[str, dict]:
    for name, values in axes.items():
        if not isinstance(values, list):
            raise InputError(f'axis {name} is {values!r}; it must be a list of values')
    if not axes:
        return {}
    return {', '.join(f'{name} {value}' for name, value in zip(axes, values, strict=True)):
            dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())}


def _settings(values: dict[str, Any], device: str) -> FusionSettings:
    preset = values.pop('preset')
    known = [option.name for option in OPTIONS]
    unknown = values.keys() - set(known)
    if unknown:
        raise InputError(f'unknown setting {min(unknown)!r}; known are preset, {", ".join(known)}')
    return FusionSettings(**values) if preset is None else FusionSettings.preset(
        preset, device, **values)
