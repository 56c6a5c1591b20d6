"""The settings registration.*, and what they make."""

import dataclasses
from pathlib import Path

from dig2dig_ros.alignment.rig import CameraRig, read_rig
from dig2dig_ros.camera.registration import IDENTITY, Registration
from dig2dig_ros.camera.rig_registration import RigRegistration
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
    source: str = option(
        'file', 'where a rig comes from; file: all of it from the calibration file; camera_info: '
        'lenses from what the cameras publish, their pose from the file; tf: lenses likewise, '
        'pose from TF (the node needs tf2_ros). Until it is there, and where it cannot be used, '
        'the map is as with file', choices=('file', 'camera_info', 'tf'))
    distance_m: float = option(
        10.0, 'with a rig: distance at which infrared lies exactly on visible', bounds=(0.05, 1e5),
        unit='metres')
    refine: str = option(
        'monitor', 'monitor: measure from the pictures how far infrared lies off, and warn; slow: '
        'also correct it, by at most a pixel at a time; in YAML put off into quotes',
        choices=('off', 'monitor', 'slow'))

    @property
    def file(self) -> Path:
        """The rig file."""
        return Path(self.calibration)

    def build(self, rig: CameraRig | None = None) -> Registration:
        """Make what they describe.

        :param rig: what came from elsewhere, see `source`; None: nothing yet.
        :raises InputError: for a homography that cannot be inverted, or a bad file.
        """
        made = self._from_file()
        if self.source == 'file':
            return made
        if self.model == 'homography':
            raise InputError(f'registration.source is {self.source}, which makes a rig; '
                             'registration.model must be rig or auto')
        if self.source == 'camera_info' and not isinstance(made, RigRegistration):
            raise InputError('registration.source is camera_info, which takes the pose of the '
                             'cameras from a rig that dig2dig calibrate wrote, in '
                             'registration.calibration; tf takes it from TF')
        return made if rig is None else RigRegistration(rig, self.distance_m)

    def _from_file(self) -> Registration:
        if not self.calibration:
            if self.model == 'rig' and self.source == 'file':
                raise InputError('registration.model is rig, which takes a file in '
                                 'registration.calibration; dig2dig calibrate writes one')
            return Registration(self.homography)
        rig = read_rig(self.file)
        kind = 'rig' if isinstance(rig, CameraRig) else 'homography'
        if self.model not in ('auto', kind):
            raise InputError(f'{self.calibration} holds a {kind}, registration.model is '
                             f'{self.model}; it must be {kind} or auto')
        try:
            made = (RigRegistration(rig, self.distance_m) if kind == 'rig'
                    else Registration(rig.homography))
        except InputError as error:
            raise InputError(f'{self.calibration}: {error}') from error
        made.sizes, made.origin = rig.sizes, self.calibration
        return made
