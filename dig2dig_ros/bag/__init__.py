"""Recordings (rosbag2): made from images, fused offline. No ROS, no torch."""

from dig2dig_ros.errors import InputError

try:
    import rosbags  # noqa: F401  its absence is told once, here
except ImportError as error:
    raise InputError('recordings need the package rosbags: pip install "dig2dig[bag]"') from error
