"""What happens to the node in the endurance study, drawn from a seed."""

import random
import signal
from collections import Counter
from collections.abc import Callable, Sequence

from endurance_cameras import OTHER_SIZE, SIZE, Camera
from rcl_interfaces.srv import SetParameters
from rclpy.node import Node
from rclpy.parameter import Parameter
from sensor_msgs.msg import Image

MALFORMED_HZ = 10_000 / 3600
EVENT_EVERY_S = (6.0, 14.0)
DRAWN = ('loss', 'kill', 'time jump', 'size change', 'parameters')
MALFORMED = 'malformed message'
EVENTS = (*DRAWN, MALFORMED)
ENCODINGS = ('mono8', 'mono16', 'bgr8', '32FC1', 'nv12', 'bayer_rggb8', 'rgb5', '', 'bgr16')
STAMPS = (0, 1, 2**31 - 1, -2**31, -1, 10**9)
GOOD = {
    'sync.slop_s': lambda draw: draw.uniform(0.01, 0.05),
    'sync.offset_s': lambda draw: draw.uniform(-0.005, 0.005),
    'thermal.smoothing': lambda draw: draw.uniform(0.0, 0.99),
    'thermal.high_percentile': lambda draw: draw.uniform(95.0, 100.0),
    'engine.temperature': lambda draw: draw.uniform(0.1, 1.0),
    'output.encoding': lambda draw: draw.choice(('bgr8', 'rgb8', 'mono8')),
    'lazy': lambda draw: draw.random() < 0.8,
}
BAD = {'sync.slop_s': 50.0, 'output.encoding': 'rgb5', 'engine.temperature': -1.0,
       'thermal.smoothing': 'much', 'no.such.parameter': 1}
CALM = {'sync.slop_s': 0.02, 'sync.offset_s': 0.0, 'thermal.smoothing': 0.9,
        'thermal.high_percentile': 99.0, 'output.encoding': 'bgr8', 'lazy': True}


class Storm:
    """Deals out events; call `step` often.

    Attributes:
        events: how many there were of each kind.
        answers: parameters that were set and refused.
    """

    def __init__(self, node: Node, cameras: dict[str, Camera], seed: int,
                 only: Sequence[str] = EVENTS) -> None:
        """Draw from a seed; `only` names the events that may come."""
        self._draw = random.Random(seed)
        self._only = only
        self._cameras = cameras
        self._publishers = {name: node.create_publisher(Image, f'{name}/image_raw', 5)
                            for name in cameras}
        self._client = node.create_client(SetParameters, 'fusion_node/set_parameters')
        self._later: list[tuple[float, Callable[[], None]]] = []
        self._next_event_s = self._next_malformed_s = 0.0
        self.events: Counter[str] = Counter()
        self.answers: Counter[str] = Counter()

    def step(self, now_s: float) -> None:
        """Do what is due."""
        due = [entry for entry in self._later if entry[0] <= now_s]
        self._later = [entry for entry in self._later if entry[0] > now_s]
        for _, action in due:
            action()
        while MALFORMED in self._only and now_s >= self._next_malformed_s:
            self._next_malformed_s += self._draw.expovariate(MALFORMED_HZ)
            self._malformed()
        if now_s >= self._next_event_s:
            self._next_event_s = now_s + self._draw.uniform(*EVENT_EVERY_S)
            name = self._draw.choice(DRAWN)
            camera = self._draw.choice(list(self._cameras.values()))
            if name in self._only:
                getattr(self, f'_{name.replace(" ", "_")}')(now_s, camera)
                self.events[name] += 1

    def calm(self) -> None:
        """Put everything back; the cameras run as at first."""
        self._later.clear()
        for camera in self._cameras.values():
            camera.start()
        self.set_parameters(CALM)

    def set_parameters(self, values: dict) -> None:
        """Ask for parameters, and count the answers when they come."""
        request = SetParameters.Request(parameters=[
            Parameter(name, value=value).to_parameter_msg() for name, value in values.items()])
        future = self._client.call_async(request)
        future.add_done_callback(lambda done: self.answers.update(
            'set' if result.successful else 'refused' for result in done.result().results))

    def _loss(self, now_s: float, camera: Camera) -> None:
        camera.pause()
        self._at(now_s + self._draw.uniform(0.5, 5), lambda: camera.pause(signal.SIGCONT))

    def _kill(self, now_s: float, camera: Camera) -> None:
        camera.kill()
        self._at(now_s + self._draw.uniform(0.5, 4), camera.start)

    def _time_jump(self, now_s: float, camera: Camera) -> None:
        """Both cameras' clocks jump by an hour, or one alone by 0.2 s, and back."""
        if self._draw.random() < 0.5:
            for each in self._cameras.values():
                each.start(offset_s=-3600.0)
                self._at(now_s + 4, each.start)
        else:
            camera.start(offset_s=0.2)
            self._at(now_s + 4, camera.start)

    def _size_change(self, now_s: float, camera: Camera) -> None:
        camera.start(size=OTHER_SIZE)
        self._at(now_s + self._draw.uniform(2, 6), lambda: camera.start(SIZE))

    def _parameters(self, now_s: float, camera: Camera) -> None:
        for _ in range(20):
            name = self._draw.choice(list(GOOD))
            self.set_parameters({name: GOOD[name](self._draw)})
            name = self._draw.choice(list(BAD))
            self.set_parameters({name: BAD[name]})

    def _malformed(self) -> None:
        draw = self._draw
        message = Image(
            height=draw.choice((0, 1, 16, 256, 2**31)), width=draw.choice((0, 1, 24, 320, 2**31)),
            step=draw.choice((0, 7, 24, 960, 2**32 - 1)), encoding=draw.choice(ENCODINGS),
            is_bigendian=draw.choice((0, 1, 200)),
            data=draw.randbytes(draw.choice((0, 100, 5000))))
        message.header.stamp.sec = draw.choice(STAMPS)
        message.header.stamp.nanosec = draw.choice((0, 999_999_999, 2**32 - 1))
        self._publishers[draw.choice(list(self._publishers))].publish(message)
        self.events[MALFORMED] += 1

    def _at(self, when_s: float, action: Callable[[], None]) -> None:
        self._later.append((when_s, action))
