"""What the launch file would start, read through a stand-in for launch; and the camera presets."""

import re
from pathlib import Path

import pytest
import yaml
from launch_stand_in import Launched
from parameter_names import flat

from dig2dig_ros.errors import InputError
from dig2dig_ros.ros.node.parameters import PARAMETERS

CONFIG = Path(__file__).resolve().parents[2] / 'config'
PRESETS = sorted((CONFIG / 'cameras').glob('*.yaml'))
ROWS = {row.name: row for row in PARAMETERS}
NAMES = {'infrared_topic', 'visible_topic', 'camera', 'transport', 'alignment', 'params_file',
         'preset', 'latency_budget_ms', 'device', 'checkpoint', 'detector_model',
         'detector_labels', 'detector', 'namespace', 'use_sim_time', 'autostart', 'log_level',
         'use_respawn', 'synthetic', 'rviz', 'fastdds_profile'}


def test_every_argument_is_declared_and_described():
    launched = Launched()
    assert launched.arguments.keys() == NAMES
    assert all(len(argument.description) > 15 for argument in launched.arguments.values())


def test_by_default_the_node_runs_alone_with_all_parameters_at_their_defaults():
    launched = Launched()
    assert launched.executables == ['fusion_node']
    node = launched.node('fusion_node')
    assert node.parameters == [str(CONFIG / 'fusion.yaml'), {'use_sim_time': False}, {}]
    assert node.remappings == [('infrared/image_raw', 'infrared/image_raw'),
                               ('visible/image_raw', 'visible/image_raw')]


def test_arguments_become_parameters_of_the_right_type():
    node = Launched(device='cpu', checkpoint='tiny', autostart='false', latency_budget_ms='50',
                    transport='compressed', preset='paper', use_sim_time='true',
                    alignment='/rig.yaml').node('fusion_node')
    *_, sim_time, overrides = node.parameters
    assert sim_time == {'use_sim_time': True}
    assert overrides == {
        'engine.device': 'cpu', 'engine.checkpoint': 'tiny', 'engine.preset': 'paper',
        'engine.latency_budget_ms': 50.0, 'input.transport': 'compressed', 'autostart': False,
        'registration.calibration': '/rig.yaml'}
    for name in overrides.keys() & ROWS.keys():
        assert ROWS[name].validated(overrides[name]) == overrides[name]


def test_a_users_file_goes_before_a_camera_preset_which_goes_before_the_defaults():
    node = Launched(camera='lepton', params_file='/mine.yaml').node('fusion_node')
    defaults, preset, mine, _, _ = node.parameters
    assert (defaults, preset) == (str(CONFIG / 'fusion.yaml'),
                                  str(CONFIG / 'cameras' / 'lepton.yaml'))
    assert mine.args == ('/mine.yaml',)


def test_presets_name_the_topics_and_arguments_go_before_them():
    def remapped(**given):
        return [topic for _, topic in Launched(**given).node('fusion_node').remappings]
    assert remapped(camera='boson16,realsense') == [
        '/boson/image_raw', '/camera/camera/color/image_raw']
    assert remapped(camera='boson16', infrared_topic='/other') == ['/other', 'visible/image_raw']
    with pytest.raises(RuntimeError, match="camera is 'bosun'; it must be of boson16, boson8"):
        Launched(camera='boson16,bosun')


def test_nothing_leaks_into_a_bringup_that_includes_the_file():
    """SetEnvironmentVariable would change every node that is started later."""
    launched = Launched(fastdds_profile='/mine.xml', synthetic='true', rviz='true')
    assert [type(action).__name__ for action in launched.others] == ['OpaqueFunction']
    for executable in ('fusion_node', 'synthetic_cameras'):
        assert launched.node(executable).additional_env == {
            'FASTDDS_DEFAULT_PROFILES_FILE': '/mine.xml'}
    assert 'additional_env' not in launched.node('rviz2').kwargs
    assert 'additional_env' not in Launched().node('fusion_node').kwargs


def test_rviz_and_the_cameras_follow_the_topics_of_the_node():
    launched = Launched(rviz='true', synthetic='true', infrared_topic='/thermal/image_raw',
                        namespace='robot')
    remappings = launched.node('fusion_node').remappings
    for executable in ('rviz2', 'synthetic_cameras'):
        node = launched.node(executable)
        assert node.remappings == remappings
        assert node.namespace == 'robot'
    assert launched.node('rviz2').arguments == ['-d', str(CONFIG / 'fusion.rviz')]


def test_a_detector_takes_the_fused_image():
    node = Launched(detector_model='/yolox.onnx', namespace='robot').node('detector_node')
    assert node.remappings == [('image', 'fused/image')]
    assert node.parameters[-1] == {'model': '/yolox.onnx', 'labels': ''}
    assert node.namespace == 'robot'
    (include,) = [action for action in Launched(detector='yolo_ros', namespace='robot').started
                  if type(action).__name__ == 'IncludeLaunchDescription']
    assert dict(include.launch_arguments)['input_image_topic'] == '/robot/fused/image'


@pytest.mark.parametrize('path', PRESETS, ids=[path.stem for path in PRESETS])
def test_a_camera_preset_holds_declared_parameters_and_its_sources(path):
    text = path.read_text(encoding='utf-8')
    content = yaml.safe_load(text)
    assert content.keys() == {'/**/launch', '/**/fusion_node'}
    topics = content['/**/launch']['ros__parameters']
    assert topics
    assert topics.keys() <= {'infrared_topic', 'visible_topic'}
    for name, value in flat(content['/**/fusion_node']['ros__parameters']):
        try:
            assert ROWS[name].validated(value) == value
        except InputError as error:
            pytest.fail(str(error))
    comment = ' '.join(line[2:] for line in text.splitlines() if line.startswith('#'))
    assert 'Driver: ' in comment
    assert re.search(r'Sources?: [\w-]+/[\w-]+', comment)


def test_there_is_a_preset_for_each_kind_of_camera():
    assert {path.stem for path in PRESETS} == {
        'boson8', 'boson16', 'lepton', 'optris', 'infiray_p2pro', 'hikmicro', 'oak_thermal',
        'realsense', 'usb_visible'}
