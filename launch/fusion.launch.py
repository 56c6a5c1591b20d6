"""Starts the fusion node; on request also cameras that are not there, a detector, and RViz."""

from pathlib import Path

import yaml
from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription, OpaqueFunction
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterFile
from launch_ros.substitutions import FindPackageShare

CONFIG = Path(__file__).resolve().parents[1] / 'config'
CAMERAS = sorted(path.stem for path in (CONFIG / 'cameras').glob('*.yaml'))
BOOLEANS = ['true', 'false']
TOPICS = {'infrared_topic': 'infrared/image_raw', 'visible_topic': 'visible/image_raw'}
# Arguments that go before what the files say, where they are given: parameter and type.
OVERRIDES = {
    'device': ('engine.device', str),
    'checkpoint': ('engine.checkpoint', str),
    'preset': ('engine.preset', str),
    'latency_budget_ms': ('engine.latency_budget_ms', float),
    'transport': ('input.transport', str),
    'alignment': ('registration.calibration', str),
    'autostart': ('autostart', lambda text: text == 'true'),
}
# name, default, description, choices
ARGUMENTS = [
    ('infrared_topic', '', 'image topic of the infrared camera, camera_info beside it; empty: '
     'that of the camera preset, else infrared/image_raw'),
    ('visible_topic', '', 'image topic of the visible camera, camera_info beside it; empty: '
     'that of the camera preset, else visible/image_raw'),
    ('camera', '', 'presets of config/cameras, one or more with commas between them, of '
     + ', '.join(CAMERAS)),
    ('transport', '', 'input.transport: how the images come; empty: as the files say',
     ['', 'raw', 'compressed']),
    ('alignment', '', 'registration.calibration: file that dig2dig align or calibrate wrote'),
    ('params_file', str(CONFIG / 'fusion.yaml'),
     'YAML file with parameters of the node; goes before a camera preset'),
    ('preset', '', 'engine.preset: live, paper or symmetric; empty: as the files say'),
    ('latency_budget_ms', '', 'engine.latency_budget_ms: the engine keeps to it; empty: as the '
     'files say'),
    ('device', '', 'engine.device: auto, cpu, cuda or cuda:N; empty: as the files say'),
    ('checkpoint', '', 'engine.checkpoint: prior (tiny, small or a weights file); empty: '
     'as the files say'),
    ('detector_model', '', 'ONNX file of a detector for the fused image; starts detector_node'),
    ('detector_labels', '', 'file with the names of its classes, one a line; empty: COCO'),
    ('detector', '', 'yolo_ros: also start yolo_bringup on the fused image', ['', 'yolo_ros']),
    ('namespace', '', 'namespace of all nodes and relative topics'),
    ('use_sim_time', 'false', 'take the time from /clock, as when a bag is replayed', BOOLEANS),
    ('autostart', '', 'false: leave the node unconfigured, for ros2 lifecycle; empty: as the '
     'files say', ['', *BOOLEANS]),
    ('log_level', 'info', 'least severity that is logged', ['debug', 'info', 'warn', 'error']),
    ('use_respawn', 'false', 'start the node again if it dies', BOOLEANS),
    ('synthetic', 'false', 'also start two synthetic cameras that show a rendered night street',
     BOOLEANS),
    ('rviz', 'false', 'also start RViz with the images and weights', BOOLEANS),
    ('fastdds_profile', '', 'Fast DDS profile of our own nodes; empty: that of the environment, '
     'else config/fastdds_shm.xml'),
]


def camera_presets(text):
    """Find the files of the presets that are asked for, and the topics that they name."""
    files, topics = [], {}
    for name in filter(None, text.split(',')):
        if name not in CAMERAS:
            raise RuntimeError(f'camera is {name!r}; it must be of {", ".join(CAMERAS)}')
        files.append(str(CONFIG / 'cameras' / f'{name}.yaml'))
        with open(files[-1], encoding='utf-8') as file:
            topics |= yaml.safe_load(file)['/**/launch']['ros__parameters']
    return files, topics


def parameters(given, preset_files):
    """Put in order: all defaults, then the cameras, the user's file and the arguments."""
    defaults = str(CONFIG / 'fusion.yaml')
    own = [] if given['params_file'] == defaults else [
        ParameterFile(given['params_file'], allow_substs=True)]
    overrides = {name: convert(given[argument])
                 for argument, (name, convert) in OVERRIDES.items() if given[argument]}
    return [defaults, *preset_files, *own, sim_time(given), overrides]


def sim_time(given):
    """Parameter of every node."""
    return {'use_sim_time': given['use_sim_time'] == 'true'}


def start(context):
    """Start what the arguments ask for; they are known only now."""
    given = {row[0]: context.launch_configurations[row[0]] for row in ARGUMENTS}
    files, topics = camera_presets(given['camera'])
    remappings = [(name, given[argument] or topics.get(argument, name))
                  for argument, name in TOPICS.items()]
    common = {'package': 'dig2dig', 'namespace': given['namespace'], 'output': 'screen',
              'ros_arguments': ['--log-level', given['log_level']]}
    if given['fastdds_profile']:
        # Of our own nodes only: a bringup that includes this file has others.
        common['additional_env'] = {'FASTDDS_DEFAULT_PROFILES_FILE': given['fastdds_profile']}
    started = [Node(
        executable='fusion_node', name='fusion_node', remappings=remappings,
        parameters=parameters(given, files), respawn=given['use_respawn'] == 'true',
        respawn_delay=2.0, **common)]
    if given['synthetic'] == 'true':
        started.append(Node(executable='synthetic_cameras', name='synthetic_cameras',
                            remappings=remappings, **common))
    if given['rviz'] == 'true':
        started.append(Node(
            package='rviz2', executable='rviz2', name='rviz2', namespace=given['namespace'],
            output='screen', arguments=['-d', str(CONFIG / 'fusion.rviz')],
            remappings=remappings, parameters=[sim_time(given)]))
    return started + detectors(given, common)


def detectors(given, common):
    """Detectors that take the fused image."""
    started = []
    if given['detector_model']:
        started.append(Node(
            executable='detector_node', name='detector_node',
            remappings=[('image', 'fused/image')], parameters=[
                sim_time(given), {'model': given['detector_model'],
                                  'labels': given['detector_labels']}], **common))
    if given['detector'] == 'yolo_ros':
        # yolo_ros has a namespace of its own, so the topic is given in full.
        namespace = given['namespace'].strip('/')
        topic = f'/{namespace}/fused/image' if namespace else '/fused/image'
        file = [FindPackageShare('yolo_bringup'), '/launch/yolo.launch.py']
        started.append(IncludeLaunchDescription(
            PythonLaunchDescriptionSource(file),
            launch_arguments={'input_image_topic': topic, 'image_reliability': '1'}.items()))
    return started


def generate_launch_description():
    """Declare the arguments and what they start."""
    arguments = [DeclareLaunchArgument(
        name, default_value=default, description=description,
        choices=choices[0] if choices else None)
        for name, default, description, *choices in ARGUMENTS]
    return LaunchDescription([*arguments, OpaqueFunction(function=start)])
