"""Starts the fusion node; with `synthetic:=true` also two cameras, with `rviz:=true` also RViz."""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction, SetEnvironmentVariable
from launch.conditions import IfCondition
from launch.substitutions import EnvironmentVariable, LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterFile, ParameterValue
from launch_ros.substitutions import FindPackageShare

BOOLEANS = ['true', 'false']
# Arguments that go before what params_file says, where they are given.
OVERRIDES = {'device': 'engine.device', 'checkpoint': 'engine.checkpoint',
             'autostart': 'autostart'}
REMAPPINGS = [('infrared/image_raw', LaunchConfiguration('infrared_topic')),
              ('visible/image_raw', LaunchConfiguration('visible_topic'))]
COMMON = {
    'namespace': LaunchConfiguration('namespace'),
    'output': 'screen',
}
LOG_LEVEL = ['--log-level', LaunchConfiguration('log_level')]
SIM_TIME = {'use_sim_time': ParameterValue(LaunchConfiguration('use_sim_time'), value_type=bool)}


def config(name):
    """Find a file of this package's config folder."""
    return PathJoinSubstitution([FindPackageShare('dig2dig'), 'config', name])


def declare(name, default, description, choices=None):
    """Declare an argument."""
    return DeclareLaunchArgument(
        name, default_value=default, description=description, choices=choices)


def fusion_node(context):
    """Start the node; which arguments were given is known only now."""
    given = {name: context.launch_configurations[name] for name in OVERRIDES}
    overrides = {OVERRIDES[name]: value == 'true' if name == 'autostart' else value
                 for name, value in given.items() if value}
    return [Node(
        package='dig2dig', executable='fusion_node', name='fusion_node', remappings=REMAPPINGS,
        parameters=[ParameterFile(LaunchConfiguration('params_file'), allow_substs=True),
                    SIM_TIME, overrides],
        ros_arguments=LOG_LEVEL, respawn=LaunchConfiguration('use_respawn'), respawn_delay=2.0,
        **COMMON)]


def generate_launch_description():
    """Declare the arguments and what they start."""
    return LaunchDescription([
        declare('infrared_topic', 'infrared/image_raw',
                'image topic of the infrared camera; its camera_info is the sibling topic'),
        declare('visible_topic', 'visible/image_raw',
                'image topic of the visible camera; its camera_info is the sibling topic'),
        declare('params_file', config('fusion.yaml'), 'YAML file with the parameters of the node'),
        declare('namespace', '', 'namespace of all nodes and relative topics'),
        declare('device', '',
                'engine.device: auto, cpu, cuda or cuda:N; empty: as params_file says'),
        declare('checkpoint', '',
                'engine.checkpoint: prior (tiny, small, medium or a weights file); empty: as '
                'params_file says'),
        declare('use_sim_time', 'false',
                'take the time from /clock, as when a bag is replayed', BOOLEANS),
        declare('autostart', '',
                'false: leave the node unconfigured, for ros2 lifecycle; empty: as params_file '
                'says', ['', *BOOLEANS]),
        declare('log_level', 'info', 'least severity that is logged',
                ['debug', 'info', 'warn', 'error']),
        declare('use_respawn', 'false', 'start the node again if it dies', BOOLEANS),
        declare('synthetic', 'false',
                'also start two synthetic cameras that show a rendered night street', BOOLEANS),
        declare('rviz', 'false', 'also start RViz with the images and weights', BOOLEANS),
        declare('fastdds_profile',
                EnvironmentVariable('FASTRTPS_DEFAULT_PROFILES_FILE',
                                    default_value=config('fastdds_shm.xml')),
                'Fast DDS profile of what is started; the default has shared memory for images'),
        SetEnvironmentVariable('FASTRTPS_DEFAULT_PROFILES_FILE',
                               LaunchConfiguration('fastdds_profile')),
        OpaqueFunction(function=fusion_node),
        Node(package='dig2dig', executable='synthetic_cameras', name='synthetic_cameras',
             remappings=REMAPPINGS, ros_arguments=LOG_LEVEL,
             condition=IfCondition(LaunchConfiguration('synthetic')), **COMMON),
        Node(package='rviz2', executable='rviz2', name='rviz2',
             arguments=['-d', config('fusion.rviz')], parameters=[SIM_TIME],
             condition=IfCondition(LaunchConfiguration('rviz')), **COMMON),
    ])
