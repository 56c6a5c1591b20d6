"""What the worker does with each capture: from two messages to the published fusion."""

import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from rclpy.node import Node
from std_msgs.msg import Header

from dig2dig_ros.camera.preparation import BadImage, Preparation, Prepared
from dig2dig_ros.camera.stamps import stamp_ns
from dig2dig_ros.errors import InputError
from dig2dig_ros.ros.messages import make_reader
from dig2dig_ros.ros.node.capture import Capture
from dig2dig_ros.ros.node.engine_session import EngineSession
from dig2dig_ros.ros.node.outputs import Outputs
from dig2dig_ros.ros.node.statistics import FrameRecord, Statistics

LOG_PERIOD_S = 5.0
# An age beyond this, in either direction, is another clock's and not a latency.
OLDEST_S = 60.0


class LiveFusion:
    """Owns the engine on the worker's thread; only `apply` and `reset` come from elsewhere.

    Attributes:
        failure: why no further frame can be fused; empty while all is well.
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
        self._make_session = make_session
        self._values = self._wanted = values
        self._preparation = Preparation(
            values, make_reader(values['input.transport'], values['input.conversion']))
        self._visible_frame_id: str | None = None
        self._session = make_session(values)
        self._reset = False
        self._restarted = False
        self._last_stamp_ns = 0
        self._engine_status = self._session.describe()
        self.failure = ''

    def apply(self, values: Mapping[str, Any]) -> None:
        """Have changed, valid parameters taken before the next capture."""
        self._wanted = values

    def reset(self) -> None:
        """Have everything that carries over forgotten before the next capture."""
        self._reset = True

    @property
    def engine_status(self) -> Mapping[str, str]:
        """What runs, for diagnostics."""
        return self._engine_status

    def close(self) -> None:
        """Free the engine."""
        self._session.close()

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
            self._preparation.apply(self._values)
            self._apply_to_engine()
            self._outputs.apply(self._values)
        if self._reset:
            self._reset = False
            self._start_over()

    def _apply_to_engine(self) -> None:
        before = self._engine_status.get('settings')
        self._session.apply(self._values)
        self._engine_status = self._session.describe()
        if self._engine_status.get('settings') != before:
            self._logger.info(f'the engine has preset {self._engine_status["preset"]}: '
                              f'{self._engine_status["settings"]}')

    def _start_over(self) -> None:
        self._preparation.reset()
        self._session.reset()

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
        result = self._session.fuse(sources.infrared, sources.visible, sources.valid)
        self._publish(capture, result.image, *result.weights)
        self._statistics.fused(FrameRecord(
            done_s=time.monotonic(), stamp_ms=self._plausible_age_ms(capture),
            receive_ms=1e-6 * (time.monotonic_ns() - capture.received_ns),
            engine_ms=result.timing.total_ms, skew_ms=1e-6 * capture.skew_ns),
            result.weights.mean(axis=(1, 2)))
        self._restarted = False
        self._engine_status = self._session.describe()

    def _prepare(self, capture: Capture) -> Prepared:
        prepared = self._preparation.prepare(capture.infrared, capture.visible)
        if capture.visible is not None:
            self._visible_frame_id = capture.visible.header.frame_id
        return prepared

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
        if policy == 'passthrough':
            sources = self._prepare(capture)
            image = sources.visible if sources.infrared is None else sources.infrared
            share = np.full(image.shape[:2], sources.visible is None, np.float32)
            self._publish(capture, image, share, 1 - share)
            self._statistics.count('passed through')
        elif policy == 'hold' and self._outputs.repeat():
            self._statistics.count('held')
        else:
            self._statistics.lose(False, 'partner camera silent')

    def _publish(self, capture: Capture, image: np.ndarray, infrared_weights: np.ndarray,
                 visible_weights: np.ndarray) -> None:
        header = capture.header
        if capture.visible is None and self._visible_frame_id is not None:
            # Infrared alone is in the visible frame, if that is known; the time is its own.
            header = Header(stamp=header.stamp, frame_id=self._visible_frame_id)
        self._outputs.publish(
            header, image, {'infrared': infrared_weights, 'visible': visible_weights},
            capture.visible_info)

    def _failed(self, capture: Capture, error: Exception) -> None:
        if not self._node.context.ok():
            return  # the process is ending, and with it the publishers
        text = f'{type(error).__name__}: {error}'
        self._statistics.lose(capture.is_pair, 'engine error', error=text)
        self._logger.error(f'a pair could not be fused: {text}',
                           throttle_duration_sec=LOG_PERIOD_S)
        # After a CUDA error nothing works any more in that context but, with luck, a new engine.
        if self._session.on_gpu and isinstance(error, RuntimeError):
            self._restart(text)
        elif not isinstance(error, InputError):
            self._session.reset()

    def _restart(self, text: str) -> None:
        if self._restarted:
            self.failure = f'the GPU failed twice, deactivated: {text}'
            return
        self._restarted = True
        self._statistics.count('engine restarts')
        try:
            self._session.close()
            self._session = self._make_session(self._values)
        except Exception as error:  # whatever a lost GPU raises
            self.failure = f'the GPU failed and the engine cannot be made anew: {error}'
