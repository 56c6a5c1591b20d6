"""Boxes of known objects as a message: vision_msgs where it is installed, else a polygon."""

from collections.abc import Sequence
from typing import Any

from geometry_msgs.msg import Point32, PolygonStamped
from std_msgs.msg import Header

from dig2dig_ros.ros.vision_messages import Detection2DArray, detection_message
from dig2dig_ros.synthetic.street import Box

BOXES = 'ground_truth/boxes'
LABELS = ('pedestrian', 'car')  # by the z of a polygon's points
MESSAGE_TYPE = Detection2DArray or PolygonStamped


def boxes_message(boxes: Sequence[Box], header: Header) -> Any:
    """Make the message.

    :returns: Detection2DArray; or a PolygonStamped with two points for each box, top left and
        bottom right in pixels, their z being 0 for a pedestrian and 1 for a car.
    """
    if MESSAGE_TYPE is PolygonStamped:
        message = PolygonStamped(header=header)
        message.polygon.points = [
            Point32(x=float(x), y=float(y), z=float(LABELS.index(box.label))) for box in boxes
            for x, y in ((box.left, box.top), (box.left + box.width, box.top + box.height))]
        return message
    return Detection2DArray(header=header, detections=[
        detection_message(box.label, 1.0, tuple(map(float, box[1:])), header) for box in boxes])


def boxes_of(message: Any) -> list[Box]:
    """Read what `boxes_message` made."""
    if MESSAGE_TYPE is PolygonStamped:
        points = message.polygon.points
        return [Box(LABELS[round(start.z)], start.x, start.y, end.x - start.x, end.y - start.y)
                for start, end in zip(points[::2], points[1::2], strict=True)]
    found = []
    for one in message.detections:
        width, height, centre = one.bbox.size_x, one.bbox.size_y, one.bbox.center.position
        found.append(Box(one.results[0].hypothesis.class_id, centre.x - width / 2,
                         centre.y - height / 2, width, height))
    return found
