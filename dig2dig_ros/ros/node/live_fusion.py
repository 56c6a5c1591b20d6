"""What the worker does with each capture: from two messages to the published fusion."""

import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from rclpy.node import Node
from std_msgs.msg import Header

from dig2dig_ros.camera.preparation import BadImage, Preparation, Prepared
from dig2dig_ros.camera.stamps import stamp_ns
from dig2dig_ros.camera.temperature import Thermometer
from dig2dig_ros.errors import InputError
from dig2dig_ros.ros.messages import make_reader
from dig2dig_ros.ros.node.capture import Capture
from dig2dig_ros.ros.node.engine_keeper import EngineKeeper, describe_error
from dig2dig_ros.ros.node.engine_session import EngineSession
from dig2dig_ros.ros.node.fused_info import fused_info
from dig2dig_ros.ros.node.outputs import Frame, Outputs
from dig2dig_ros.ros.node.pair_period import PairPeriod
from dig2dig_ros.ros.node.parameters import AUTO_BUDGET
from dig2dig_ros.ros.node.rig_feed import Alignment, RigFeed
from dig2dig_ros.ros.node.statistics import FrameRecord, Statistics

LOG_PERIOD_S = 5.0
# An age beyond this, in either direction, is another clock's and not a latency.
OLDEST_S = 60.0
MEASURE_S = 1.0


class LiveFusion:
    """Owns the engine on the worker's thread; only `apply`, `arrived` and `reset` come from
    elsewhere.

    Attributes:
        thermometer: of the infrared camera.
    """

    def __init__(self, node: Node, values: Mapping[str, Any], outputs: Outputs,
                 statistics: Statistics,
                 make_session: Callable[[Mapping[str, Any]], EngineSession]) -> None:
        """Load the engine, which takes seconds.

        :raises InputError: for values that cannot be used.
        """
        self._node = node
        self._logger = node.get_logger()
        self._outputs = outputs
        self._statistics = statistics
        self._values = self._wanted = values
        self._preparation = Preparation(
            values, make_reader(values['input.transport'], values['input.conversion']))
        self._rig_feed = RigFeed(node, self._preparation)
        self._rig_feed.say()
        self._visible_frame_id: str | None = None
        self.thermometer = Thermometer(values)
        self._measured_s = 0.0
        self._engine = EngineKeeper(make_session, values)
        self._reset = False
        self._last_stamp_ns = 0
        self._period = PairPeriod()
        self._engine_status = self._engine.session.describe()

    def apply(self, values: Mapping[str, Any]) -> None:
        """Have changed, valid parameters taken before the next capture."""
        self._wanted = values

    def arrived(self, capture: Capture) -> None:
        """Note a pair before its turn comes, if it ever does; the rate of the cameras is in it."""
        if capture.is_pair:
            self._period.note(capture.received_ns)

    def reset(self) -> None:
        """Have everything that carries over forgotten before the next capture."""
        self._reset = True

    @property
    def failure(self) -> str:
        """Why no further frame can be fused; empty while one may be."""
        return self._engine.failure

    @property
    def trouble(self) -> str:
        """Why none can be fused at the moment; empty while all is well."""
        return self._engine.trouble

    @property
    def engine_status(self) -> Mapping[str, str]:
        """What runs, for diagnostics."""
        return self._engine_status

    @property
    def alignment(self) -> Alignment:
        """How infrared is aligned, for diagnostics."""
        return Alignment.of(self._values['registration.refine'], self._preparation.monitor,
                            self._rig_feed.problem)

    def close(self) -> None:
        """Free the engine, and listen to TF no more."""
        self._rig_feed.close()
        self._engine.close()

    def handle(self, capture: Capture) -> None:
        """Process one capture; nothing that goes wrong with it stops the next one."""
        try:
            self._take_changes()
            if capture.is_pair:
                self._fuse(capture)
            else:
                self._alone(capture)
        except BadImage as error:
            self._statistics.lose(capture.is_pair, 'bad input', error=str(error))
            self._logger.error(str(error), throttle_duration_sec=LOG_PERIOD_S)
        except Exception as error:  # an engine's error must not stop later frames
            self._failed(capture, error)

    def _take_changes(self) -> None:
        if self._values is not self._wanted:
            self._values = self._wanted
            self._rig_feed.apply(self._values)
            self._apply_to_engine()
            self._outputs.apply(self._values)
            self.thermometer.apply(self._values)
        if self._reset:
            self._reset = False
            self._start_over()

    def _apply_to_engine(self) -> None:
        before = self._engine_status.get('settings')
        self._engine.session.apply(self._values)
        self._engine_status = self._engine.session.describe()
        if self._engine_status.get('settings') != before:
            self._logger.info(f'the engine has preset {self._engine_status["preset"]}: '
                              f'{self._engine_status["settings"]}')

    def _start_over(self) -> None:
        self._preparation.reset()
        self._engine.session.reset()

    def _fuse(self, capture: Capture) -> None:
        limit_s = self._values['sync.max_age_s']
        age_s = self._age_s(capture)
        if limit_s and age_s > limit_s:
            self._statistics.lose(True, 'stale')
            return
        if stamp_ns(capture.visible) < self._last_stamp_ns:
            self._start_over()
        self._last_stamp_ns = stamp_ns(capture.visible)
        sources = self._prepare(capture)
        if self._values['lazy'] and not self._outputs.wants_fusion():
            self._statistics.lose(True, 'temperature only')
            return
        if not self._has_engine():
            self._statistics.lose(True, 'no engine')
            return
        if self._values['engine.latency_budget_ms'] == AUTO_BUDGET and self._period.ms:
            self._engine.session.hold(self._period.ms)
        result = self._engine.fuse(sources.infrared, sources.visible, sources.valid)
        self._publish(capture, sources, result.image, result.weights)
        self._statistics.fused(FrameRecord(
            done_s=time.monotonic(), stamp_ms=self._plausible_age_ms(capture),
            receive_ms=1e-6 * (time.monotonic_ns() - capture.received_ns),
            engine_ms=result.timing.total_ms, skew_ms=1e-6 * capture.skew_ns),
            result.weights.mean(axis=(1, 2)))
        self._engine_status = self._engine.session.describe()

    def _prepare(self, capture: Capture) -> Prepared:
        """Prepare a capture, and take its temperature."""
        self._rig_feed.feed(capture)
        prepared = self._preparation.prepare(capture.infrared, capture.visible)
        self._rig_feed.say()
        if capture.visible is not None:
            self._visible_frame_id = capture.visible.header.frame_id
        if prepared.raw is not None:
            self._measure(prepared.raw, self._header(capture))
        return prepared

    def _measure(self, raw: np.ndarray, header: Header) -> None:
        """Make temperatures of what infrared sent, where somebody wants them.

        Diagnostics do so once a second, an alarm at every frame.
        """
        wanted, now_s = self._outputs.wants_temperature(), time.monotonic()
        if wanted and not self.thermometer.radiometric:
            self._logger.warning('fused/temperature has a subscriber, but thermal.scale is 0, '
                                 'which says that the camera is not radiometric', once=True)
        if not self.thermometer.radiometric or not (
                wanted or self.thermometer.watches or now_s - self._measured_s >= MEASURE_S):
            return
        self._measured_s = now_s
        degrees = self.thermometer.measure(*self._preparation.align(raw.astype(np.float32)))
        if wanted:
            self._outputs.publish_temperature(header, degrees)

    def _age_s(self, capture: Capture) -> float:
        return 1e-9 * (self._node.get_clock().now().nanoseconds - stamp_ns(capture.visible))

    def _plausible_age_ms(self, capture: Capture) -> float | None:
        """Age of a stamp of this clock; the stamp of another one has none that means anything."""
        age_s = self._age_s(capture)
        limit_s = self._values['sync.max_age_s'] or OLDEST_S
        return 1e3 * age_s if -limit_s <= age_s <= limit_s else None

    def _alone(self, capture: Capture) -> None:
        """Treat an image whose partner camera is silent as `on_silent` says."""
        policy = self._values['on_silent']
        sources = None
        if policy == 'passthrough' or self.thermometer.radiometric:
            sources = self._prepare(capture)
        if policy == 'passthrough':
            image = sources.visible if sources.infrared is None else sources.infrared
            share = np.full(image.shape[:2], sources.visible is None, np.float32)
            self._publish(capture, sources, image, np.stack([share, 1 - share]))
            self._statistics.count('passed through')
        elif policy == 'hold' and self._outputs.repeat():
            self._statistics.count('held')
        else:
            self._statistics.lose(False, 'partner camera silent')

    def _publish(self, capture: Capture, sources: Prepared, image: np.ndarray,
                 weights: np.ndarray) -> None:
        info = None
        if self._visible_frame_id is not None:  # else infrared alone in a frame of its own
            info = fused_info(capture.visible_info, self._preparation.rig, image.shape[1::-1])
        self._outputs.publish(Frame(self._header(capture), image, weights, info, sources))

    def _header(self, capture: Capture) -> Header:
        """That of the visible image; infrared alone is in its frame too, if that is known."""
        header = capture.header
        if capture.visible is None and self._visible_frame_id is not None:
            return Header(stamp=header.stamp, frame_id=self._visible_frame_id)
        return header

    def _failed(self, capture: Capture, error: Exception) -> None:
        if not self._node.context.ok():
            return  # the process is ending, and with it the publishers
        text = describe_error(error)
        self._statistics.lose(capture.is_pair, 'engine error', error=text)
        if self._engine.trouble:
            # One error, however often it fails again before it has run for a while.
            if self._engine.tries:
                self._logger.warning(self._engine.trouble)
            else:
                self._logger.error(self._engine.trouble)
            return
        self._logger.error(f'a pair could not be fused: {text}',
                           throttle_duration_sec=LOG_PERIOD_S)
        if not isinstance(error, InputError):
            self._engine.session.reset()

    def _has_engine(self) -> bool:
        """Whether a pair can be fused; an engine that was lost is made anew where that is due."""
        tries = self._engine.tries
        ready = self._engine.revive(self._values)
        if self._engine.tries > tries:
            self._statistics.count('engine restarts')
            self._logger.warning(
                f'the engine was made anew (try {tries + 1})' if ready else self._engine.trouble)
        return ready
