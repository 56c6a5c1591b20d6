"""Messages of recordings: made and stamped with the types of rosbags, not of rclpy."""

import sys
from typing import Any

import numpy as np
from rosbags.interfaces import Connection
from rosbags.rosbag2 import Writer

from dig2dig_ros.bag.storage import TYPES
from dig2dig_ros.camera.encodings import encode
from dig2dig_ros.camera.stamps import SECOND_NS

IMAGE = 'sensor_msgs/msg/Image'
COMPRESSED_IMAGE = 'sensor_msgs/msg/CompressedImage'
IMAGE_TYPES = (IMAGE, COMPRESSED_IMAGE)


def add_topic(writer: Writer, topic: str, message_type: str) -> Connection:
    """Declare a topic of one of the standard types."""
    return writer.add_connection(topic, message_type, typestore=TYPES)


def write(writer: Writer, connection: Connection, timestamp_ns: int, message: Any) -> None:
    """Write a message of one of the standard types."""
    writer.write(connection, timestamp_ns, TYPES.serialize_cdr(message, connection.msgtype))


def header(stamp_ns: int, frame_id: str) -> Any:
    """Make a std_msgs/Header."""
    seconds, nanoseconds = divmod(stamp_ns, SECOND_NS)
    return TYPES.types['std_msgs/msg/Header'](
        TYPES.types['builtin_interfaces/msg/Time'](seconds, nanoseconds), frame_id)


def image_message(image: np.ndarray, encoding: str, header: Any) -> Any:
    """Make a sensor_msgs/Image of H x W or H x W x 3 BGR pixels.

    :raises InputError: where the encoding does not suit the pixels.
    """
    pixels = encode(image, encoding)
    height, width = pixels.shape[:2]
    return TYPES.types[IMAGE](
        header, height, width, encoding, int(sys.byteorder == 'big'), pixels.strides[0],
        pixels.reshape(-1).view(np.uint8))
