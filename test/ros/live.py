"""Talks to nodes, each a process on a ROS domain of its own, over real DDS."""

import contextlib
import itertools
import os
import signal
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState
from processes import PATIENCE_S, Process, own_domain
from rcl_interfaces.srv import GetParameters, SetParameters, SetParametersAtomically
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile
from sensor_msgs.msg import CameraInfo, Image

from dig2dig_ros.camera.encodings import read_pixels
from dig2dig_ros.ros.messages import ImageWriter

REPEAT_S = 0.05
# By a request of no effect, repeated, client and service get to know each other.
GREETINGS = {ChangeState: ChangeState.Request(transition=Transition(label='none')),
             GetParameters: GetParameters.Request(), GetState: GetState.Request(),
             SetParameters: SetParameters.Request(),
             SetParametersAtomically: SetParametersAtomically.Request()}
STAND_IN = [sys.executable, str(Path(__file__).with_name('stand_in_node.py'))]
SECOND_NS = 1_000_000_000


class Bench:
    """The test's own end: publishes cameras, hears outputs, calls services."""

    def __init__(self, folder, domain, namespace=''):
        self.domain = domain
        self.folder = folder
        os.environ['ROS_AUTOMATIC_DISCOVERY_RANGE'] = 'LOCALHOST'
        self._context = Context()
        rclpy.init(context=self._context, domain_id=self.domain)
        self.node = Node('bench', context=self._context, namespace=namespace)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self.node)
        self._publishers = {}
        self._clients = {}
        self._processes = []
        self.heard = {}
        self.diagnostics = {}
        self.levels = {}
        self.messages = {}
        self.values = {}
        self.node.create_subscription(
            DiagnosticArray, '/diagnostics', self._on_diagnostics, 10)

    def start(self, *command):
        """Start a process; with no command, the node with the stand-in engine."""
        process = Process(list(command), self.folder, self.domain)
        self._processes.append(process)
        return process

    def start_stand_in(self, *options, parameters=()):
        """Start the node with the stand-in engine."""
        arguments = [word for text in parameters for word in ('-p', text)]
        return self.start(*STAND_IN, *options, '--ros-args', *arguments)

    def close(self):
        # Before the others: where they were killed first, Fast DDS crashed now and then here.
        self._executor.shutdown()
        self.node.destroy_node()
        rclpy.try_shutdown(context=self._context)
        for process in self._processes:
            process.end(signal.SIGKILL)

    def spin_until(self, condition, what=''):
        """Spin until a condition holds; fail with the processes' logs where it never does."""
        end_s = time.monotonic() + PATIENCE_S
        while not condition():
            self._executor.spin_once(timeout_sec=0.05)
            if time.monotonic() > end_s:
                logs = '\n'.join(process.log for process in self._processes)
                pytest.fail(f'waited in vain for {what or condition}; {self.diagnostics}\n{logs}')

    def listen(self, *names, message_type=Image, qos=10):
        """Collect what comes on topics."""
        for name in names:
            self.heard[name] = []
            self.node.create_subscription(message_type, name, self.heard[name].append, qos)

    def clear(self):
        for messages in self.heard.values():
            messages.clear()

    def publisher(self, message_type, name, **qos):
        """Return a publisher, made once, that somebody listens to."""
        if name not in self._publishers:
            publisher = self.node.create_publisher(
                message_type, name, QoSProfile(**{'depth': 200, **qos}))
            self._publishers[name] = publisher
            self.spin_until(publisher.get_subscription_count, f'a subscriber of {name}')
        return self._publishers[name]

    def publish(self, name, message):
        self.publisher(type(message), name).publish(message)

    def publish_pair(self, stamp_ns, infrared=None, visible=None):
        """Publish two images, by default small and grey, of one stamp."""
        for camera in ('infrared', 'visible'):
            self.publisher(Image, f'{camera}/image_raw')
        self.publish('infrared/image_raw', infrared or image_message(
            np.full((16, 24), 100, np.uint8), 'mono8', stamp_ns, 'infrared_frame'))
        self.publish('visible/image_raw', visible or image_message(
            np.full((16, 24, 3), 50, np.uint8), 'bgr8', stamp_ns, 'visible_frame'))

    def warm_up(self, *outputs):
        """Publish pairs until one is fused: by then both ends of every topic know each other."""
        stamps = itertools.count(1, 50_000_000)
        self.spin_until(lambda: self.publish_pair(next(stamps)) or all(
            self.heard[name] for name in outputs or ('fused/image',)), 'outputs')

    def call(self, service_type, name, request):
        """Call a service once, and wait for its answer."""
        future = self._client(service_type, name).call_async(request)
        self.spin_until(future.done, f'an answer of {name}')
        return future.result()

    def _client(self, service_type, name):
        """Return a client, made once, that its service knows.

        A client knows when it has found the service, not when the service has found it; an
        answer sent before that is lost ("failed to send response" in the service's log).
        """
        if name not in self._clients:
            client = self._clients[name] = self.node.create_client(service_type, name)
            self.spin_until(client.service_is_ready, f'the service {name}')
            greetings, greeted_s = [], 0.0

            def answered():
                nonlocal greeted_s
                if time.monotonic() > greeted_s + REPEAT_S * len(greetings):
                    greetings.append(client.call_async(GREETINGS[service_type]))
                    greeted_s = time.monotonic()
                return any(greeting.done() for greeting in greetings)

            self.spin_until(answered, f'any answer of {name}')
        self.spin_until(self._clients[name].service_is_ready, f'the service {name}')
        return self._clients[name]

    def set_parameters(self, node='fusion_node', atomically=False, **values):
        """Set parameters (dots written as __); return the reasons of refusal, empty if none."""
        parameters = [Parameter(name.replace('__', '.'), value=value).to_parameter_msg()
                      for name, value in values.items()]
        if atomically:
            answer = self.call(SetParametersAtomically, f'{node}/set_parameters_atomically',
                               SetParametersAtomically.Request(parameters=parameters))
            return '' if answer.result.successful else answer.result.reason
        answer = self.call(SetParameters, f'{node}/set_parameters',
                           SetParameters.Request(parameters=parameters))
        return '; '.join(result.reason for result in answer.results if not result.successful)

    def get_parameter(self, name, node='fusion_node'):
        answer = self.call(GetParameters, f'{node}/get_parameters',
                           GetParameters.Request(names=[name]))
        return rclpy.parameter.parameter_value_to_python(answer.values[0])

    def change_state(self, transition_id, node='fusion_node'):
        """Ask for a lifecycle transition; return whether it succeeded."""
        answer = self.change_state_later(transition_id, node)
        self.spin_until(answer.done, f'the end of transition {transition_id}')
        return answer.result().success

    def change_state_later(self, transition_id, node='fusion_node'):
        """Ask for a transition; return the future of the answer."""
        request = ChangeState.Request()
        request.transition.id = transition_id
        return self._client(ChangeState, f'{node}/change_state').call_async(request)

    def state(self, node='fusion_node'):
        """Return the label of the lifecycle state."""
        return self.call(GetState, f'{node}/get_state', GetState.Request()).current_state.label

    def wait_until_active(self, node='fusion_node'):
        self.spin_until(lambda: self.state(node) == 'active', f'{node} to be active')

    def count(self, key):
        """Return a counter of the newest diagnostics."""
        return int(self.diagnostics.get(key, 0))

    def _on_diagnostics(self, message):
        for status in message.status:
            self.levels[status.name] = int.from_bytes(status.level, 'little')
            self.messages[status.name] = status.message
            self.values[status.name] = {entry.key: entry.value for entry in status.values}
            if status.name.endswith(': fusion'):
                self.diagnostics = self.values[status.name]


@contextlib.contextmanager
def bench(folder, **options):
    """Make a bench on a domain of its own and clean up after it."""
    with own_domain() as domain:
        made = Bench(folder, domain, **options)
        try:
            yield made
        finally:
            made.close()


def image_message(pixels, encoding, stamp_ns, frame_id='frame'):
    """Make an Image message."""
    writer = ImageWriter()
    message = writer.write(pixels, encoding, CameraInfo().header)
    message.header.stamp.sec, message.header.stamp.nanosec = divmod(stamp_ns, SECOND_NS)
    message.header.frame_id = frame_id
    return message


def pixels(message):
    """Read an Image message."""
    return read_pixels(message)


def stamp(message):
    """Return a message's stamp in nanoseconds."""
    return message.header.stamp.sec * SECOND_NS + message.header.stamp.nanosec
