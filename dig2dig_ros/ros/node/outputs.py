"""What the node publishes for each frame."""

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.qos_overriding_options import QoSOverridingOptions
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header

from dig2dig_ros import topics
from dig2dig_ros.ros.messages import ImageWriter, write_compressed
from dig2dig_ros.ros.qos import (
    PublisherEventCallbacks,
    QoSOfferedIncompatibleQoSInfo,
    made_with_events,
    policy_name,
)
from dig2dig_ros.ros.remapping import camera_info_topic, compressed_topic

DEPTH = 2


class Outputs:
    """Publishers and their persistent messages; publishes from the worker's thread.

    Attributes:
        incompatible: topic -> policy that a subscriber wanted and we do not offer.
    """

    def __init__(self, node: Node, values: Mapping[str, Any]) -> None:
        self._node = node
        self._values = values
        self.incompatible: dict[str, str] = {}
        self._image = self._publisher(Image, topics.FUSED_IMAGE)
        self._info = self._publisher(CameraInfo, camera_info_topic(
            node, topics.FUSED_INFO, topics.FUSED_IMAGE))
        self._weights = {camera: self._publisher(Image, name)
                         for camera, name in topics.WEIGHTS.items()}
        self._compressed = None
        if values['output.compressed'] != 'none':
            self._compressed = self._publisher(
                CompressedImage, compressed_topic(node, topics.FUSED_IMAGE))
        self._writer = ImageWriter()
        self._weight_writers = {camera: ImageWriter() for camera in topics.CAMERAS}
        self._last: tuple | None = None

    def apply(self, values: Mapping[str, Any]) -> None:
        """Take changed parameters."""
        self._values = values

    def wanted(self) -> bool:
        """Tell whether anybody subscribes to anything."""
        return any(publisher.get_subscription_count() for publisher in self._publishers())

    def publish(self, header: Header, image: np.ndarray, weights: Mapping[str, np.ndarray],
                camera_info: CameraInfo | None) -> None:
        """Publish one fused frame.

        :param header: of the visible image.
        :param image: uint8, H x W or H x W x 3 BGR.
        :param weights: camera -> H x W float32 in [0, 1].
        :param camera_info: of the visible camera; None where it has not come.
        """
        self._last = (header, image, weights, camera_info)
        encoding = self._values['output.encoding']
        if self._image.get_subscription_count():
            self._image.publish(self._writer.write(image, encoding, header))
        if camera_info is not None and self._info.get_subscription_count():
            stamped = copy.copy(camera_info)  # the object belongs to the executor's thread
            stamped.header = header
            self._info.publish(stamped)
        for camera, publisher in self._weights.items():
            if publisher.get_subscription_count():
                publisher.publish(self._weight_writers[camera].write(
                    weights[camera], '32FC1', header))
        if self._compressed is not None and self._compressed.get_subscription_count():
            self._compressed.publish(write_compressed(
                image, encoding, self._values['output.compressed'],
                self._values['output.jpeg_quality'], header))

    def repeat(self) -> bool:
        """Publish the last frame again on every topic, its stamp telling its age."""
        if self._last is None:
            return False
        self.publish(*self._last)
        return True

    def destroy(self) -> None:
        """Take the topics away."""
        for publisher in self._publishers():
            self._node.destroy_publisher(publisher)

    def _publishers(self) -> list:
        return [publisher for publisher in (
            self._image, self._info, *self._weights.values(), self._compressed)
            if publisher is not None]

    def _publisher(self, message_type: type, topic: str):
        events = PublisherEventCallbacks(
            incompatible_qos=lambda info: self._on_incompatible(topic, info))
        return made_with_events(lambda callbacks: self._node.create_publisher(
            message_type, topic,
            QoSProfile(depth=DEPTH, reliability=ReliabilityPolicy.RELIABLE),
            event_callbacks=callbacks,
            qos_overriding_options=QoSOverridingOptions.with_default_policies()), [events])

    def _on_incompatible(self, topic: str, info: QoSOfferedIncompatibleQoSInfo) -> None:
        policy = policy_name(info.last_policy_kind)
        self.incompatible[topic] = policy
        self._node.get_logger().warning(
            f'a subscriber of {self._node.resolve_topic_name(topic)} gets nothing: its '
            f'{policy} is incompatible with what is offered; change the subscriber, or '
            'qos_overrides of this topic')
