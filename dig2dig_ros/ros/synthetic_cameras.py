"""Two cameras that are not there: publishes a rendered night street, or a folder of real pairs."""

import random
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rclpy.node import Node
from rclpy.qos import QoSProfile
from rclpy.time import Time
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from dig2dig_ros import topics
from dig2dig_ros.alignment.rig import Camera, write_rig
from dig2dig_ros.errors import InputError
from dig2dig_ros.ros.camera_info import camera_info
from dig2dig_ros.ros.ground_truth import BOXES, MESSAGE_TYPE, boxes_message
from dig2dig_ros.ros.messages import ImageWriter
from dig2dig_ros.ros.parameter_table import Parameter, declare, read
from dig2dig_ros.ros.spin import run
from dig2dig_ros.synthetic.image_sources import make_source
from dig2dig_ros.synthetic.misalignment import ALIGNED
from dig2dig_ros.synthetic.rig_view import ideal_matrix

INFRARED_ENCODINGS = {'uint8': 'mono8', 'uint16': 'mono16'}

PARAMETERS = (
    Parameter('rate_hz', 15.0, 'pairs per second', bounds=(0.1, 1000.0), changes='start'),
    Parameter('width', 640, 'of the rendered images, in pixels', bounds=(64, 4096),
              changes='start'),
    Parameter('height', 512, 'of the rendered images, in pixels', bounds=(64, 4096),
              changes='start'),
    Parameter('seed', 0, 'of the scene, the jitter and the drop-outs', bounds=(0, 2**31),
              changes='start'),
    Parameter('pairs', '', 'a folder with ir and vi, or infrared and visible, to publish in '
              'place of the rendered street', changes='start'),
    Parameter('infrared_homography', list(ALIGNED), 'row-major 3x3 homography that puts the '
              "infrared camera out of place: from an aligned camera's pixels to its own",
              length=9, bounds=(-1e6, 1e6), changes='start'),
    Parameter('baseline_m', 0.0, 'distance of the two cameras of the rendered street, with lenses '
              'of known distortion, in metres; 0: one ideal camera sees both spectra',
              bounds=(0.0, 2.0), changes='start'),
    Parameter('rig_file', '', 'write the true rig here, for registration.calibration; empty: do '
              'not', changes='start'),
    Parameter('jitter_s', 0.0, 'standard deviation of each stamp, in seconds', bounds=(0.0, 1.0)),
    Parameter('dropout', 0.0, 'share of images, of each camera, that are lost',
              bounds=(0.0, 1.0)),
    Parameter('infrared_offset_s', 0.0, "the infrared camera's clock is ahead by this, in "
              'seconds', bounds=(-10.0, 10.0)),
    Parameter('infrared_enabled', True, 'false stops the infrared camera'),
    Parameter('visible_enabled', True, 'false stops the visible camera'),
)


class SyntheticCameras(Node):
    """Publishes `infrared/image_raw`, `visible/image_raw`, camera_info and the true boxes."""

    def __init__(self) -> None:
        """Draw the scene and start.

        :raises InputError: for a parameter or folder that cannot be used.
        """
        super().__init__('synthetic_cameras')
        declare(self, PARAMETERS)
        values = read(self, PARAMETERS)
        self._source = make_source(values['pairs'], values['width'], values['height'],
                                   values['seed'], values['infrared_homography'],
                                   values['baseline_m'])
        rig = self._source.rig
        self._lenses = (dict.fromkeys(topics.CAMERAS) if rig is None else
                        {'infrared': rig.infrared, 'visible': rig.visible})
        if values['rig_file']:
            if rig is None:
                raise InputError('rig_file takes the rendered street with a baseline_m above 0')
            write_rig(Path(values['rig_file']), rig, {})
        self._random = random.Random(values['seed'])
        self._index = 0
        self._started_ns = self.get_clock().now().nanoseconds
        self._period_s = 1 / values['rate_hz']
        qos = QoSProfile(depth=5)
        self._publishers_of = {camera: (self.create_publisher(Image, topics.IMAGES[camera], qos),
                                        self.create_publisher(CameraInfo, topics.INFOS[camera],
                                                              qos))
                               for camera in topics.CAMERAS}
        self._boxes = self.create_publisher(MESSAGE_TYPE, BOXES, qos)
        self._writers = {camera: ImageWriter() for camera in topics.CAMERAS}
        self._next = self._source.frame(0, 0.0)
        self.create_timer(self._period_s, self._tick)

    def close(self) -> bool:
        """End the node."""
        self.destroy_node()
        return True

    def _tick(self) -> None:
        values = read(self, PARAMETERS)
        now_ns = self.get_clock().now().nanoseconds
        frame = self._next
        images = {'infrared': (frame.infrared, INFRARED_ENCODINGS[str(frame.infrared.dtype)]),
                  'visible': (frame.visible, 'bgr8')}
        headers = {camera: self._header(camera, now_ns, values) for camera in images}
        for camera, (image, encoding) in images.items():
            lost = self._random.random() < values['dropout']
            if values[f'{camera}_enabled'] and not lost:
                publisher, info_publisher = self._publishers_of[camera]
                publisher.publish(self._writers[camera].write(image, encoding, headers[camera]))
                info_publisher.publish(camera_info(headers[camera], self._lenses[camera] or
                                                   ideal_camera(*image.shape[1::-1])))
        self._boxes.publish(boxes_message(frame.boxes, headers['visible']))
        # A stamp is the moment of exposure, so what is exposed then has been drawn before.
        self._index += 1
        self._next = self._source.frame(
            self._index, (now_ns - self._started_ns) * 1e-9 + self._period_s)

    def _header(self, camera: str, now_ns: int, values: dict) -> Header:
        shift_s = self._random.gauss(0, values['jitter_s'])
        if camera == 'infrared':
            shift_s += values['infrared_offset_s']
        stamp = Time(nanoseconds=max(1, now_ns + round(shift_s * 1e9)))
        return Header(stamp=stamp.to_msg(), frame_id=f'{camera}_camera_optical_frame')


def ideal_camera(width: int, height: int) -> Camera:
    """Make an ideal camera with a 60 degree field of view."""
    return Camera((width, height), ideal_matrix(width, height), np.zeros(5))


def main(args: Sequence[str] | None = None) -> int:
    """Run the cameras as a process."""
    try:
        return run(SyntheticCameras, args)
    except InputError as error:
        print(f'synthetic_cameras: error: {error}', file=sys.stderr)
        return 2


if __name__ == '__main__':
    raise SystemExit(main())
