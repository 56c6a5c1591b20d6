"""What the node subscribes to: images on their way to pairs, camera_info, and who is silent."""

import dataclasses
import time
from collections.abc import Callable, Mapping
from typing import Any

from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from rclpy.qos_overriding_options import QoSOverridingOptions
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from dig2dig_ros import topics
from dig2dig_ros.ros.node.capture import Capture
from dig2dig_ros.ros.node.synchronisation import SYNCHRONISERS, Subscriber
from dig2dig_ros.ros.qos import (
    QoSMessageLostInfo,
    QoSRequestedIncompatibleQoSInfo,
    SubscriptionEventCallbacks,
    made_with_events,
    policy_name,
)
from dig2dig_ros.ros.remapping import camera_info_topic, compressed_topic

REMIND_S = 5.0
LOSS_LOG_PERIOD_S = 30.0


@dataclasses.dataclass
class Camera:
    """What is known of one input.

    Attributes:
        topic: resolved name.
        received: images that came.
        last_ns: arrival of the newest, or the start of waiting; of the steady clock.
        resumed_ns: arrival of the first one after the last silence.
        info: its newest camera_info.
        lost: images that the middleware says it lost on the way.
        incompatible: policy because of which a publisher is not heard.
    """

    topic: str
    received: int = 0
    last_ns: int = dataclasses.field(default_factory=time.monotonic_ns)
    resumed_ns: int = 0
    lost: int = 0
    info: CameraInfo | None = None
    incompatible: str = ''

    @property
    def loses_many(self) -> bool:
        """Whether a tenth or more of what was sent does not arrive."""
        return self.lost > 10 and 9 * self.lost > self.received

    def silent_s(self, now_ns: int) -> float:
        """Time since the newest image."""
        return (now_ns - self.last_ns) * 1e-9


class Inputs:
    """Subscriptions of an active node. All its methods belong to the executor's thread."""

    def __init__(self, node: Node, values: Mapping[str, Any],
                 on_capture: Callable[[Capture], None]) -> None:
        """Subscribe.

        :param on_capture: called with each pair, and with each image whose partner camera is
            silent.
        :raises InputError: where the policy is not installed.
        """
        self._node = node
        self._on_capture = on_capture
        self._values = values
        self.cameras: dict[str, Camera] = {}
        self._subscriptions: list = []
        self._reminded_ns = 0
        self._synchroniser = SYNCHRONISERS[values['sync.policy']](
            values, lambda: node.get_clock().now().nanoseconds)
        self._synchroniser.registerCallback(self._paired)
        for camera in topics.CAMERAS:
            self._subscribe(camera)

    def pairing_values(self) -> dict[str, str]:
        """Tell how the pairing goes, for diagnostics."""
        synchroniser = self._synchroniser
        values = {f'images dropped: {reason}': str(count)
                  for reason, count in sorted(synchroniser.dropped.items())}
        if self.last_miss_ms is not None:
            values['last unpaired image was off by (ms)'] = f'{self.last_miss_ms:.1f}'
        return values | {'images without stamp': str(synchroniser.unstamped)}

    def apply(self, values: Mapping[str, Any]) -> None:
        """Take changed parameters; what is queued is let go where they change the pairing."""
        if any(values[name] != self._values[name] for name in values if name.startswith('sync.')):
            self._synchroniser.apply(values)
        self._values = values

    def flush(self) -> None:
        """Let go pairs that waited long enough; call it from a timer."""
        self._synchroniser.flush(time.monotonic_ns())

    def reset(self) -> None:
        """Start over after a jump in time."""
        self._synchroniser.reset()

    @property
    def received(self) -> dict[str, int]:
        """Images that came from each camera, as counters."""
        return {f'images {name}': camera.received for name, camera in self.cameras.items()}

    @property
    def last_miss_ms(self) -> float | None:
        """By how much the last unpaired image missed its nearest, infrared minus visible."""
        miss_ns = self._synchroniser.last_miss_ns
        return None if miss_ns is None else miss_ns * 1e-6

    def silent(self, camera: str) -> bool:
        """Tell whether a camera sends nothing any more."""
        silent_s = self.cameras[camera].silent_s(time.monotonic_ns())
        return silent_s > self._values['silent_timeout_s']

    def remind(self) -> None:
        """Say what is waited for, every few seconds; call it from a timer."""
        now_ns = time.monotonic_ns()
        if (now_ns - self._reminded_ns) * 1e-9 < REMIND_S:
            return
        self._reminded_ns = now_ns
        for camera in self.cameras.values():
            if camera.silent_s(now_ns) < REMIND_S:
                continue
            count = self._node.count_publishers(camera.topic)
            why = 'no publisher' if count == 0 else f'{count} publisher(s), but no image comes'
            if camera.incompatible:
                why += f'; its QoS {camera.incompatible} is incompatible'
            self._node.get_logger().warning(f'waiting for {camera.topic}: {why}')

    def destroy(self) -> None:
        """Unsubscribe."""
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)

    def _subscribe(self, camera: str) -> None:
        name = topics.IMAGES[camera]
        compressed = self._values['input.transport'] == 'compressed'
        topic = compressed_topic(self._node, name) if compressed else name
        events = {'incompatible_qos': lambda info: self._on_incompatible(camera, info)}
        lost = {'message_lost': lambda info: self._on_lost(camera, info)}
        subscriber = made_with_events(
            lambda callbacks: Subscriber(
                self._node, CompressedImage if compressed else Image, topic,
                qos_profile=qos_profile_sensor_data, event_callbacks=callbacks,
                qos_overriding_options=QoSOverridingOptions.with_default_policies()),
            [SubscriptionEventCallbacks(**events, **lost), SubscriptionEventCallbacks(**events)])
        subscriber.registerCallback(lambda message: self._received(camera, message))
        self.cameras[camera] = Camera(subscriber.sub.topic_name)
        info_topic = camera_info_topic(self._node, topics.INFOS[camera], name)
        self._subscriptions += [subscriber.sub, self._node.create_subscription(
            CameraInfo, info_topic, lambda message: self._received_info(camera, message),
            qos_profile_sensor_data)]

    def _received(self, camera: str, message: Image | CompressedImage) -> None:
        now_ns = time.monotonic_ns()
        other = 'visible' if camera == 'infrared' else 'infrared'
        self._note_arrival(camera, now_ns)
        if self._alone(camera, other, now_ns):
            self._hand_over(Capture(**{other: None, camera: message}, received_ns=now_ns))
        else:
            self._synchroniser.add(camera, message, now_ns)

    def _paired(self, infrared: Image, visible: Image, received_ns: int, skew_ns: int) -> None:
        self._hand_over(Capture(infrared, visible, received_ns, skew_ns))

    def _hand_over(self, capture: Capture) -> None:
        self._on_capture(capture._replace(visible_info=self.cameras['visible'].info,
                                          infrared_info=self.cameras['infrared'].info))

    def _note_arrival(self, camera: str, now_ns: int) -> None:
        state = self.cameras[camera]
        if state.received == 0 or self.silent(camera):
            state.resumed_ns = now_ns
        state.received += 1
        state.last_ns = now_ns

    def _alone(self, camera: str, other: str, now_ns: int) -> bool:
        """Tell whether a partner is not to be expected.

        Where both were silent, as at the start, the other one gets as long to come back.
        """
        waited_ns = now_ns - max(self.cameras[camera].resumed_ns, self.cameras[other].last_ns)
        return waited_ns * 1e-9 > self._values['silent_timeout_s']

    def _received_info(self, camera: str, message: CameraInfo) -> None:
        self.cameras[camera].info = message

    def _on_lost(self, camera: str, info: QoSMessageLostInfo) -> None:
        state = self.cameras[camera]
        state.lost = info.total_count
        if state.loses_many:
            self._node.get_logger().warning(
                f'{state.topic}: {state.lost} images were lost on the way; see '
                'docs/middleware.md', throttle_duration_sec=LOSS_LOG_PERIOD_S)

    def _on_incompatible(self, camera: str, info: QoSRequestedIncompatibleQoSInfo) -> None:
        policy = policy_name(info.last_policy_kind)
        state = self.cameras[camera]
        state.incompatible = policy
        self._node.get_logger().warning(
            f'a publisher of {state.topic} is not heard: its {policy} is incompatible with what '
            'is requested; change the publisher, or qos_overrides of this topic')
