"""Packaging of dig2dig: an ament_python package that is also a plain Python distribution."""

from pathlib import Path

from setuptools import find_packages, setup

PACKAGE = 'dig2dig'
SHARE = f'share/{PACKAGE}'


def files_of(folder: str, suffixes: str = '') -> list[tuple[str, list[str]]]:
    """The files of a folder and of those in it, each with the place to install it."""
    found: dict[str, list[str]] = {}
    for path in sorted(Path(folder).rglob('*')):
        if path.is_file() and path.name.endswith(suffixes):
            found.setdefault(f'{SHARE}/{path.parent.as_posix()}', []).append(path.as_posix())
    return list(found.items())


setup(
    name=PACKAGE,
    version='0.1.0',
    packages=find_packages(include=['dig2dig_ros', 'dig2dig_ros.*']),
    package_data={'dig2dig_ros.prior': ['weights/*']},
    data_files=[
        ('share/ament_index/resource_index/packages', [f'resource/{PACKAGE}']),
        (SHARE, ['package.xml', 'README.md', 'CHANGELOG.rst', 'LICENSE']),
        *files_of('launch', '.launch.py'),
        *files_of('config'),
        # The log and the messages point to these pages.
        *files_of('docs'),
    ],
    python_requires='>=3.10',
    install_requires=[
        'numpy>=1.26',
        'opencv-python-headless>=4.8',
        'PyYAML>=6',
        'safetensors>=0.4',
        'torch>=2.4',
        'tqdm>=4.60',
    ],
    extras_require={
        # A robot has these from apt or rosdep; on PyPI they are for machines without ROS: Jazzy,
        # and Kilted as the second distribution that is tested.
        'ros': [
            'ros-rclpy[fastrtps]==7.1.6',
            'ros-diagnostic-msgs==5.3.6',
            'ros-geometry-msgs==5.3.6',
            'ros-sensor-msgs==5.3.6',
            'ros-std-msgs==5.3.6',
        ],
        'ros-kilted': [
            'ros-rclpy[fastrtps]==9.1.2',
            'ros-diagnostic-msgs==5.5.1',
            'ros-geometry-msgs==5.5.1',
            'ros-sensor-msgs==5.5.1',
            'ros-std-msgs==5.5.1',
        ],
        'bag': ['rosbags>=0.10', 'ruamel.yaml>=0.17'],
        'cpu': ['openvino>=2025.0'],
        'detector': ['onnxruntime>=1.17'],
        'evaluation': ['matplotlib>=3.7', 'onnxruntime>=1.17', 'pycocotools>=2.0.7', 'PyYAML>=6',
                       'scikit-image>=0.22'],
        'cluster': ['ray>=2.10', 'universal_pathlib>=0.2.3'],
        'test': ['hypothesis>=6', 'onnx>=1.15', 'pytest>=7', 'PyYAML>=6', 'ruff>=0.6'],
    },
    entry_points={
        'console_scripts': [
            'detector_node = dig2dig_ros.ros.detector_node:main',
            'dig2dig = dig2dig_ros.cli:main',
            'fusion_node = dig2dig_ros.ros.node.fusion_node:main',
            'synthetic_cameras = dig2dig_ros.ros.synthetic_cameras:main',
        ],
    },
    zip_safe=False,
    maintainer='dig2dig maintainers',
    maintainer_email='maintainers@dig2dig.dev',
    description='Live diffusion fusion of infrared and visible cameras (Dig2DIG) for ROS 2',
    license='Apache-2.0',
    url='https://arxiv.org/abs/2503.18627',
    author='dig2dig maintainers',
    author_email='maintainers@dig2dig.dev',
)
