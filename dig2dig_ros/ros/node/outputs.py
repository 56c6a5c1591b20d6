"""What the node publishes for each frame."""

import copy
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.qos_overriding_options import QoSOverridingOptions
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header

from dig2dig_ros import topics
from dig2dig_ros.camera.preparation import Prepared
from dig2dig_ros.overlay import overlay
from dig2dig_ros.ros.messages import ImageWriter, write_compressed
from dig2dig_ros.ros.qos import (
    PublisherEventCallbacks,
    QoSOfferedIncompatibleQoSInfo,
    made_with_events,
    policy_name,
)
from dig2dig_ros.ros.remapping import camera_info_topic, compressed_topic

DEPTH = 2


class Frame(NamedTuple):
    """What became of one capture.

    Attributes:
        header: of the visible image.
        image: uint8, H x W or H x W x 3 BGR.
        weights: float32, 2 x H x W in [0, 1], infrared first.
        camera_info: of the visible camera; None where it has not come.
        sources: what was fused.
    """

    header: Header
    image: np.ndarray
    weights: np.ndarray
    camera_info: CameraInfo | None
    sources: Prepared


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
        self._weights = [self._publisher(Image, topics.WEIGHTS[camera])
                         for camera in topics.CAMERAS]
        self._overlay = self._publisher(Image, topics.FUSED_OVERLAY)
        self._temperature = self._publisher(Image, topics.FUSED_TEMPERATURE)
        self._compressed = None
        if values['output.compressed'] != 'none':
            self._compressed = self._publisher(
                CompressedImage, compressed_topic(node, topics.FUSED_IMAGE))
        self._writers = {publisher: ImageWriter() for publisher in (
            self._image, *self._weights, self._overlay, self._temperature)}
        self._last: Frame | None = None

    def apply(self, values: Mapping[str, Any]) -> None:
        """Take changed parameters."""
        self._values = values

    def wanted(self) -> bool:
        """Tell whether anybody subscribes to anything."""
        return any(publisher.get_subscription_count() for publisher in self._publishers())

    def wants_fusion(self) -> bool:
        """Tell whether anybody subscribes to what takes the engine."""
        return any(publisher.get_subscription_count() for publisher in self._publishers()
                   if publisher is not self._temperature)

    def wants_temperature(self) -> bool:
        """Tell whether anybody subscribes to the temperatures."""
        return self._temperature.get_subscription_count() > 0

    def publish(self, frame: Frame) -> None:
        """Publish a fused frame on every topic that somebody subscribes to."""
        self._last = frame
        header, values = frame.header, self._values
        encoding = values['output.encoding']
        if self._image.get_subscription_count():
            self._image.publish(self._writers[self._image].write(frame.image, encoding, header))
        if frame.camera_info is not None and self._info.get_subscription_count():
            stamped = copy.copy(frame.camera_info)  # the object belongs to the executor's thread
            stamped.header = header
            self._info.publish(stamped)
        for publisher, weights in zip(self._weights, frame.weights, strict=True):
            if publisher.get_subscription_count():
                publisher.publish(self._writers[publisher].write(weights, '32FC1', header))
        if self._compressed is not None and self._compressed.get_subscription_count():
            self._compressed.publish(write_compressed(
                frame.image, encoding, values['output.compressed'],
                values['output.jpeg_quality'], header))
        if self._overlay.get_subscription_count():
            picture = overlay(values['output.overlay'], frame.image, frame.weights, frame.sources)
            self._overlay.publish(self._writers[self._overlay].write(picture, 'bgr8', header))

    def publish_temperature(self, header: Header, degrees: np.ndarray) -> None:
        """Publish temperatures, H x W float32, NaN where there is none."""
        self._temperature.publish(
            self._writers[self._temperature].write(degrees, '32FC1', header))

    def repeat(self) -> bool:
        """Publish the last frame again on every topic, its stamp telling its age."""
        if self._last is None:
            return False
        self.publish(self._last)
        return True

    def destroy(self) -> None:
        """Take the topics away."""
        for publisher in self._publishers():
            self._node.destroy_publisher(publisher)

    def _publishers(self) -> list:
        return [publisher for publisher in (
            self._image, self._info, *self._weights, self._compressed, self._overlay,
            self._temperature)
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
