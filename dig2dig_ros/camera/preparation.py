"""From what two cameras sent to what the engine takes: 8 bits, aligned, with validity. No ROS.

The node, `fuse-bag` and `fuse` prepare their pairs here and nowhere else, so that a recorded
pair gives the same picture in all three.
"""

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import cv2
import numpy as np

from dig2dig_ros.alignment.monitor import Monitor
from dig2dig_ros.alignment.rig import CameraRig
from dig2dig_ros.camera.encodings import read_pixels
from dig2dig_ros.camera.polarity import Polarity
from dig2dig_ros.camera.registration import Registration
from dig2dig_ros.camera.registration_settings import RegistrationSettings
from dig2dig_ros.camera.thermal import ThermalSettings, without_telemetry
from dig2dig_ros.errors import InputError
from dig2dig_ros.option import Option, options
from dig2dig_ros.topics import CAMERAS

Reader = Callable[[Any], np.ndarray]
"""From a message to H x W or H x W x 3 BGR; uint8, uint16 or float32."""

GROUPS = {'thermal': ThermalSettings, 'registration': RegistrationSettings}


def camera_options() -> Iterator[Option]:
    """Give every setting, by its full name, such as `thermal.agc`."""
    for group, settings in GROUPS.items():
        yield from options(settings, group)


class BadImage(InputError):
    """An image that cannot be used; names the camera."""


class Prepared(NamedTuple):
    """A pair as the engine takes it, or what there is of it.

    Attributes:
        infrared: uint8 H x W in the visible frame, hot as white; None without infrared.
        visible: uint8 H x W or H x W x 3 BGR; None without visible.
        valid: bool H x W, False where infrared has no pixel; None where it has all of them.
        raw: infrared as it was sent, less telemetry, not aligned; None without infrared.
    """

    infrared: np.ndarray | None
    visible: np.ndarray | None
    valid: np.ndarray | None
    raw: np.ndarray | None = None


class Preparation:
    """Prepares the pairs of two cameras in order; keeps what carries over between them.

    Attributes:
        problem: why the rig that was offered last is not used; empty where it is.
    """

    def __init__(self, values: Mapping[str, Any] | None = None,
                 read: Reader = read_pixels) -> None:
        """Make it from settings.

        :param values: by full name, see `camera_options`; others are ignored, those left out
            have their defaults.
        :param read: of the messages given to `prepare`.
        :raises InputError: where a value cannot be used.
        """
        self._read = read
        self._size: tuple[int, int] | None = None
        self._seen: tuple[tuple[int, int], tuple[int, int]] | None = None
        self._monitor: Monitor | None = None
        self._rig: CameraRig | None = None
        self._offered: CameraRig | None = None
        self.problem = ''
        self._settings: dict[str, Any] = {}
        self.apply(values or {})

    def apply(self, values: Mapping[str, Any]) -> None:
        """Take changed settings; only the groups in which something changes start over.

        :raises InputError: where a value cannot be used; all settings are then as before.
        """
        settings = {group: _gathered(group, values) for group in GROUPS}
        thermal, registration = settings['thermal'], settings['registration']
        built, before = None, self._settings.get('registration')
        if before != registration:
            built = self._built(registration, self._rig)
        if self._settings.get('thermal') != thermal:
            self._gains = dict(zip(CAMERAS, thermal.gain_controls(), strict=True))
            self._polarity = Polarity(thermal.polarity)
        if built is not None:
            # `slow` goes on from what `monitor` has seen of the same map.
            seen = before == dataclasses.replace(registration, refine='monitor')
            self._lay_by(built, registration, self._monitor if seen else None)
        self._settings = settings

    def offer(self, rig: CameraRig) -> None:
        """Give the rig that `registration.source` takes from elsewhere, for the next pair on.

        Where it does not fit the images the map stays, and `problem` says why.
        """
        self._offered = rig

    def _take_offered(self) -> None:
        rig, self._offered = self._offered, None
        registration = self._settings['registration']
        try:
            self._lay_by(self._built(registration, rig), registration)
        except InputError as error:
            self.problem = str(error)
        else:
            self._rig, self.problem = rig, ''

    def _built(self, registration: RegistrationSettings, rig: CameraRig | None) -> Registration:
        built = registration.build(rig)
        if self._seen is not None:
            built.check_sizes(*self._seen)
        return built

    def _lay_by(self, built: Registration, registration: RegistrationSettings,
                monitor: Monitor | None = None) -> None:
        self._registration = built
        self._monitor = None if registration.refine == 'off' else monitor or Monitor()

    @property
    def parallax(self) -> str:
        """What parallax remains, in a line; empty where that is not known."""
        return self._registration.describe()

    @property
    def rig(self) -> CameraRig | None:
        """The rig that pixels are aligned by; None where it is a homography."""
        return getattr(self._registration, 'rig', None)

    def reset(self) -> None:
        """Forget the frames seen, as after a jump in time."""
        for gain in self._gains.values():
            gain.reset()
        self._polarity.reset()

    @property
    def settings(self) -> dict[str, Any]:
        """The settings by group, see `GROUPS`."""
        return dict(self._settings)

    @property
    def memory(self) -> dict[str, Any]:
        """What carries over to the next pair; see `GainControl.memory` and `Polarity.memory`."""
        gains = {camera: gain.memory for camera, gain in self._gains.items()}
        monitor = self._monitor.copy() if self._corrects else None
        return {**gains, 'polarity': self._polarity.memory, 'monitor': monitor}

    @property
    def remembers(self) -> bool:
        """Tell whether the next pair depends on those before it."""
        gains = any(gain.memory for gain in self._gains.values())
        return bool(self._settings['thermal'].smoothing > 0 and gains or self._polarity.memory
                    or self._corrects)

    def recall(self, memory: Mapping[str, Any]) -> None:
        """Go on from the `memory` of a preparation with the same settings."""
        for camera, gain in self._gains.items():
            gain.recall(memory[camera])
        self._polarity.recall(memory['polarity'])
        if self._corrects:
            self._monitor = memory['monitor'].copy()
            self._registration.correct(self._monitor.correction)

    @property
    def _corrects(self) -> bool:
        """Whether the registration follows what the monitor finds."""
        return self._settings['registration'].refine == 'slow'

    def prepare(self, infrared: Any, visible: Any) -> Prepared:
        """Read and prepare two messages; None stands for a camera that sent nothing.

        Infrared alone comes in the size of the last visible image, if there was one.

        :raises BadImage: where a message cannot be used.
        """
        return self.prepare_images(
            *(None if message is None else _named(camera, self._read, message)
              for camera, message in zip(CAMERAS, (infrared, visible), strict=True)))

    def prepare_images(self, infrared: np.ndarray | None,
                       visible: np.ndarray | None) -> Prepared:
        """Prepare two images.

        :param infrared: h x w or h x w x 3 BGR, uint8, uint16 or float32; None: not there.
        :param visible: H x W or H x W x 3 BGR, the same.
        :raises BadImage: where one cannot be used.
        """
        if visible is not None:
            visible = _named('visible', self._gains['visible'], visible)
            self._size = visible.shape[:2]
        if infrared is None:
            return Prepared(None, visible, None)
        raw = _named('infrared', self._grey, infrared)
        eight_bits = _named('infrared', self._hot_as_white, raw)
        aligned, valid = (self.align(eight_bits) if visible is None else
                          _named('infrared', self._lay, eight_bits, visible))
        return Prepared(aligned, visible, valid, raw)

    def align(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Bring an infrared image, of any depth, where the last one was brought.

        :returns: the image in the visible frame, and where it is valid (None: everywhere).
        """
        return self._registration.align(image, *(self._size or image.shape[:2]))

    def expect(self, pairs: int) -> None:
        """Have `monitor` judge so many pairs; it does nothing where they are too few."""
        if self._monitor is not None and not self._corrects:
            self._monitor.expect(pairs)

    @property
    def monitor(self) -> Monitor | None:
        """What measures how far infrared lies off; None where `registration.refine` is off."""
        return self._monitor

    def _lay(self, infrared: np.ndarray,
             visible: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Align a pair, and look now and then whether it fits."""
        self._seen = infrared.shape[1::-1], visible.shape[1::-1]
        if self._offered is not None:
            self._take_offered()
        if self._monitor and self._monitor.due():
            fixed, valid = self._registration.align(infrared, *visible.shape[:2], corrected=False)
            self._monitor.look(fixed, visible, valid)
            if self._corrects and self._monitor.step(visible.shape[1::-1]):
                self._registration.correct(self._monitor.correction)
        return self._registration.apply(infrared, visible)

    def _grey(self, image: np.ndarray) -> np.ndarray:
        if image.ndim == 3:
            image = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
        return without_telemetry(image, self._settings['thermal'].crop_rows)

    def _hot_as_white(self, raw: np.ndarray) -> np.ndarray:
        return self._polarity(self._gains['infrared'](raw))


def _gathered(group: str, values: Mapping[str, Any]) -> Any:
    """Make the settings of a group from values by full name."""
    names = {field.name: f'{group}.{field.name}' for field in dataclasses.fields(GROUPS[group])}
    return GROUPS[group](**{
        name: tuple(values[full]) if isinstance(values[full], list) else values[full]
        for name, full in names.items() if full in values})


def _named(camera: str, function: Callable[..., Any], *arguments: Any) -> Any:
    try:
        return function(*arguments)
    except InputError as error:
        raise BadImage(f'{camera} image: {error}') from error
