"""Pairs of two live cameras for aligning or calibrating them."""

import sys
import time
from collections.abc import Callable, Iterator

import numpy as np
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import CompressedImage, Image

from dig2dig_ros.alignment.frames import Scene, TimedPair, change, stillest, thumbnails
from dig2dig_ros.camera.encodings import read_pixels
from dig2dig_ros.camera.pairing import NearestPairer, Pair
from dig2dig_ros.camera.stamps import SECOND_NS, stamp_ns
from dig2dig_ros.errors import InputError
from dig2dig_ros.ros.spin import command_node
from dig2dig_ros.topics import CAMERAS

_KINDS = {'sensor_msgs/msg/Image': Image, 'sensor_msgs/msg/CompressedImage': CompressedImage}
_SPIN_S = 0.1
_SLOT_NS = SECOND_NS


def live_scenes(topics: tuple[str, str], slop_ns: int, offset_ns: int, count: int,
                limit_s: float, apart: float, wanted: Callable[[TimedPair], bool]) -> list[Scene]:
    """Listen until there are `count` pairs that differ; of each second the one most at rest.

    :param topics: of infrared and of visible, Image or CompressedImage.
    :param limit_s: longest time to listen.
    :param apart: least `change` between any two of them.
    :param wanted: tells whether a pair is of use.
    :raises InputError: where they do not come in time.
    """
    taken: list[tuple[TimedPair, list[np.ndarray]]] = []
    with command_node('alignment') as node:
        cameras = LiveCameras(node, topics, slop_ns, offset_ns)
        for pair in stillest(cameras.pairs(limit_s), _SLOT_NS, time.monotonic_ns()):
            view = thumbnails(pair.images)
            if all(change(before, view) >= apart for _, before in taken) and wanted(pair):
                taken.append((pair, view))
                print(f'{len(taken)} of {count} taken', file=sys.stderr)
            if len(taken) == count:
                return [(f'{index + 1:02}', pair.images)
                        for index, (pair, _) in enumerate(taken)]
    raise InputError(f'in {limit_s:g} s {cameras.came(len(taken), count)}')


class LiveCameras:
    """Subscribes to two topics as soon as their type is known."""

    def __init__(self, node: Node, topics: tuple[str, str], slop_ns: int, offset_ns: int) -> None:
        """Keep what is wanted; see `live_scenes`."""
        self._node = node
        self._topics = topics
        self._pairer = NearestPairer(slop_ns, offset_ns)
        self._newest: TimedPair | None = None
        self._received = dict.fromkeys(CAMERAS, 0)
        self._subscribed: set[str] = set()
        self._problem = ''

    def pairs(self, limit_s: float) -> Iterator[TimedPair]:
        """Give the newest pair each time, until the time is over."""
        executor = SingleThreadedExecutor(context=self._node.context)
        executor.add_node(self._node)
        end_s = time.monotonic() + limit_s
        try:
            while time.monotonic() < end_s:
                self._subscribe()
                executor.spin_once(timeout_sec=_SPIN_S)
                for pair in self._pairer.flush(time.monotonic_ns()):
                    self._take(pair)
                if self._newest is not None:
                    newest, self._newest = self._newest, None
                    yield newest
        finally:
            executor.shutdown()

    def _subscribe(self) -> None:
        if len(self._subscribed) == len(CAMERAS):
            return
        types = dict(self._node.get_topic_names_and_types())
        for camera, topic in zip(CAMERAS, self._topics, strict=True):
            names = types.get(self._node.resolve_topic_name(topic), [])
            kind = next((_KINDS[name] for name in names if name in _KINDS), None)
            if kind is None and names:
                self._problem = f'{topic} carries {names[0]}, no images'
            if kind is not None and camera not in self._subscribed:
                self._subscribed.add(camera)
                self._node.create_subscription(
                    kind, topic, lambda message, camera=camera: self.receive(camera, message),
                    qos_profile_sensor_data)

    def receive(self, camera: str, message: Image | CompressedImage) -> None:
        """Take an image."""
        self._received[camera] += 1
        now_ns = time.monotonic_ns()
        # A driver that sets no stamp leaves only the time of arrival.
        for pair in self._pairer.add(camera, stamp_ns(message) or now_ns, message, now_ns):
            self._take(pair)

    def _take(self, pair: Pair) -> None:
        try:
            images = tuple(read_pixels(message) for message in pair[:2])
        except InputError as error:
            self._problem = str(error)
        else:
            self._newest = TimedPair(time.monotonic_ns(), images)

    def came(self, taken: int, count: int) -> str:
        """Say what came, and what was missing."""
        topics = zip(CAMERAS, self._topics, strict=True)
        silent = [f'{topic} ({camera})' for camera, topic in topics if not self._received[camera]]
        if self._problem:
            return f'no images could be read: {self._problem}'
        if silent:
            return f'no image came on {" and ".join(silent)}; see `ros2 topic list`'
        if not self._pairer.paired:
            miss_ns = self._pairer.last_miss_ns
            off = ('' if miss_ns is None else
                   f', the last one missed by {abs(miss_ns) * 1e-6:.1f} ms')
            return f'no images paired{off}; see --slop and --offset'
        return (f'came {taken} of {count} differing pairs of use; show the cameras something '
                'else between them, at rest, or give more --time-limit or fewer --frames')
