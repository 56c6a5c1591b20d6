"""A stand-in for what the launch file uses of `launch` and `launch_ros`, which PyPI does not have.

It starts nothing: every action keeps its arguments, so that a test can read what would be started.
test_launch.py runs the same file under the real `ros2 launch`, where that is installed.
"""

import runpy
import sys
import types
from pathlib import Path

FILE = Path(__file__).resolve().parents[2] / 'launch' / 'fusion.launch.py'


class Recorded:
    """Whatever was made, with its arguments."""

    def __init__(self, *args, **kwargs):
        self.args = args
        self.kwargs = kwargs

    def __getattr__(self, name):
        return self.__dict__['kwargs'][name]


class Node(Recorded):
    """A node; launch_ros takes these and no others."""

    KNOWN = {'package', 'executable', 'name', 'namespace', 'parameters', 'remappings',
             'ros_arguments', 'output', 'arguments', 'additional_env', 'respawn', 'respawn_delay'}

    def __init__(self, **kwargs):
        assert kwargs.keys() <= self.KNOWN
        super().__init__(**kwargs)


class DeclareLaunchArgument(Recorded):
    """An argument; its choices must have its default, as in launch."""

    def __init__(self, name, default_value, description, choices=None):
        assert choices is None or default_value in choices
        super().__init__(name, default_value=default_value, description=description,
                         choices=choices)


MODULES = {
    'launch': {'LaunchDescription': type('LaunchDescription', (Recorded,), {})},
    'launch.actions': {
        'DeclareLaunchArgument': DeclareLaunchArgument,
        **{name: type(name, (Recorded,), {})
           for name in ('IncludeLaunchDescription', 'OpaqueFunction')}},
    'launch.launch_description_sources': {
        'PythonLaunchDescriptionSource': type('PythonLaunchDescriptionSource', (Recorded,), {})},
    'launch_ros': {},
    'launch_ros.actions': {'Node': Node},
    'launch_ros.parameter_descriptions': {'ParameterFile': type('ParameterFile', (Recorded,), {})},
    'launch_ros.substitutions': {
        'FindPackageShare': type('FindPackageShare', (Recorded,), {})},
}


class Launched:
    """What the launch file declares and, with some arguments given, starts."""

    def __init__(self, **given):
        before = {name: sys.modules.get(name) for name in MODULES}
        for name, content in MODULES.items():
            sys.modules[name] = types.ModuleType(name)
            sys.modules[name].__dict__.update(content)
        try:
            description = runpy.run_path(str(FILE))['generate_launch_description']()
        finally:
            for name, module in before.items():
                sys.modules.pop(name)
                if module is not None:
                    sys.modules[name] = module
        (actions,) = description.args
        self.arguments = {action.args[0]: action for action in actions
                          if isinstance(action, DeclareLaunchArgument)}
        assert given.keys() <= self.arguments.keys()
        self.others = [action for action in actions
                       if not isinstance(action, DeclareLaunchArgument)]
        configurations = {name: given.get(name, action.default_value)
                          for name, action in self.arguments.items()}
        context = types.SimpleNamespace(launch_configurations=configurations)
        self.started = [action for opaque in self.others for action in opaque.function(context)]

    def node(self, executable):
        """The one node of an executable."""
        (node,) = [action for action in self.started
                   if isinstance(action, Node) and action.executable == executable]
        return node

    @property
    def executables(self):
        """What nodes are started."""
        return [action.executable for action in self.started if isinstance(action, Node)]
