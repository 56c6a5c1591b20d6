"""The detector node: objects in any image topic, by an ONNX file that the user brings.

The callback runs on the executor's thread and is short; one worker thread decodes, detects and
publishes. The newest image wins: one that waits while the detector is busy is displaced, and
counted.
"""

import sys
import time
from collections.abc import Sequence
from pathlib import Path

from diagnostic_msgs.msg import DiagnosticArray
from rcl_interfaces.msg import SetParametersResult
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.parameter import Parameter as RosParameter
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.qos_overriding_options import QoSOverridingOptions
from sensor_msgs.msg import Image

from dig2dig_ros import topics
from dig2dig_ros.camera.encodings import read_pixels
from dig2dig_ros.camera.thermal import GainControl
from dig2dig_ros.detection.detections import Detections
from dig2dig_ros.detection.drawing import draw
from dig2dig_ros.detection.labels import read_labels
from dig2dig_ros.detection.onnx_detector import OnnxDetector
from dig2dig_ros.errors import InputError
from dig2dig_ros.ros.detector_statistics import DetectorStatistics
from dig2dig_ros.ros.messages import ImageWriter
from dig2dig_ros.ros.node.diagnostics import status
from dig2dig_ros.ros.node.worker import Worker
from dig2dig_ros.ros.parameter_table import Parameter, declare, read
from dig2dig_ros.ros.spin import run
from dig2dig_ros.ros.vision_messages import Detection2DArray, detections_message

IMAGE, DETECTIONS, ANNOTATED = 'image', 'detections', 'detections/image'
DIAGNOSTICS_PERIOD_S = 1.0
END_TIMEOUT_S = 1.0

PARAMETERS = (
    Parameter('model', '', 'ONNX file of a detector: YOLOX, YOLOv5, YOLOv8, YOLO11 or FastestDet',
              changes='start'),
    Parameter('labels', '', 'text file of class names, one a line; empty: those in the model, or '
              "COCO's", changes='start'),
    Parameter('confidence', 0.5, 'below which a detection does not count', bounds=(0.001, 0.999)),
    Parameter('threads', 0, "of one image on the CPU; 0: onnxruntime's choice", bounds=(0, 256),
              changes='start'),
)


class DetectorNode(Node):
    """Detects in `image`; publishes `detections` (vision_msgs) and `detections/image`."""

    def __init__(self) -> None:
        """Load the detector and start listening.

        :raises InputError: for a parameter or file that cannot be used.
        """
        super().__init__('detector_node')
        declare(self, PARAMETERS)
        values = read(self, PARAMETERS)
        if not values['model']:
            raise InputError('the parameter model is empty; give the ONNX file of a detector, '
                             'as --ros-args -p model:=FILE')
        labels = read_labels(Path(values['labels'])) if values['labels'] else None
        self._detector = OnnxDetector(Path(values['model']), labels, values['confidence'],
                                      threads=values['threads'])
        self._model = values['model']
        self._statistics, self._gain, self._writer = (
            DetectorStatistics(), GainControl(), ImageWriter())
        reliable = QoSProfile(depth=2, reliability=ReliabilityPolicy.RELIABLE)
        self._annotated = self.create_publisher(Image, ANNOTATED, reliable)
        self._detections = None
        if Detection2DArray:
            self._detections = self.create_publisher(Detection2DArray, DETECTIONS, reliable)
        self._diagnostics = self.create_publisher(DiagnosticArray, topics.DIAGNOSTICS, 10)
        self._worker = Worker(self._handle)
        self.add_on_set_parameters_callback(self._on_set_parameters)
        self.create_subscription(
            Image, IMAGE, self._on_image,
            QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT),
            qos_overriding_options=QoSOverridingOptions.with_default_policies())
        self.create_timer(DIAGNOSTICS_PERIOD_S, self._report,
                          clock=Clock(clock_type=ClockType.STEADY_TIME))
        self.get_logger().info(
            f'{self._detector.family} with {len(self._detector.labels)} classes by '
            f'{self._detector.provider}, on {self.resolve_topic_name(IMAGE)}'
            + ('' if Detection2DArray else f'; vision_msgs is not installed, so there is '
               f'{ANNOTATED} and no {DETECTIONS}'))

    def close(self) -> bool:
        """End the worker; False if it is still busy."""
        finished = self._worker.close(END_TIMEOUT_S)
        if finished:
            self.destroy_node()
        return finished

    def _on_image(self, message: Image) -> None:
        self._statistics.received()
        if not self._wanted():
            self._statistics.drop('no subscriber')
        elif self._worker.put(message) is not None:
            self._statistics.drop('superseded')

    def _wanted(self) -> bool:
        return any(publisher is not None and publisher.get_subscription_count()
                   for publisher in (self._annotated, self._detections))

    def _handle(self, message: Image) -> None:
        """One image, on the worker's thread."""
        start_s = time.monotonic()
        try:
            image = self._gain(read_pixels(message))
            found = self._detector.find(image)
            self._publish(message, image, found)
        except InputError as error:
            self._failed('unreadable', str(error))
        except Exception as error:  # onnxruntime's; or the context went down meanwhile
            if self.context.ok():
                self._failed('error', f'{type(error).__name__}: {error}'.splitlines()[0])
        else:
            self._statistics.detected(len(found), start_s)

    def _publish(self, message: Image, image, found: Detections) -> None:  # noqa: ANN001
        labels = self._detector.labels
        if self._detections is not None and self._detections.get_subscription_count():
            self._detections.publish(detections_message(found, labels, message.header))
        if self._annotated.get_subscription_count():
            self._annotated.publish(self._writer.write(
                draw(image, found, labels), 'bgr8', message.header))

    def _failed(self, reason: str, error: str) -> None:
        if self._statistics.drop(reason, error):
            self.get_logger().error(f'an image is dropped: {error}')

    def _on_set_parameters(self, parameters: Sequence[RosParameter]) -> SetParametersResult:
        changed = {parameter.name: parameter.value for parameter in parameters}
        try:
            values = read(self, PARAMETERS, changed)
        except InputError as error:
            return SetParametersResult(successful=False, reason=str(error))
        self._detector.confidence = values['confidence']
        return SetParametersResult(successful=True)

    def _report(self) -> None:
        name = self.get_fully_qualified_name().lstrip('/')
        level, text = self._statistics.level(self._wanted())
        message = DiagnosticArray(status=[status(f'{name}: detector', level, text, {
            'model': self._model, 'family': self._detector.family,
            'classes': len(self._detector.labels), 'runs on': self._detector.provider,
            'topic': self.resolve_topic_name(IMAGE),
            'detections': 'published' if self._detections else 'vision_msgs is not installed',
        } | self._statistics.values())])
        message.header.stamp = self.get_clock().now().to_msg()
        self._diagnostics.publish(message)


def main(args: Sequence[str] | None = None) -> int:
    """Run the node as a process."""
    try:
        return run(DetectorNode, args)
    except InputError as error:
        print(f'detector_node: error: {error}', file=sys.stderr)
    except ModuleNotFoundError as error:
        print(f'detector_node: error: needs the Python package {error.name}; '
              'pip install "dig2dig[detector]" brings it', file=sys.stderr)
    return 2


if __name__ == '__main__':
    raise SystemExit(main())
