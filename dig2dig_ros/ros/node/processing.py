"""From the two messages of a pair to aligned 8-bit sources. No torch here."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import cv2
import numpy as np
from std_msgs.msg import Header

from dig2dig_ros.camera.registration import Registration
from dig2dig_ros.camera.thermal import GainControl
from dig2dig_ros.errors import InputError
from dig2dig_ros.ros.messages import make_reader


class Job(NamedTuple):
    """A pair of messages to fuse, or one alone (the other None) to pass through."""

    infrared: Any
    visible: Any
    received_ns: int
    skew_ns: int = 0

    @property
    def is_pair(self) -> bool:
        """Whether there are two images to fuse."""
        return self.infrared is not None and self.visible is not None


class Sources(NamedTuple):
    """Aligned images, uint8, H x W or H x W x 3 BGR; where infrared is None there is none.

    valid is H x W bool, False where the infrared camera does not look, or None.
    """

    infrared: np.ndarray | None
    visible: np.ndarray | None
    valid: np.ndarray | None
    header: Header


class BadImage(InputError):
    """A message that cannot be used; names the camera."""


class Processing:
    """Decodes, brings to 8 bits and registers; keeps what carries over from frame to frame."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        """Make it from the node's parameters.

        :raises InputError: where a value cannot be used.
        """
        self._read = make_reader(values['input.transport'], values['input.conversion'])
        self._values: Mapping[str, Any] = {}
        self._visible_header: Header | None = None
        self._size: tuple[int, int] | None = None
        self.apply(values)

    def apply(self, values: Mapping[str, Any]) -> None:
        """Take changed parameters; only what they concern starts over.

        :raises InputError: for a homography without an inverse, or a range upside down.
        """
        if self._changed(values, 'registration.'):
            self._registration = Registration(values['registration.homography'])
        if self._changed(values, 'thermal.'):
            percentiles = {'low': values['thermal.low_percentile'],
                           'high': values['thermal.high_percentile'],
                           'smoothing': values['thermal.smoothing']}
            self._gains = {
                'infrared': GainControl(
                    values['thermal.agc'], minimum=values['thermal.minimum'],
                    maximum=values['thermal.maximum'], crop_rows=values['thermal.crop_rows'],
                    **percentiles),
                # A 10- to 16-bit visible camera; one of 8 bits is left as it is.
                'visible': GainControl('percentile', **percentiles)}
        self._values = values

    def reset(self) -> None:
        """Forget the frames seen, as after a jump in time."""
        for gain in self._gains.values():
            gain.reset()

    def prepare(self, job: Job) -> Sources:
        """Read a job's messages.

        :raises BadImage: where a message cannot be used.
        """
        infrared = visible = valid = header = None
        if job.visible is not None:
            visible = self._eight_bits('visible', job.visible)
            header = self._visible_header = job.visible.header
            self._size = visible.shape[:2]
        if job.infrared is not None:
            infrared = self._eight_bits('infrared', job.infrared)
            infrared, valid = self._registration.align(
                infrared, *(self._size or infrared.shape[:2]))
            header = header or self._header_alone(job.infrared.header)
        return Sources(infrared, visible, valid, header)

    def _changed(self, values: Mapping[str, Any], prefix: str) -> bool:
        return any(self._values.get(name) != value for name, value in values.items()
                   if name.startswith(prefix))

    def _header_alone(self, header: Header) -> Header:
        """The infrared image is in the visible frame, if that is known; the time is its own."""
        if self._visible_header is None:
            return header
        return Header(stamp=header.stamp, frame_id=self._visible_header.frame_id)

    def _eight_bits(self, camera: str, message: Any) -> np.ndarray:
        try:
            image = self._read(message)
            if camera == 'infrared' and image.ndim == 3:
                image = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
            return self._gains[camera](image)
        except InputError as error:
            raise BadImage(f'{camera} image: {error}') from error
