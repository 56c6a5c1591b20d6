"""What the command line says of packages that are not there."""

import re
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from dig2dig_ros import cli

SETUP = (Path(__file__).resolve().parents[1] / 'setup.py').read_text(encoding='utf-8')


@pytest.mark.parametrize(('missing', 'brings'), [
    ('rosbags.highlevel', '"dig2dig[bag]"'), ('ruamel.yaml', '"dig2dig[bag]"'),
    ('matplotlib', '"dig2dig[evaluation]"'), ('rclpy', '"dig2dig[ros]"'),
    ('torch', 'torch')])
def test_a_missing_package_is_named_with_what_brings_it(missing, brings, monkeypatch, capsys):
    def run(arguments):
        raise ModuleNotFoundError(f'No module named {missing}', name=missing)

    stub = SimpleNamespace(configure=lambda parser: None, run=run, __doc__='')
    monkeypatch.setitem(sys.modules, 'dig2dig_ros.commands.fuse', stub)
    assert cli.main(['fuse']) == 2
    assert capsys.readouterr().err == (
        f'dig2dig fuse: error: needs the Python package {missing}; '
        f'pip install {brings} brings it\n')


def test_a_module_of_our_own_that_is_missing_is_a_bug(monkeypatch):
    monkeypatch.setitem(cli.COMMANDS, 'fly', ('no_such_command', ''))
    with pytest.raises(ModuleNotFoundError):
        cli.main(['fly'])


def test_the_extras_named_are_declared():
    declared = {name: packages for name, packages in re.findall(
        r"^        '([\w-]+)': \[(.*?)\]", SETUP, re.MULTILINE | re.DOTALL)}
    assert cli.EXTRAS.keys() <= declared.keys()
    assert 'ruamel.yaml' in declared['bag']
