"""The node's documentation and configuration name what the code has, and nothing else."""

import json
import re
import subprocess
import sys
from pathlib import Path

import yaml
from parameter_names import flat

from dig2dig_ros import topics
from dig2dig_ros.ros import synthetic_cameras
from dig2dig_ros.ros.node.engine_session import fusion_settings
from dig2dig_ros.ros.node.parameters import PARAMETERS
from dig2dig_ros.settings import FusionSettings

ROOT = Path(__file__).resolve().parents[1]
DOCUMENT = (ROOT / 'docs' / 'node.md').read_text(encoding='utf-8')
DEFAULTS = {row.name: row.default for row in PARAMETERS}


def test_generated_files_are_up_to_date():
    """Where this fails, run: python scripts/generate_docs.py."""
    check = subprocess.run([sys.executable, ROOT / 'scripts' / 'generate_docs.py', '--check'],
                           capture_output=True, text=True, check=False)
    assert check.returncode == 0, check.stdout + check.stderr


def test_the_configuration_holds_every_parameter_at_its_default():
    content = yaml.safe_load((ROOT / 'config' / 'fusion.yaml').read_text(encoding='utf-8'))
    assert dict(flat(content['/**']['ros__parameters'])) == DEFAULTS


def test_every_parameter_has_a_description_and_a_good_default():
    for row in (*PARAMETERS, *synthetic_cameras.PARAMETERS):
        assert row.validated(row.default) == row.default
        assert len(row.help) > 8, row.name


def test_documented_topics_are_those_of_the_code():
    names = {value for name, value in vars(topics).items()
             if name.isupper() and isinstance(value, str)} | {f'{topics.FUSED_IMAGE}/compressed'}
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


def test_the_node_runs_live_by_default():
    assert fusion_settings(DEFAULTS, 'cpu') == FusionSettings.preset('live', 'cpu')
    assert fusion_settings(DEFAULTS, 'cuda:0') == FusionSettings.preset('live', 'cuda')


def test_parameters_go_before_the_preset():
    values = DEFAULTS | {'engine.preset': 'paper', 'engine.steps': 25, 'engine.normalise': True}
    assert fusion_settings(values, 'cpu') == FusionSettings.preset(
        'paper', steps=25, normalise=True)
