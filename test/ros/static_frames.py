"""Broadcasts static transforms with the real tf2_ros; a process of its own, started by tests.

Reads a JSON file of [parent, child, [x, y, z], [qx, qy, qz, qw]] again whenever it changes.
"""

import contextlib
import json
import sys
from pathlib import Path

import rclpy
import tf2_ros
from geometry_msgs.msg import TransformStamped
from rclpy.executors import ExternalShutdownException

PERIOD_S = 0.05


def transform(parent, child, shift, turn):
    made = TransformStamped(child_frame_id=child)
    made.header.frame_id = parent
    for vector, names, values in ((made.transform.translation, 'xyz', shift),
                                  (made.transform.rotation, 'xyzw', turn)):
        for name, value in zip(names, values, strict=True):
            setattr(vector, name, float(value))
    return made


def main():
    path, sent, broadcaster = Path(sys.argv[1]), '', None
    rclpy.init()
    node = rclpy.create_node('static_frames')

    def look():
        nonlocal sent, broadcaster
        text = path.read_text()
        if text == sent:
            return
        if broadcaster is not None:  # upstream's never changes what it has sent once
            node.destroy_publisher(broadcaster.pub_tf)
        sent, broadcaster = text, tf2_ros.StaticTransformBroadcaster(node)
        broadcaster.sendTransform([transform(*each) for each in json.loads(text)])

    node.create_timer(PERIOD_S, look)
    with contextlib.suppress(KeyboardInterrupt, ExternalShutdownException):
        rclpy.spin(node)


if __name__ == '__main__':
    main()
