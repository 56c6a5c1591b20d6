"""The node's documentation and configuration name what the code has, and nothing else."""

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml

pytest.importorskip('rclpy')

from dig2dig_ros import topics  # noqa: E402
from dig2dig_ros.ros import synthetic_cameras  # noqa: E402
from dig2dig_ros.ros.node.engine_session import fusion_settings  # noqa: E402
from dig2dig_ros.ros.node.parameters import PARAMETERS  # noqa: E402

ROOT = Path(__file__).resolve().parents[1]
DOCUMENT = (ROOT / 'docs' / 'node.md').read_text(encoding='utf-8')
DEFAULTS = {row.name: row.default for row in PARAMETERS}


def documented_rows():
    """The parameter tables of docs/node.md: name -> (type, default, changes)."""
    row = re.compile(r'^\| `([\w.]+)` \| ([\w ]+) \| `(.*?)` \| .*? \| (live|configure|start) \|',
                     re.MULTILINE)
    return {match[1]: (match[2], yaml.safe_load(match[3]), match[4])
            for match in row.finditer(DOCUMENT)}


def flat(tree, prefix=''):
    for name, value in tree.items():
        if isinstance(value, dict):
            yield from flat(value, f'{prefix}{name}.')
        else:
            yield prefix + name, value


def test_documented_parameters_are_those_of_the_code():
    table = (*PARAMETERS, *synthetic_cameras.PARAMETERS)
    assert documented_rows() == {
        row.name: (row.type_name, row.default, row.changes) for row in table}


def test_the_configuration_holds_every_parameter_at_its_default():
    content = yaml.safe_load((ROOT / 'config' / 'fusion.yaml').read_text(encoding='utf-8'))
    assert dict(flat(content['/**']['ros__parameters'])) == DEFAULTS


def test_every_parameter_has_a_description_and_a_good_default():
    for row in (*PARAMETERS, *synthetic_cameras.PARAMETERS):
        assert row.validated(row.default) == row.default
        assert len(row.description) > 8, row.name


def test_documented_topics_are_those_of_the_code():
    names = {value for name, value in vars(topics).items()
             if name.isupper() and isinstance(value, str)}
    assert set(re.findall(r'^\| `([\w/]+/[\w/]+|/diagnostics)` \| \w+_msgs', DOCUMENT,
                          re.MULTILINE)) == names
    assert f'`{synthetic_cameras.BOXES}`' in DOCUMENT


def test_the_layouts_show_topics_that_exist():
    known = {'/' + value.lstrip('/') for name, value in vars(topics).items()
             if name.isupper() and isinstance(value, str)}
    layout = json.loads((ROOT / 'config' / 'foxglove_layout.json').read_text(encoding='utf-8'))
    shown = {entry['imageMode']['imageTopic'] for entry in layout['configById'].values()
             if 'imageMode' in entry}
    assert shown
    assert shown <= known
    rviz = yaml.safe_load((ROOT / 'config' / 'fusion.rviz').read_text(encoding='utf-8'))
    displays = rviz['Visualization Manager']['Displays']
    assert {'/' + display['Topic']['Value'] for display in displays} <= known


def test_the_defaults_are_the_engines():
    settings = fusion_settings(DEFAULTS)
    from dig2dig_ros.engine import FusionSettings
    # Live the fastest mode is the default; all else is as for the command line.
    assert settings == FusionSettings(mode='one-pass')


def test_the_shared_memory_profile_has_room_for_images():
    tree = ElementTree.parse(ROOT / 'config' / 'fastdds_shm.xml')
    space = {'dds': 'http://www.eprosima.com/XMLSchemas/fastRTPS_Profiles'}
    size = tree.find('.//dds:segment_size', space)
    assert int(size.text) >= 16 * 1280 * 1024 * 3


def test_the_launch_arguments_are_documented_in_the_launch_file():
    text = (ROOT / 'launch' / 'fusion.launch.py').read_text(encoding='utf-8')
    declared = set(re.findall(r"declare\('(\w+)'", text))
    assert declared >= {'infrared_topic', 'visible_topic', 'params_file', 'namespace', 'device',
                        'checkpoint', 'use_sim_time', 'autostart', 'log_level', 'synthetic',
                        'rviz'}
    used = set(re.findall(r"LaunchConfiguration\('(\w+)'\)", text))
    assert used <= declared


def test_engine_parameters_have_the_engines_defaults():
    """All but those that a live node chooses for itself."""
    from dig2dig_ros.engine import FusionSettings
    own = {'engine.mode', 'engine.interval'}
    for parameter in PARAMETERS:
        name = parameter.name.removeprefix('engine.')
        if parameter.name not in own and hasattr(FusionSettings, name):
            assert parameter.default == getattr(FusionSettings, name), parameter.name
