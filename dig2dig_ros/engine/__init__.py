"""The Dig2DIG fusion engine: torch only, no ROS."""

from dig2dig_ros.engine.engine import FusionEngine
from dig2dig_ros.engine.result import FusionResult, Timing
from dig2dig_ros.engine.settings import FusionSettings
from dig2dig_ros.engine.stream import FusionStream

__all__ = ['FusionEngine', 'FusionResult', 'FusionSettings', 'FusionStream', 'Timing']
