"""Stamps of messages, of rclpy or of rosbags alike, as integer nanoseconds."""

from typing import Any

SECOND_NS = 1_000_000_000


def stamp_ns(message: Any) -> int:
    """Acquisition time of a stamped message; 0 where its driver did not set it."""
    stamp = message.header.stamp
    return stamp.sec * SECOND_NS + stamp.nanosec
