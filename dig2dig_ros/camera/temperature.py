"""Temperatures of a radiometric camera: the picture in degrees, its extremes, and an alarm."""

import dataclasses
from collections.abc import Mapping
from typing import Any, NamedTuple

import cv2
import numpy as np

from dig2dig_ros.option import option

UNITS = ('celsius', 'kelvin')
_CELSIUS_K = 273.15


@dataclasses.dataclass(frozen=True)
class TemperatureSettings:
    """What the infrared camera's numbers mean: kelvin = scale * number + offset."""

    scale: float = option(
        0.0, 'kelvin per count of a radiometric camera (TLinear 0.04 or 0.4, centikelvin 0.01), '
        'or 1 where it sends degrees; 0: it is not radiometric', bounds=(0.0, 1000.0))
    offset: float = option(
        0.0, 'kelvin of the number 0: 0 for TLinear and centikelvin, 273.15 for degrees Celsius',
        bounds=(-1e5, 1e5))
    unit: str = option('celsius', 'of fused/temperature, of its diagnostics and of '
                       'thermal.alarm; REP 103 has celsius', choices=UNITS)
    alarm: float = option(
        0.0, 'temperature from which on an alarm is raised, in thermal.unit; it is held until '
        'this is set again; 0: none', bounds=(-1e5, 1e5))


class Reading(NamedTuple):
    """Extremes of a picture, in its unit; row and column of the hottest pixel."""

    minimum: float
    mean: float
    maximum: float
    row: int
    column: int


class Thermometer:
    """Turns aligned infrared numbers into degrees, and holds an alarm.

    Attributes:
        reading: of the last picture that had a pixel; None before.
        peak: the highest reading since the alarm was raised; None while it is not.
    """

    def __init__(self, values: Mapping[str, Any]) -> None:
        """Make it from settings by full name, such as `thermal.scale`; others are ignored."""
        self.reading: Reading | None = None
        self.peak: Reading | None = None
        self.apply(values)

    def apply(self, values: Mapping[str, Any]) -> None:
        """Take changed settings; the reading and the alarm of other ones are forgotten."""
        settings = TemperatureSettings(**{
            field.name: values[f'thermal.{field.name}']
            for field in dataclasses.fields(TemperatureSettings)
            if f'thermal.{field.name}' in values})
        if getattr(self, 'settings', None) != settings:
            self.settings = settings
            self.reading = None
            self.clear_alarm()

    @property
    def radiometric(self) -> bool:
        """Whether the numbers mean temperatures."""
        return self.settings.scale > 0

    @property
    def watches(self) -> bool:
        """Whether every picture is to be measured, for the alarm."""
        return self.radiometric and self.settings.alarm != 0

    def clear_alarm(self) -> None:
        """Take the alarm back until the threshold is reached again."""
        self.peak = None

    def measure(self, numbers: np.ndarray, valid: np.ndarray | None) -> np.ndarray:
        """Make a picture of temperatures and note its extremes.

        :param numbers: float32 H x W, as the camera sent them, aligned; changed in place.
        :param valid: bool H x W, False where infrared has no pixel; None: it has all.
        :returns: float32 H x W in the unit, NaN where infrared has no pixel.
        """
        settings = self.settings
        offset = settings.offset - (_CELSIUS_K if settings.unit == 'celsius' else 0.0)
        numbers *= np.float32(settings.scale)
        numbers += np.float32(offset)
        if valid is not None:
            numbers[~valid] = np.nan
        self._note(numbers)
        return numbers

    def _note(self, degrees: np.ndarray) -> None:
        # An infinite or missing pixel is the camera's fault, and no extreme.
        good = np.isfinite(degrees).view(np.uint8)
        if not good.any():
            return
        minimum, maximum, _, (column, row) = cv2.minMaxLoc(degrees, good)
        self.reading = Reading(minimum, cv2.mean(degrees, good)[0], maximum, row, column)
        reached = self.watches and self.reading.maximum >= self.settings.alarm
        if reached and (self.peak is None or self.reading.maximum > self.peak.maximum):
            self.peak = self.reading
