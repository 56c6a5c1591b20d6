"""docs/architecture.md names places that exist, and the code keeps the rules it states."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
CODE = ROOT / 'dig2dig_ros'
PAGE = (ROOT / 'docs' / 'architecture.md').read_text(encoding='utf-8')
PLACES = sorted(set(re.findall(r'`([\w/]+\.py)(?::([\w.]+))?`', PAGE)))


def names(body):
    """Functions, classes and assigned names of a module or class."""
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name, node
        elif isinstance(node, ast.AnnAssign):
            yield node.target.id, node
        elif isinstance(node, ast.Assign):
            yield from ((target.id, node) for target in node.targets
                        if isinstance(target, ast.Name))


def test_the_page_names_many_places():
    assert len(PLACES) > 40


@pytest.mark.parametrize(('file', 'name'), PLACES)
def test_every_place_named_exists(file, name):
    body = ast.parse((CODE / file).read_text(encoding='utf-8')).body
    for part in filter(None, name.split('.')):
        found = dict(names(body)).get(part)
        assert found is not None, f'{file} has no {name}'
        body = getattr(found, 'body', [])


def test_every_room_is_on_the_page():
    rooms = {path.parent.name for path in CODE.glob('*/__init__.py')}
    assert {room for room in rooms if f'`{room}`' not in PAGE and f'`{room}/' not in PAGE} == set()


def imports(path):
    """Top names of all packages that a file imports."""
    for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition('.')[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.partition('.')[0]


def test_rclpy_is_imported_below_ros_only():
    rooms = {path.relative_to(CODE).parts[0] for path in CODE.rglob('*.py')
             if 'rclpy' in imports(path)}
    assert rooms == {'ros'}


@pytest.mark.parametrize('room', ['alignment', 'bag', 'camera', 'ros', 'synthetic'])
def test_torch_stays_out(room):
    assert [path for path in (CODE / room).rglob('*.py') if 'torch' in imports(path)] == []
