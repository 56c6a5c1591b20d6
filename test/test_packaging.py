"""What is installed, what is declared, and what runs a node."""

import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml

pytest.importorskip('setuptools', reason='setuptools is not installed: pip install setuptools')

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope='module')
def installed(tmp_path_factory):
    """Install into a folder the way that colcon does; return the folder."""
    prefix = tmp_path_factory.mktemp('prefix')
    build = tmp_path_factory.mktemp('build')
    subprocess.run(
        [sys.executable, 'setup.py', '-q', 'egg_info', '--egg-base', build,
         'build', '--build-base', build,
         'install', '--prefix', prefix, '--record', build / 'install.log',
         '--single-version-externally-managed'],
        cwd=ROOT, check=True, capture_output=True,
        env={**os.environ, 'PYTHONDONTWRITEBYTECODE': '1'})
    return prefix


def test_what_the_log_points_to_is_installed(installed):
    share = installed / 'share' / 'dig2dig'
    for name in ('LICENSE', 'CHANGELOG.rst', 'README.md', 'package.xml', 'docs/node.md',
                 'docs/images/demo.jpg', 'config/fusion.yaml', 'config/fastdds_shm.xml',
                 'launch/fusion.launch.py'):
        assert (share / name).is_file(), name
    shipped = {path.relative_to(share).as_posix() for path in share.rglob('*') if path.is_file()}
    for folder in ('config', 'docs'):
        own = {path.relative_to(ROOT).as_posix() for path in (ROOT / folder).rglob('*')
               if path.is_file()}
        assert own <= shipped


def test_scripts_run_in_the_python_of_the_environment(installed):
    """Not in colcon's own: apt's colcon has #!/usr/bin/python3, which lacks torch."""
    scripts = sorted((installed / 'lib' / 'dig2dig').iterdir())
    assert {'dig2dig', 'fusion_node', 'synthetic_cameras'} <= {path.name for path in scripts}
    for path in scripts:
        assert path.read_text(encoding='utf-8').splitlines()[0] == '#!/usr/bin/env python3'


def test_the_package_declares_what_the_code_imports():
    tree = ElementTree.parse(ROOT / 'package.xml')
    declared = {element.text for element in tree.findall('exec_depend')}
    assert {'cv_bridge', 'vision_msgs', 'rviz2', 'python3-torch', 'launch_ros'} <= declared
    assert tree.find('license').text == 'Apache-2.0'
    assert tree.find('url').get('type') == 'website'
    assert tree.find('author').text
    text = ''.join(path.read_text(encoding='utf-8')
                   for path in (ROOT / 'dig2dig_ros').rglob('*.py'))
    for message_package in ('builtin_interfaces', 'diagnostic_msgs', 'geometry_msgs',
                            'lifecycle_msgs', 'rcl_interfaces', 'rosgraph_msgs', 'sensor_msgs',
                            'std_msgs', 'vision_msgs'):
        assert f'from {message_package}.' not in text or message_package in declared


def test_the_containers_are_the_ones_that_the_files_describe():
    content = yaml.safe_load((ROOT / 'compose.yaml').read_text(encoding='utf-8'))
    assert set(content['services']) == {'fusion', 'fusion-cuda', 'cameras'}
    for service in content['services'].values():
        assert (service['ipc'], service['network_mode']) == ('host', 'host')
        assert service['user'].startswith('${UID')
    lines = (ROOT / 'Dockerfile').read_text(encoding='utf-8').splitlines()
    assert 'FROM debian:bookworm-slim' in lines
    users = [line for line in lines if line.startswith('USER')]
    assert users == ['USER ${UID}']
    # What the image copies must pass the list of what Docker is given.
    passed = (ROOT / '.dockerignore').read_text(encoding='utf-8').splitlines()
    for name in ('setup.py', 'setup.cfg', 'dig2dig_ros', 'config', 'launch', 'resource', 'docs'):
        assert f'!{name}' in passed
