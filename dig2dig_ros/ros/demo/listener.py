"""What the demo hears: inputs, outputs and diagnostics, put together by stamp."""

from typing import NamedTuple

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import Image

from dig2dig_ros import topics
from dig2dig_ros.camera.encodings import read_pixels
from dig2dig_ros.camera.stamps import stamp_ns
from dig2dig_ros.ros import ground_truth
from dig2dig_ros.synthetic.street import Box

KEPT = 60
INPUTS = (topics.INFRARED_IMAGE, topics.VISIBLE_IMAGE)
OUTPUTS = (topics.FUSED_IMAGE, topics.INFRARED_WEIGHTS)


class Moment(NamedTuple):
    """One fused frame with what it was made of, and the true boxes, where they are known."""

    infrared: np.ndarray
    visible: np.ndarray
    fused: np.ndarray
    infrared_weights: np.ndarray
    boxes: list[Box]


class DemoListener(Node):
    """Subscribes to everything.

    Attributes:
        fused_count: fused images heard.
        latencies_ms: visible stamp to arrival here, for each of them.
        diagnostics: key -> value of the newest status of the fusion.
        alignment: key -> value of each status of the alignment, in order.
        failure: why the node cannot run, by that status; empty while it can.
    """

    def __init__(self) -> None:
        super().__init__('dig2dig_demo')
        self.fused_count = 0
        self.latencies_ms: list[float] = []
        self.diagnostics: dict[str, str] = {}
        self.alignment: list[dict[str, str]] = []
        self.failure = ''
        self._images: dict[str, dict[int, Image]] = {name: {} for name in INPUTS + OUTPUTS}
        for name in INPUTS:
            self.create_subscription(Image, name, self._keeper(name), qos_profile_sensor_data)
        for name in OUTPUTS:
            self.create_subscription(Image, name, self._keeper(name), 5)
        self._boxes: dict[int, list[Box]] = {}
        self.create_subscription(ground_truth.MESSAGE_TYPE, ground_truth.BOXES, self._on_boxes, 5)
        self.create_subscription(DiagnosticArray, topics.DIAGNOSTICS, self._on_diagnostics, 10)

    def take_moment(self) -> Moment | None:
        """Return the newest frame of which everything has come, and forget what is older."""
        infrared = self._images[topics.INFRARED_IMAGE]
        complete = set.intersection(*(set(self._images[name])
                                      for name in (topics.VISIBLE_IMAGE, *OUTPUTS)))
        if not infrared or not complete:
            return None
        newest_ns = max(complete)
        nearest_ns = min(infrared, key=lambda stamp: abs(stamp - newest_ns))
        moment = Moment(*map(read_pixels, (infrared[nearest_ns], *(
            self._images[name][newest_ns] for name in (topics.VISIBLE_IMAGE, *OUTPUTS)))),
            boxes=self._boxes.get(newest_ns, []))
        for images in self._images.values():
            images.clear()
        return moment

    def _keeper(self, name: str):
        images = self._images[name]

        def keep(message: Image) -> None:
            if name == topics.FUSED_IMAGE:
                self.fused_count += 1
                self.latencies_ms.append(
                    1e-6 * (self.get_clock().now().nanoseconds - stamp_ns(message)))
            images[stamp_ns(message)] = message
            while len(images) > KEPT:
                del images[next(iter(images))]

        return keep

    def _on_boxes(self, message: ground_truth.MESSAGE_TYPE) -> None:
        self._boxes[stamp_ns(message)] = ground_truth.boxes_of(message)
        while len(self._boxes) > KEPT:
            del self._boxes[next(iter(self._boxes))]

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            if status.name.endswith(': alignment'):
                self.alignment.append({entry.key: entry.value for entry in status.values})
            if status.name.endswith(': fusion'):
                self.diagnostics = {entry.key: entry.value for entry in status.values}
                self.failure = status.message if status.level == DiagnosticStatus.ERROR else ''
