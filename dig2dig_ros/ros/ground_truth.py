"""Boxes of known objects as a message: vision_msgs where it is installed, else a polygon."""

from collections.abc import Sequence
from typing import Any

from geometry_msgs.msg import Point32, PolygonStamped
from std_msgs.msg import Header

from dig2dig_ros.synthetic.street import Box

try:
    from vision_msgs.msg import (
        BoundingBox2D,
        Detection2D,
        Detection2DArray,
        ObjectHypothesisWithPose,
    )
    MESSAGE_TYPE = Detection2DArray
except ImportError:
    MESSAGE_TYPE = PolygonStamped


def boxes_message(boxes: Sequence[Box], header: Header) -> Any:
    """Make the message.

    :returns: Detection2DArray; or a PolygonStamped with two points for each box, top left and
        bottom right in pixels, their z being 0 for a pedestrian and 1 for a car.
    """
    if MESSAGE_TYPE is PolygonStamped:
        message = PolygonStamped(header=header)
        message.polygon.points = [
            Point32(x=float(x), y=float(y), z=float(box.label == 'car')) for box in boxes
            for x, y in ((box.left, box.top), (box.left + box.width, box.top + box.height))]
        return message
    return Detection2DArray(header=header, detections=[_detection(box, header) for box in boxes])


def _detection(box: Box, header: Header) -> Any:
    bounds = BoundingBox2D(size_x=float(box.width), size_y=float(box.height))
    bounds.center.position.x = box.left + box.width / 2
    bounds.center.position.y = box.top + box.height / 2
    hypothesis = ObjectHypothesisWithPose()
    hypothesis.hypothesis.class_id = box.label
    hypothesis.hypothesis.score = 1.0
    return Detection2D(header=header, bbox=bounds, results=[hypothesis])
