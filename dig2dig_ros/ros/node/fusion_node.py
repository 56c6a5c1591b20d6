"""The fusion node: a managed node that fuses two cameras live.

Callbacks run on one executor thread and are short; one worker thread does everything that
takes time, from decoding to publishing.
"""

import concurrent.futures
import contextlib
import time
from collections.abc import Callable, Sequence

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rcl_interfaces.msg import SetParametersResult
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.clock import Clock, ClockType, JumpThreshold
from rclpy.duration import Duration
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.parameter import Parameter as RosParameter

from dig2dig_ros import topics
from dig2dig_ros.cpu_threads import let_idle_threads_sleep
from dig2dig_ros.errors import InputError
from dig2dig_ros.ros.node import diagnostics
from dig2dig_ros.ros.node.capture import Capture
from dig2dig_ros.ros.node.engine_session import EngineSession
from dig2dig_ros.ros.node.health import Recent
from dig2dig_ros.ros.node.inputs import Inputs
from dig2dig_ros.ros.node.live_fusion import LiveFusion
from dig2dig_ros.ros.node.loading import finished, prepare_configure, wait
from dig2dig_ros.ros.node.outputs import Outputs
from dig2dig_ros.ros.node.parameter_changes import check_change, check_together
from dig2dig_ros.ros.node.parameters import PARAMETERS
from dig2dig_ros.ros.node.rate_cap import RateCap
from dig2dig_ros.ros.node.statistics import Statistics
from dig2dig_ros.ros.node.transitions import reported
from dig2dig_ros.ros.node.worker import Worker
from dig2dig_ros.ros.parameter_table import declare, read
from dig2dig_ros.ros.spin import run

FLUSH_PERIOD_S = 0.02
DIAGNOSTICS_PERIOD_S = 1.0
END_TIMEOUT_S = 1.0


class FusionNode(LifecycleNode):
    """Fuses `infrared/image_raw` and `visible/image_raw` into `fused/image`."""

    def __init__(self, make_session: Callable[..., EngineSession] = EngineSession) -> None:
        """Declare the parameters; with `autostart` configuring follows at once.

        :param make_session: makes the engine from the parameters, on the worker's thread.
        """
        super().__init__('fusion_node')
        self._make_session = make_session
        self._statistics = Statistics()
        self._worker: Worker | None = None
        self._fusion: LiveFusion | None = None
        self._outputs: Outputs | None = None
        self._inputs: Inputs | None = None
        self._loading: concurrent.futures.Future | None = None
        self._shut_down = False
        self._recent = Recent()
        self._rate_cap = RateCap()
        self.failure = ''
        declare(self, PARAMETERS)
        self.add_on_set_parameters_callback(self._on_set_parameters)
        self._diagnostics = self.create_publisher(DiagnosticArray, topics.DIAGNOSTICS, 10)
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self.create_timer(FLUSH_PERIOD_S, self._flush, clock=steady)
        self.create_timer(DIAGNOSTICS_PERIOD_S, self._report, clock=steady)
        # The callback lives as long as its handle.
        self._jump_handle = self.get_clock().create_jump_callback(
            JumpThreshold(min_forward=None, min_backward=Duration(nanoseconds=-1),
                          on_clock_change=False),
            post_callback=lambda jump: self._on_time_jump())
        prepare_configure(self, self._preload)
        if self.get_parameter('autostart').value is True:
            # A group of its own: while one callback of a group awaits, no other may run.
            self._starter = self.create_timer(
                0.0, self._start, callback_group=MutuallyExclusiveCallbackGroup(), clock=steady)

    @reported
    def on_configure(self, state: LifecycleState) -> None:
        """Have the engine, which `_preload` has loaded if it was asked before."""
        loading = self._loading or self._load()
        try:
            self._fusion = wait(self, loading)
        except Exception:
            self._release()
            raise
        self._loading = None
        self._fusion.apply(read(self, PARAMETERS))
        engine = ', '.join(f'{name} {text}' for name, text in self._fusion.engine_status.items())
        self.get_logger().info(f'engine ready: {engine}')

    @reported
    def on_activate(self, state: LifecycleState) -> None:
        """Start listening."""
        if self._fusion.failure:
            raise InputError(self._fusion.failure)
        self._recent.clear()
        self._inputs = Inputs(self, read(self, PARAMETERS), self._on_capture)
        super().on_activate(state)

    @reported
    def on_deactivate(self, state: LifecycleState) -> None:
        """Stop listening and let the frame in work finish."""
        self._stop_listening()
        wait(self, self._worker.submit(lambda: None))
        super().on_deactivate(state)

    @reported
    def on_cleanup(self, state: LifecycleState) -> None:
        """Free the engine and with it the GPU."""
        self._release()

    @reported
    def on_shutdown(self, state: LifecycleState) -> None:
        """Stop from any state."""
        self._shut_down = True
        self._stop_listening()
        self._release()

    def fail(self, reason: str) -> None:
        """Say why the node cannot go on, in the log and in /diagnostics."""
        self.failure = reason
        self.get_logger().error(reason)
        self._report()

    def close(self) -> bool:
        """End the worker; False if it is still busy."""
        self._stop_listening()
        finished = self._worker is None or self._worker.close(END_TIMEOUT_S)
        if finished:
            self.destroy_node()
        return finished

    async def _start(self) -> None:
        self._starter.cancel()
        await self._preload()
        if self.trigger_configure() == TransitionCallbackReturn.SUCCESS:
            self.trigger_activate()

    async def _preload(self) -> None:
        """Load the engine, while the executor's thread goes on with other callbacks."""
        if self._worker is None and not self._shut_down:
            with contextlib.suppress(Exception):  # `on_configure` meets it again, and says it
                self._load()
        if self._loading is not None:
            await finished(self, self._loading)

    def _load(self) -> concurrent.futures.Future:
        """Begin to load and warm up the engine, on the thread that will run it."""
        values = read(self, PARAMETERS)
        check_together(values)
        self.failure = ''
        self._outputs = Outputs(self, values)
        limit = 1 if values['queue'] == 'latest' else values['queue_limit']
        self._worker = Worker(lambda capture: self._fusion.handle(capture), limit, values['queue'])
        self.get_logger().info('loading the engine')
        self._loading = self._worker.submit(lambda: LiveFusion(
            self, values, self._outputs, self._statistics, self._make_session))
        return self._loading

    def _stop_listening(self) -> None:
        if self._inputs is not None:
            self._inputs.destroy()
            self._inputs = None
            self._lose(self._worker.clear(), 'deactivated')

    def _release(self) -> None:
        if self._worker is not None:
            if self._fusion is not None:
                wait(self, self._worker.submit(self._fusion.close))
            self._worker.close(END_TIMEOUT_S)
        if self._outputs is not None:
            self._outputs.destroy()
        self._worker = self._fusion = self._outputs = self._loading = None

    def _on_capture(self, capture: Capture) -> None:
        if capture.is_pair:
            self._statistics.count('pairs in')
        if not self._wanted():
            self._lose([capture], 'no subscriber')
            return
        if not self._rate_cap.admits(
                time.monotonic(), self.get_parameter('output.max_fps').value):
            self._lose([capture], 'rate limit')
            return
        self._fusion.arrived(capture)
        if (lost := self._worker.put(capture)) is not None:
            self._lose([lost], 'queue full' if lost is capture else 'superseded')

    def _wanted(self) -> bool:
        return (not self.get_parameter('lazy').value or self._outputs.wanted()
                or self._fusion.thermometer.watches)

    def _flush(self) -> None:
        if self._inputs is None:
            return
        self._inputs.flush()
        if self._fusion.failure:
            self.trigger_deactivate()
            self.fail(self._fusion.failure)

    def _on_time_jump(self) -> None:
        self.get_logger().warning('time jumped back; starting over')
        if self._inputs is not None:
            self._inputs.reset()
            self._lose(self._worker.clear(), 'time jump')
            self._fusion.reset()

    def _on_set_parameters(self, parameters: Sequence[RosParameter]) -> SetParametersResult:
        changed = {parameter.name: parameter.value for parameter in parameters}
        try:
            values = check_change(self, changed, configured=self._worker is not None)
        except InputError as error:
            return SetParametersResult(successful=False, reason=str(error))
        if values is not None and self._fusion is not None:
            self._fusion.apply(values)
            if 'thermal.alarm' in changed:
                self._fusion.thermometer.clear_alarm()
            if self._inputs is not None:
                self._inputs.apply(values)
        return SetParametersResult(successful=True)

    def _lose(self, captures: Sequence[Capture], reason: str) -> None:
        for capture in captures:
            self._statistics.lose(capture.is_pair, reason)

    def _report(self) -> None:
        """Publish /diagnostics and say what is waited for."""
        name = self.get_fully_qualified_name().lstrip('/')
        message = diagnostics.report(
            name, self.get_clock().now().to_msg(), self._statistics, self._verdict(),
            self._inputs, self._fusion)
        for status in message.status:
            status.hardware_id = str(self.get_parameter('hardware_id').value)
        self._diagnostics.publish(message)
        if self._inputs is not None:
            self._inputs.remind()

    def _verdict(self) -> tuple[bytes, str]:
        """Level and line of the fusion."""
        if trouble := self.failure or (self._inputs and self._fusion.trouble):
            return DiagnosticStatus.ERROR, trouble
        if self._inputs is not None:
            return diagnostics.fusion_level(
                self._statistics, self._recent, self._inputs, self._outputs, self._wanted())
        return DiagnosticStatus.WARN, 'loading the engine' if self._loading else 'not active'


def main(args: Sequence[str] | None = None) -> int:
    """Run the node as a process."""
    let_idle_threads_sleep()
    return run(FusionNode, args)


if __name__ == '__main__':
    raise SystemExit(main())
