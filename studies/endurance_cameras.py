"""Cameras of the endurance study: processes of their own, so that one can be killed."""

import os
import signal
import subprocess
import sys
import time

import rclpy
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, Image

from dig2dig_ros.ros.camera_info import camera_info
from dig2dig_ros.ros.fast_dds import use_image_profile
from dig2dig_ros.ros.messages import ImageWriter
from dig2dig_ros.ros.shared_memory import kill
from dig2dig_ros.ros.synthetic_cameras import ideal_camera
from dig2dig_ros.synthetic.image_sources import make_source

RATE_HZ = 30
SIZE = (320, 256)
OTHER_SIZE = (160, 128)
FRAMES = 20


class Camera:
    """A camera as seen by the storm: started, stopped, killed, moved in time."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._process: subprocess.Popen | None = None

    def start(self, size: tuple[int, int] = SIZE, offset_s: float = 0.0) -> None:
        """Start the process, in place of the one that runs."""
        self.kill()
        self._process = subprocess.Popen(
            [sys.executable, __file__, self.name, *map(str, size), str(offset_s)])

    def kill(self) -> None:
        """End it as a power loss would.

        That leaves 18 MB of shared memory behind each time, with which the cameras of an hour
        would fill the machine, so it is taken away.
        """
        if self._process is not None:
            kill(self._process)
            self._process = None

    def pause(self, number: int = signal.SIGSTOP) -> None:
        """Stand still, or with SIGCONT go on."""
        if self._process is not None:
            os.kill(self._process.pid, number)


def publish(name: str, width: int, height: int, offset_s: float) -> None:
    """Publish the rendered street; both cameras' stamps lie on one grid of the system's time."""
    use_image_profile()
    rclpy.init()
    node = Node(f'{name}_camera')
    source = make_source('', width, height, 0)
    frames = [getattr(source.frame(index, index / RATE_HZ), name) for index in range(FRAMES)]
    encoding = 'bgr8' if frames[0].ndim == 3 else {'uint8': 'mono8', 'uint16': 'mono16'}[
        str(frames[0].dtype)]
    images = node.create_publisher(Image, f'{name}/image_raw', 5)
    infos = node.create_publisher(CameraInfo, f'{name}/camera_info', 5)
    writer = ImageWriter()
    number = int(time.time() * RATE_HZ)
    while rclpy.ok():
        number = max(number + 1, int(time.time() * RATE_HZ))
        time.sleep(max(0.0, number / RATE_HZ - time.time()))
        header = CameraInfo().header
        stamp_ns = int((number / RATE_HZ + offset_s) * 1e9)
        header.stamp.sec, header.stamp.nanosec = divmod(stamp_ns, 10**9)
        header.frame_id = f'{name}_frame'
        infos.publish(camera_info(header, ideal_camera(width, height)))
        images.publish(writer.write(frames[number % FRAMES], encoding, header))


if __name__ == '__main__':
    publish(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]))
