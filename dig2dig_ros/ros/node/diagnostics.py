"""/diagnostics: how the fusion goes and how each camera does."""

import time
from collections.abc import Mapping
from typing import Any

from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue

from dig2dig_ros.alignment.monitor import MISALIGNED_PX
from dig2dig_ros.camera.temperature import Thermometer
from dig2dig_ros.ros.node.health import Recent, judge
from dig2dig_ros.ros.node.inputs import Camera, Inputs
from dig2dig_ros.ros.node.live_fusion import LiveFusion
from dig2dig_ros.ros.node.outputs import Outputs
from dig2dig_ros.ros.node.rig_feed import Alignment
from dig2dig_ros.ros.node.statistics import Statistics
from dig2dig_ros.topics import CAMERAS

# Keys of the status of the alignment.
MISALIGNMENT = 'misalignment (px)'
CORRECTION = 'correction (row-major 3x3 of visible pixels)'
LATENCIES = {
    'latency stamp to publish': 'stamp_ms',
    'latency receive to publish': 'receive_ms',
    'latency engine': 'engine_ms',
    'pair skew': 'skew_ms',
}


def status(name: str, level: bytes, message: str, values: Mapping[str, Any]) -> DiagnosticStatus:
    """Make one status."""
    return DiagnosticStatus(
        name=name, level=level, message=message, hardware_id='dig2dig',
        values=[KeyValue(key=key, value=str(value)) for key, value in values.items()])


def camera_status(node_name: str, name: str, camera: Camera, silent: bool) -> DiagnosticStatus:
    """Describe one input."""
    age_s = camera.silent_s(time.monotonic_ns())
    level, message = DiagnosticStatus.OK, 'receiving'
    if camera.loses_many:
        level, message = DiagnosticStatus.WARN, 'many images are lost on the way'
    if silent:
        level = DiagnosticStatus.WARN
        message = f'no image for {age_s:.1f} s'
    if camera.incompatible:
        level = DiagnosticStatus.WARN
        message = f'a publisher is not heard: its QoS {camera.incompatible} is incompatible'
    return status(f'{node_name}: {name} camera', level, message, {
        'topic': camera.topic,
        'images received': camera.received,
        'images lost on the way': camera.lost,
        'age of the newest image (s)': f'{age_s:.2f}',
        'camera_info': 'none' if camera.info is None
        else f'{camera.info.width}x{camera.info.height}',
    })


def temperature_status(node_name: str, thermometer: Thermometer) -> DiagnosticStatus:
    """Describe what the infrared camera measures; ERROR from an alarm on, until it is cleared."""
    settings, reading, peak = thermometer.settings, thermometer.reading, thermometer.peak
    level, message = DiagnosticStatus.OK, 'measuring' if reading else 'nothing measured yet'
    if peak is not None:
        level = DiagnosticStatus.ERROR
        message = (f'alarm: {peak.maximum:.1f} {settings.unit} at column {peak.column}, row '
                   f'{peak.row}; thermal.alarm is {settings.alarm:g}, set it to clear this')
    values = {'unit': settings.unit}
    if reading is not None:
        values |= {name: f'{getattr(reading, name):.2f}'
                   for name in ('minimum', 'mean', 'maximum')}
        values['hottest pixel (column, row)'] = f'{reading.column}, {reading.row}'
    return status(f'{node_name}: temperature', level, message, values)


def alignment_status(node_name: str, alignment: Alignment) -> DiagnosticStatus:
    """Describe how infrared is aligned."""
    refine, off_px, problem = alignment.refine, alignment.off_px, alignment.problem
    level, message = DiagnosticStatus.OK, 'measured from the pictures'
    if refine == 'off':
        message = 'as set; not measured'
    elif off_px is None:
        message = 'not measured: too few pictures yet, or too little that both cameras show'
    elif alignment.misaligned:
        level = DiagnosticStatus.WARN
        message = f'infrared lies {off_px:.1f} px off; ' + (
            'being corrected' if refine == 'slow' else
            'align the cameras anew (dig2dig align), or set registration.refine to slow')
    elif off_px > MISALIGNED_PX:
        message = f'perhaps {off_px:.1f} px off; the pictures fit hardly better there'
    if problem:
        level, message = DiagnosticStatus.WARN, f'the map stays as it was: {problem}'
    return status(f'{node_name}: alignment', level, message, {
        MISALIGNMENT: 'unknown' if off_px is None else f'{off_px:.2f}',
        CORRECTION: ' '.join(f'{value:.8g}' for value in alignment.correction.ravel()),
        'registration.refine': refine})


def fusion_values(statistics: Statistics, engine: Mapping[str, str]) -> dict[str, str]:
    """Gather the figures of the fusion, as text."""
    counts = statistics.counts
    values = {**engine, 'fps': f'{statistics.fps():.2f}'}
    for name, field in LATENCIES.items():
        percentiles = statistics.percentiles(field)
        values[f'{name} p50/p90/p99 (ms)'] = 'none yet' if percentiles is None else ' / '.join(
            f'{value:.1f}' for value in percentiles)
    for camera, share in zip(CAMERAS, statistics.mean_weights or (None, None), strict=True):
        values[f'mean weight {camera}'] = 'none yet' if share is None else f'{share:.3f}'
    for name in ('pairs in', 'fused', 'passed through', 'held'):
        values[name] = str(counts.pop(name, 0))
    values |= {name: str(count) for name, count in sorted(counts.items())}
    if statistics.last_error:
        values['last error'] = statistics.last_error
    return values


def fusion_level(statistics: Statistics, recent: Recent, inputs: Inputs, outputs: Outputs,
                 wanted: bool) -> tuple[bytes, str]:
    """Tell how an active node does as a whole.

    :param wanted: whether anybody is to get a result.
    """
    for topic, policy in outputs.incompatible.items():
        return DiagnosticStatus.WARN, f'a subscriber of {topic} wants another QoS {policy}'
    recent.note(time.monotonic(), {**statistics.counts, **inputs.received})
    level, text = judge(
        recent, [camera for camera in CAMERAS if inputs.silent(camera)],
        wanted, statistics.last_error, inputs.last_miss_ms)
    return bytes([level]), text


def report(node_name: str, stamp: Time, statistics: Statistics, verdict: tuple[bytes, str],
           inputs: Inputs | None, fusion: LiveFusion | None) -> DiagnosticArray:
    """Make the message of one second.

    :param verdict: level and line of the fusion.
    :param fusion: what runs; None before it is configured.
    """
    level, text = verdict
    values = fusion_values(statistics, fusion.engine_status if fusion else {})
    statuses = []
    if inputs is not None:
        values |= inputs.pairing_values()
        statuses = [camera_status(node_name, name, camera, inputs.silent(name))
                    for name, camera in inputs.cameras.items()]
    if fusion is not None and fusion.thermometer.radiometric:
        statuses.append(temperature_status(node_name, fusion.thermometer))
    if fusion is not None:
        statuses.append(alignment_status(node_name, fusion.alignment))
    message = DiagnosticArray(
        status=[status(f'{node_name}: fusion', level, text, values), *statuses])
    message.header.stamp = stamp
    return message
