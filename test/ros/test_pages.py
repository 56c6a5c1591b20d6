"""Every command, option, parameter, topic, diagnostic and link on the pages for users exists."""

import argparse
import importlib
import json
import re
import shlex
import subprocess
from pathlib import Path

import pytest
import yaml
from launch_stand_in import Launched

from dig2dig_ros import topics
from dig2dig_ros.cli import COMMANDS
from dig2dig_ros.ros import detector_node, synthetic_cameras
from dig2dig_ros.ros.node.parameters import PARAMETERS

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / 'docs'
PAGES = [ROOT / 'README.md', ROOT / 'CONTRIBUTING.md', *sorted(DOCS.rglob('*.md'))]
BY_NAME = pytest.mark.parametrize('page', PAGES, ids=[path.stem for path in PAGES])
NODE = {row.name: row for row in PARAMETERS}
OTHERS = {row.name for row in (*synthetic_cameras.PARAMETERS, *detector_node.PARAMETERS)}
GROUPS = {name.partition('.')[0] for name in NODE if '.' in name}
CODE = ''.join(path.read_text(encoding='utf-8')
               for path in (ROOT / 'dig2dig_ros').rglob('*.py'))


def text(page):
    return page.read_text(encoding='utf-8')


def commands(page):
    """Every command line of the page's shell blocks, comments left out."""
    for block in re.findall(r'```bash\n(.*?)```', text(page), re.DOTALL):
        for line in block.replace('\\\n', ' ').splitlines():
            for part in re.split(r' && ', line.strip()):
                # Placeholders such as <this repository> are no redirections.
                words = shlex.split(part.replace('<', '').replace('>', ''), comments=True)
                if words:
                    yield words


def quoted(page):
    """What stands in backticks outside of blocks."""
    return re.findall(r'`([^`\n]+)`', re.sub(r'```.*?```', '', text(page), flags=re.DOTALL))


@BY_NAME
def test_launch_arguments_exist(page):
    launched = Launched()
    for words in commands(page):
        if words[:2] == ['ros2', 'launch'] and words[2] == 'dig2dig':
            assert words[3] == 'fusion.launch.py'
            given = dict(word.split(':=', 1) for word in words[4:] if ':=' in word)
            assert given.keys() <= launched.arguments.keys()
            for name, value in given.items():
                choices = launched.arguments[name].choices
                assert choices is None or value in choices
            assert Launched(**given).started


@BY_NAME
def test_commands_and_their_options_exist(page):
    for words in commands(page):
        if words[:4] == ['ros2', 'run', 'dig2dig', 'dig2dig']:
            words = words[3:]
        if words[0] == 'dig2dig':
            module_name, _ = COMMANDS[words[1]]
            parser = argparse.ArgumentParser()
            importlib.import_module(f'dig2dig_ros.commands.{module_name}').configure(parser)
            parser.parse_args(words[2:])


@BY_NAME
def test_parameters_set_in_commands_are_allowed(page):
    for words in commands(page):
        if words[:3] == ['ros2', 'param', 'set'] and words[3] == '/fusion_node':
            value = yaml.safe_load(words[5])
            assert NODE[words[4]].validated(value) == value
        for option, word in zip(words, words[1:], strict=False):
            if option == '-p':
                assert word.partition(':=')[0] in NODE.keys() | OTHERS


@BY_NAME
def test_parameters_named_exist(page):
    for word in quoted(page):
        name = word.partition(':')[0].strip()
        if re.fullmatch(r'[a-z]+\.[a-z_.]+', name) and name.partition('.')[0] in GROUPS:
            assert name in NODE or name.endswith(('.launch.py', '.md')), name


@BY_NAME
def test_topics_named_exist(page):
    known = {value.lstrip('/') for value in vars(topics).values() if isinstance(value, str)}
    known |= {f'{topics.FUSED_IMAGE}/compressed', *(
        f'{name}/compressed' for name in topics.IMAGES.values())}
    for word in quoted(page):
        if re.fullmatch(r'/?(fused|infrared|visible)/[\w/]+', word):
            assert word.lstrip('/') in known, word


@BY_NAME
def test_counters_named_are_counted(page):
    """Reasons such as `pairs dropped: superseded` are texts of the code."""
    for word in quoted(page):
        match = re.fullmatch(r'(?:pairs|images|single images) dropped: ([a-z_ ]+)', word)
        if match:
            assert re.search(rf"""['"]{match[1]}['"]""", CODE), word


@BY_NAME
def test_figures_of_the_cameras_are_reported(page):
    """Such as `infrared noise (grey levels)`."""
    for word in quoted(page):
        match = re.fullmatch(r'(?:infrared|visible) (.+ \(.+\))', word)
        if match:
            assert match[1] in CODE, word


@BY_NAME
def test_links_lead_somewhere(page):
    for target in re.findall(r'\]\(([^)#]+?)(?:#[^)]*)?\)', text(page)):
        assert target.startswith('https://') or (page.parent / target).exists(), target


def test_a_robot_in_a_namespace_gets_a_foxglove_layout():
    """By the one line of the tutorial."""
    page = ROOT / 'docs' / 'tutorials' / 'first_robot.md'
    (line,) = re.findall(r'^sed .*$', text(page), re.MULTILINE)
    made = subprocess.run(line.rpartition(' > ')[0], shell=True, cwd=ROOT, check=True,
                          capture_output=True, text=True).stdout
    plain = json.loads(text(ROOT / 'config' / 'foxglove_layout.json'))
    moved = json.loads(made)

    def images(layout):
        return [panel['imageMode']['imageTopic'] for panel in layout['configById'].values()
                if 'imageMode' in panel]
    assert images(moved) == [f'/robot{topic}' for topic in images(plain)]
    names = [panel['selectedName'] for panel in moved['configById'].values()
             if 'selectedName' in panel]
    assert names == ['robot/fusion_node: fusion']
