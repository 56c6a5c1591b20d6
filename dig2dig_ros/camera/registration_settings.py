"""The settings registration.*, and what they make."""

import dataclasses
from pathlib import Path

from dig2dig_ros.alignment.rig import CameraRig, HomographyRig, read_rig
from dig2dig_ros.camera.registration import IDENTITY, Registration
from dig2dig_ros.camera.rig_registration import RigRegistration, parallax_range
from dig2dig_ros.errors import InputError
from dig2dig_ros.option import option


@dataclasses.dataclass(frozen=True)
class RegistrationSettings:
    """How infrared pixels come to lie on visible ones."""

    model: str = option(
        'auto', 'homography: one fixed map; rig: two lenses and a baseline, from the calibration '
        'file; auto: what the file holds, without a file the homography',
        choices=('auto', 'homography', 'rig'))
    homography: tuple[float, ...] = option(
        IDENTITY, 'row-major 3x3 homography from infrared pixels to visible pixels; the '
        'identity stretches the infrared image over the visible one', bounds=(-1e6, 1e6))
    calibration: str = option(
        '', 'rig file that dig2dig align or dig2dig calibrate wrote; empty: none')
    distance_m: float = option(
        10.0, 'with a rig: distance at which infrared lies exactly on visible', bounds=(0.05, 1e5),
        unit='metres')
    refine: str = option(
        'off', 'monitor: measure from the pictures how far infrared lies off; slow: also correct '
        'it, by at most a pixel at a time', choices=('off', 'monitor', 'slow'))

    def build(self) -> Registration:
        """Make what they describe.

        :raises InputError: for a homography that cannot be inverted, or a bad file.
        """
        if not self.calibration:
            if self.model == 'rig':
                raise InputError('registration.model is rig, which takes a file in '
                                 'registration.calibration; dig2dig calibrate writes one')
            return Registration(self.homography)
        rig = read_rig(Path(self.calibration))
        kind = 'rig' if isinstance(rig, CameraRig) else 'homography'
        if self.model not in ('auto', kind):
            raise InputError(f'{self.calibration} holds a {kind}, registration.model is '
                             f'{self.model}; it must be {kind} or auto')
        if isinstance(rig, HomographyRig):
            registration = Registration(rig.homography)
            registration.sizes = rig.sizes
            return registration
        return RigRegistration(rig, self.distance_m)

    def describe(self) -> str:
        """Tell what parallax remains, in a line; empty without a rig."""
        if not self.calibration:
            return ''
        rig = read_rig(Path(self.calibration))
        if not isinstance(rig, CameraRig):
            return ''
        near, far = parallax_range(rig, self.distance_m)
        return (f'aligned at {self.distance_m:g} m; parallax is under 2 px from {near:.1f} m to '
                + (f'{far:.1f} m' if far < 1e4 else 'infinity'))
