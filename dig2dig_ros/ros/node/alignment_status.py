"""What /diagnostics says of how well infrared lies on visible."""

from diagnostic_msgs.msg import DiagnosticStatus

from dig2dig_ros.ros.node.diagnostics import status

MISALIGNED_PX = 3.0


def alignment_statuses(node_name: str, refine: str, off_px: float | None
                       ) -> list[DiagnosticStatus]:
    """Describe what `registration.refine` found; nothing where it is off.

    :param off_px: see `Preparation.misalignment_px`.
    """
    if refine == 'off':
        return []
    level, message = DiagnosticStatus.OK, 'measured from the pictures'
    if off_px is None:
        message = 'not measured: too few pictures yet, or too little in them'
    elif off_px > MISALIGNED_PX:
        level = DiagnosticStatus.WARN
        message = f'infrared lies {off_px:.1f} px off; ' + (
            'being corrected' if refine == 'slow' else
            'align the cameras anew (dig2dig align), or set registration.refine to slow')
    return [status(f'{node_name}: alignment', level, message, {
        'misalignment (px)': 'unknown' if off_px is None else f'{off_px:.2f}',
        'registration.refine': refine})]
