"""Publishes a recording with its original spacing, and its time on /clock."""

import importlib
import time
from collections.abc import Callable, Sequence

from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rosbags.highlevel import AnyReader
from rosbags.interfaces import Connection, QosDurability
from rosgraph_msgs.msg import Clock

from dig2dig_ros.bag.messages import IMAGE_TYPES
from dig2dig_ros.bag.timeline import Timeline
from dig2dig_ros.errors import InputError

CLOCK_TOPIC = '/clock'
CLOCK_PERIOD_NS = 10_000_000
ACKNOWLEDGE_TIMEOUT_S = 2.0
SETTLE_S = 0.2


class BagPlayer:
    """Plays the topics of an open recording.

    Publishers are reliable, which subscribers of either kind can hear, and as latched as the
    recorded ones were. They keep the last ten messages: a slow consumer loses old ones and
    never holds up the others.

    Attributes:
        unknown: topics left out because their message type is not installed.
        played: messages published.
        latest_ns: how far behind its time the most belated message was.
    """

    def __init__(self, node: Node, reader: AnyReader, topics: Sequence[str] | None = None,
                 key_pressed: Callable[[], str] = lambda: '') -> None:
        """Make the publishers.

        :param topics: those to play; all, where None.
        :param key_pressed: gives the newest key; a space pauses and goes on.
        :raises InputError: where a topic is not in the recording or nothing can be played.
        """
        self._reader = reader
        self._key_pressed = key_pressed
        self._clock = node.create_publisher(Clock, CLOCK_TOPIC, 10)
        self._clock_due_ns = 0
        self._publishers: dict[int, Publisher] = {}
        self._images: list[Publisher] = []
        self.unknown: list[str] = []
        self.played = 0
        self.latest_ns = 0
        for connection in _chosen(reader, topics):
            self._add(node, connection)
        if not self._publishers:
            raise InputError('the recording has no message that could be played')

    def wait_for_subscribers(self, timeout_s: float) -> None:
        """Wait until every image topic is subscribed to, as messages sent before are lost."""
        end_s = time.monotonic() + timeout_s
        while time.monotonic() < end_s and not all(
                publisher.get_subscription_count() for publisher in self._images):
            time.sleep(0.02)
        # Known here is not yet known there: the other end learns of us at about the same time.
        time.sleep(min(SETTLE_S, timeout_s))

    def play(self, rate: float) -> None:
        """Play once, from the start.

        :param rate: recorded seconds per second.
        """
        connections = [connection for connection in self._reader.connections
                       if connection.id in self._publishers]
        timeline = None
        for connection, recorded_ns, data in self._reader.messages(connections):
            if timeline is None:
                timeline = Timeline(recorded_ns, time.monotonic_ns(), rate)
            self._wait(timeline, recorded_ns)
            self._tick(recorded_ns)
            self._publishers[connection.id].publish(bytes(data))
            self.played += 1
        if timeline:
            self._wait(timeline, recorded_ns + self._frame_period_ns(connections))

    def finish(self) -> None:
        """Wait for the last messages to arrive."""
        for publisher in self._publishers.values():
            publisher.wait_for_all_acked(Duration(seconds=ACKNOWLEDGE_TIMEOUT_S))

    def _add(self, node: Node, connection: Connection) -> None:
        message_type = _message_type(connection.msgtype)
        if message_type is None:
            self.unknown.append(f'{connection.topic} ({connection.msgtype})')
            return
        latched = any(profile.durability == QosDurability.TRANSIENT_LOCAL
                      for profile in connection.ext.offered_qos_profiles)
        publisher = node.create_publisher(message_type, connection.topic, QoSProfile(
            depth=10, reliability=ReliabilityPolicy.RELIABLE,
            durability=DurabilityPolicy.TRANSIENT_LOCAL if latched
            else DurabilityPolicy.VOLATILE))
        self._publishers[connection.id] = publisher
        if connection.msgtype in IMAGE_TYPES:
            self._images.append(publisher)

    def _frame_period_ns(self, connections: Sequence[Connection]) -> int:
        """Spacing of the busiest topic: the last frame is due that long before the next pass."""
        most = max(connection.msgcount for connection in connections)
        return round(self._reader.duration / (most - 1)) if most > 1 else 0

    def _wait(self, timeline: Timeline, recorded_ns: int) -> None:
        """Keep /clock going until a recorded time is due."""
        while True:
            now_ns = time.monotonic_ns()
            if self._key_pressed() == ' ':
                timeline.toggle_pause(now_ns)
            left_ns = timeline.due_ns(recorded_ns) - now_ns
            if left_ns <= 0 and not timeline.paused:
                self.latest_ns = max(self.latest_ns, -left_ns)
                return
            if now_ns >= self._clock_due_ns and not timeline.paused:
                self._tick(timeline.recorded_ns(now_ns))
            pause_ns = CLOCK_PERIOD_NS if timeline.paused else min(left_ns, CLOCK_PERIOD_NS)
            time.sleep(pause_ns * 1e-9)

    def _tick(self, recorded_ns: int) -> None:
        message = Clock()
        message.clock.sec, message.clock.nanosec = divmod(recorded_ns, 1_000_000_000)
        self._clock.publish(message)
        self._clock_due_ns = time.monotonic_ns() + CLOCK_PERIOD_NS


def _chosen(reader: AnyReader, topics: Sequence[str] | None) -> list[Connection]:
    """Pick the topics to play; a recorded /clock gives way to ours."""
    available = {connection.topic for connection in reader.connections}
    for topic in topics or ():
        if topic not in available:
            raise InputError(f'the recording has no topic {topic}; it has '
                             f'{", ".join(sorted(available))}')
    return [connection for connection in reader.connections
            if connection.topic in (topics or available) and connection.topic != CLOCK_TOPIC
            and connection.msgcount]


def _message_type(name: str) -> type | None:
    package, _, message = name.partition('/msg/')
    try:
        return getattr(importlib.import_module(f'{package}.msg'), message)
    except (ImportError, AttributeError):
        return None
