"""Boxes as vision_msgs, where that is installed. It is part of a ROS installation, not of PyPI."""

from typing import Any

from std_msgs.msg import Header

from dig2dig_ros.detection.detections import Detections

try:
    from vision_msgs.msg import (
        BoundingBox2D,
        Detection2D,
        Detection2DArray,
        ObjectHypothesisWithPose,
    )
except ImportError:
    Detection2DArray = None


def detections_message(found: Detections, labels: tuple[str, ...], header: Header) -> Any:
    """Make the Detection2DArray of one picture; `class_id` is the name of the class."""
    return Detection2DArray(header=header, detections=[
        detection_message(labels[number], float(score), tuple(map(float, box)), header)
        for box, score, number in zip(found.boxes, found.scores, found.classes, strict=True)])


def detection_message(label: str, score: float, box: tuple[float, float, float, float],
                      header: Header) -> Any:
    """Make a Detection2D.

    :param box: left, top, width, height, pixels.
    """
    left, top, width, height = box
    bounds = BoundingBox2D(size_x=width, size_y=height)
    bounds.center.position.x, bounds.center.position.y = left + width / 2, top + height / 2
    hypothesis = ObjectHypothesisWithPose()
    hypothesis.hypothesis.class_id, hypothesis.hypothesis.score = label, score
    return Detection2D(header=header, bbox=bounds, results=[hypothesis])
