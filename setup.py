"""Packaging of dig2dig: an ament_python package that is also a plain Python distribution."""

from glob import glob

from setuptools import find_packages, setup

PACKAGE = 'dig2dig'

setup(
    name=PACKAGE,
    version='0.1.0',
    packages=find_packages(include=['dig2dig_ros', 'dig2dig_ros.*']),
    package_data={'dig2dig_ros.prior': ['weights/*']},
    data_files=[
        ('share/ament_index/resource_index/packages', [f'resource/{PACKAGE}']),
        (f'share/{PACKAGE}', ['package.xml']),
        (f'share/{PACKAGE}/launch', glob('launch/*.launch.py')),
        (f'share/{PACKAGE}/config', glob('config/*')),
    ],
    python_requires='>=3.10',
    install_requires=[
        'numpy>=1.26',
        'opencv-python-headless>=4.8',
        'safetensors>=0.4',
        'torch>=2.4',
        'tqdm>=4.60',
    ],
    extras_require={
        # A robot has these from apt or rosdep; on PyPI they are for machines without ROS.
        'ros': [
            'ros-rclpy[fastrtps]==7.1.6',
            'ros-diagnostic-msgs==5.3.6',
            'ros-geometry-msgs==5.3.6',
            'ros-sensor-msgs==5.3.6',
            'ros-std-msgs==5.3.6',
        ],
        'bag': ['rosbags>=0.10'],
        'cpu': ['openvino>=2024.4'],
        'evaluation': ['matplotlib>=3.7', 'onnxruntime>=1.17', 'PyYAML>=6', 'scikit-image>=0.22'],
        'test': ['hypothesis>=6', 'pytest>=7', 'PyYAML>=6', 'ruff>=0.6'],
    },
    entry_points={
        'console_scripts': [
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
)
