"""A rig knocked out of place: how the node found and corrected it, in figures and pictures."""

from collections.abc import Sequence

import numpy as np

from dig2dig_ros.alignment.check import overlay, residuals
from dig2dig_ros.alignment.quadrants import shared_distance
from dig2dig_ros.camera.registration import Registration
from dig2dig_ros.camera.thermal import GainControl
from dig2dig_ros.ros.demo.listener import Moment
from dig2dig_ros.ros.demo.report import titled
from dig2dig_ros.ros.node.diagnostics import CORRECTION, MISALIGNMENT

KNOCK = (1.0, 0.0, 10.0, 0.0, 1.0, 6.6, 0.0, 0.0, 1.0)
"""12 px to the lower right."""


def misalignment_report(moments: Sequence[Moment],
                        statuses: Sequence[dict[str, str]]) -> tuple[np.ndarray, str]:
    """Show what `registration.refine: slow` did.

    :param moments: in order, the first from before anything was corrected.
    :param statuses: of the node's alignment, key -> value, in order.
    :returns: edges of infrared over visible and the fused images, before and after; the figures.
    """
    measured = [float(each[MISALIGNMENT]) for each in statuses if each[MISALIGNMENT] != 'unknown']
    correction = np.eye(3)
    if statuses:
        correction = np.array(statuses[-1][CORRECTION].split(), np.float64).reshape(3, 3)
    height, width = moments[0].visible.shape[:2]
    truth = [shared_distance(each @ np.reshape(KNOCK, (3, 3)), np.eye(3), (width, height),
                             (width, height)) for each in (np.eye(3), correction)]
    found = f'{measured[0]:.1f} at first, {measured[-1]:.1f} at the end' if measured else 'unknown'
    text = ('  infrared lies off, in px (mean over the picture)\n'
            f'  as the node measured  {found}\n'
            f'  in truth              {truth[0]:.1f} at first, {truth[1]:.1f} at the end')
    edges = [titled(_edges(moments, matrix), title) for matrix, title in (
        (np.eye(3), 'edges of infrared: knocked'),
        (correction, 'as corrected at the end'))]
    fused = [titled(moments[0].fused, 'fused at first'), titled(moments[-1].fused, 'at the end')]
    return np.vstack([np.hstack(edges), np.hstack(fused)]), text


def _edges(moments: Sequence[Moment], correction: np.ndarray) -> np.ndarray:
    registration, gain = Registration(), GainControl()
    registration.correct(correction)
    frames = []
    for moment in moments:
        infrared = gain(moment.infrared)
        aligned, valid = registration.apply(infrared, moment.visible)
        frames.append((aligned, moment.visible, valid))
    return overlay(frames[-1], residuals(frames))
