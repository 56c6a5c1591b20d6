"""A rig knocked out of place: how the node found and corrected it, in figures and pictures."""

from collections.abc import Sequence

import numpy as np

from dig2dig_ros.alignment.check import overlay, residuals
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
    truth = [off_px(each, (width, height)) for each in (np.eye(3), correction)]
    found = f'{measured[0]:.1f} at first, {measured[-1]:.1f} at the end' if measured else 'unknown'
    text = ('  infrared lies off, in px (mean at the corners)\n'
            f'  as the node measured  {found}\n'
            f'  in truth              {truth[0]:.1f} at first, {truth[1]:.1f} at the end')
    edges = [titled(_edges(moments, matrix), title) for matrix, title in (
        (np.eye(3), 'edges of infrared: knocked'),
        (correction, 'as corrected at the end'))]
    fused = [titled(moments[0].fused, 'fused at first'), titled(moments[-1].fused, 'at the end')]
    return np.vstack([np.hstack(edges), np.hstack(fused)]), text


def off_px(correction: np.ndarray, size: tuple[int, int]) -> float:
    """How far the knocked camera's pixels lie off where a correction leaves them.

    :param correction: 3 x 3, of visible pixels.
    :param size: (width, height); the mean is over the corners.
    """
    right, bottom = size[0] - 1, size[1] - 1
    corners = np.array([[0, right, 0, right], [0, 0, bottom, bottom], [1, 1, 1, 1]], np.float64)
    back = correction @ np.reshape(KNOCK, (3, 3)) @ corners
    return float(np.linalg.norm(back[:2] / back[2] - corners[:2], axis=0).mean())


def _edges(moments: Sequence[Moment], correction: np.ndarray) -> np.ndarray:
    registration, gain = Registration(), GainControl()
    registration.correct(correction)
    frames = []
    for moment in moments:
        infrared = gain(moment.infrared)
        aligned, valid = registration.apply(infrared, moment.visible)
        frames.append((aligned, moment.visible, valid))
    return overlay(frames[-1], residuals(frames))
