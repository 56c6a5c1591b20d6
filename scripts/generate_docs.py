"""Writes what follows from the code: config/fusion.yaml and the tables of parameters and settings.

Run it after a change of a parameter, setting or preset; with `--check` it only says what is out
of date. Needs rclpy, as `scripts/setup_venv.sh` brings it.
"""

import argparse
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dig2dig_ros.evaluation.pages import fill, markdown_table
from dig2dig_ros.option import Option
from dig2dig_ros.ros import synthetic_cameras
from dig2dig_ros.ros.node.parameters import PARAMETERS
from dig2dig_ros.settings import OPTIONS, PRESETS, FusionSettings

ROOT = Path(__file__).resolve().parents[1]
YAML_WIDTH = 99
YAML_HEAD = """\
# Parameters of the fusion node, at their defaults. docs/node.md explains each of them.
# Allowed values stand in brackets. [configure] is read when the node is configured, [start] at
# its start; all others can be changed while it runs: ros2 param set /fusion_node NAME VALUE
/**:
  ros__parameters:
"""
YAML_TAIL = """\
    # Quality of service can be overridden for each topic, by its full name, such as
    # qos_overrides:
    #   /infrared/image_raw:
    #     subscription:
    #       reliability: reliable
    #   /fused/image:
    #     publisher:
    #       depth: 5
"""


def text(value: Any) -> str:
    """A value as YAML has it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return f'[{", ".join(map(text, value))}]'
    if value in ('', 'off', 'on', 'no', 'yes'):  # words that YAML reads as something else
        return f"'{value}'"
    return str(value)


def parameter_table(rows: Sequence[Option]) -> str:
    """What a node can be set to."""
    return markdown_table(('parameter', 'type', 'default', 'allowed', 'changes', 'meaning'), (
        (f'`{row.name}`', row.type_name, f'`{text(row.default)}`', row.within, row.changes,
         row.help) for row in rows))


def settings_table() -> str:
    """What a fusion can be set to."""
    return markdown_table(('setting', 'type', 'default', 'allowed', 'meaning'), (
        (f'`{option.name}`', option.type_name,
         '' if option.default is None else f'`{text(option.default)}`', option.within,
         option.help) for option in OPTIONS))


def presets_table() -> str:
    """Every setting under every preset, and what the paper says on it."""
    columns = {'default': FusionSettings()}
    for name, preset in PRESETS.items():
        if preset.on_cpu:
            columns |= {f'`{name}`, GPU': FusionSettings.preset(name, 'cuda'),
                        f'`{name}`, CPU': FusionSettings.preset(name, 'cpu')}
        else:
            columns[f'`{name}`'] = FusionSettings.preset(name)
    papers = {field: data.metadata['paper']
              for field, data in FusionSettings.__dataclass_fields__.items()}
    return markdown_table(('setting', *columns, 'the paper'), (
        (f'`{name}`', *(text(getattr(settings, name)) for settings in columns.values()),
         paper or 'silent') for name, paper in papers.items()))


def configuration() -> str:
    """config/fusion.yaml: every parameter with a comment, at its default."""
    lines, group = [], ''
    for row in PARAMETERS:
        *above, name = row.name.split('.')
        if '.'.join(above) != group:
            group = '.'.join(above)
            lines += [f'    {group}:'] if group else []
        indent = ' ' * (6 if group else 4)
        note = f' ({row.within.replace(", ", " | ") if row.choices else row.within})' * bool(
            row.within) + ('' if row.changes == 'live' else f' [{row.changes}]')
        lines += textwrap.wrap(
            row.help + note, YAML_WIDTH, initial_indent=f'{indent}# ',
            subsequent_indent=f'{indent}# ', break_on_hyphens=False)
        lines.append(f'{indent}{name}: {text(row.default)}')
    return YAML_HEAD + '\n'.join(lines) + '\n' + YAML_TAIL


def generated() -> dict[Path, str]:
    """Content of every file that is generated, whole or in part."""
    node, settings = ROOT / 'docs' / 'node.md', ROOT / 'docs' / 'settings.md'
    page = fill(node.read_text(encoding='utf-8'), 'parameters', parameter_table(PARAMETERS))
    page = fill(page, 'synthetic cameras', parameter_table(synthetic_cameras.PARAMETERS))
    other = fill(settings.read_text(encoding='utf-8'), 'settings', settings_table())
    return {ROOT / 'config' / 'fusion.yaml': configuration(), node: page,
            settings: fill(other, 'presets', presets_table())}


def main() -> int:
    """Write the files, or with `--check` exit with 1 where one is out of date."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--check', action='store_true', help='write nothing')
    check = parser.parse_args().check
    stale = {path: content for path, content in generated().items()
             if not path.exists() or path.read_text(encoding='utf-8') != content}
    for path, content in stale.items():
        print(f'{path.relative_to(ROOT)} is out of date' if check
              else f'wrote {path.relative_to(ROOT)}')
        if not check:
            path.write_text(content, encoding='utf-8')
    if check and stale:
        print('run: python scripts/generate_docs.py')
    return int(check and bool(stale))


if __name__ == '__main__':
    sys.exit(main())
