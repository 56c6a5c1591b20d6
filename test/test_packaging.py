"""What is installed, what is declared, and what runs a node."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml
from test_architecture import imports

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


# What a module's package is called, where it bears another name than the module.
DISTRIBUTIONS = {'cv2': 'opencv-python-headless', 'ruamel': 'ruamel.yaml', 'tf2_ros': 'tf2_ros_py',
                 'skimage': 'scikit-image', 'upath': 'universal_pathlib', 'yaml': 'PyYAML'}
# Left out with a word where nobody has installed it, see dig2dig_ros/evaluation/perceptual.py.
UNDECLARED = {'torchmetrics'}
# Run by a launch file or by `ros2 launch`, not imported.
RUN = {'ros2launch', 'rviz2'}


def exec_depends():
    tree = ElementTree.parse(ROOT / 'package.xml')
    return {element.text for element in tree.findall('exec_depend')}


def required_by_setup():
    """Names of the packages in setup.py."""
    tree = ast.parse((ROOT / 'setup.py').read_text(encoding='utf-8'))
    texts = (node.value for node in ast.walk(tree) if isinstance(node, ast.Constant))
    found = (re.match(r'([\w.-]+)(\[\w+\])?[=>]=', str(text)) for text in texts)
    return {match[1] for match in found if match}


@pytest.fixture(scope='module')
def imported():
    """Packages from elsewhere that the code and the launch files import."""
    files = [*(ROOT / 'dig2dig_ros').rglob('*.py'), *(ROOT / 'launch').rglob('*.py')]
    names = {name for path in files for name in imports(path)}
    return {DISTRIBUTIONS.get(name, name)
            for name in names - sys.stdlib_module_names - {'dig2dig_ros'}}


def test_every_import_is_declared(imported):
    assert imported - exec_depends() - required_by_setup() == UNDECLARED
    assert {'rclpy', 'tf2_ros_py', 'vision_msgs', 'PyYAML', 'torch'} <= imported


def test_every_ros_package_declared_is_used(imported):
    assert {name for name in exec_depends() if not name.startswith('python3-')} == (
        imported & exec_depends()) | RUN


def test_the_package_says_whose_it_is():
    tree = ElementTree.parse(ROOT / 'package.xml')
    assert tree.find('license').text == 'Apache-2.0'
    assert tree.find('url').get('type') == 'website'
    assert tree.find('author').text


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
