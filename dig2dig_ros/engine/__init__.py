"""The Dig2DIG fusion engine: torch only, no ROS."""

from dig2dig_ros.engine.device import resolve_device
from dig2dig_ros.engine.engine import FusionEngine
from dig2dig_ros.engine.result import FusionResult, Timing
from dig2dig_ros.engine.stream import FusionStream
from dig2dig_ros.settings import FusionSettings

__all__ = ['FusionEngine', 'FusionResult', 'FusionSettings', 'FusionStream', 'Timing',
           'resolve_device']
