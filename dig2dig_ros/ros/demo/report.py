"""The demo's results: a strip of pictures and a table. No ROS here."""

from collections.abc import Mapping, Sequence

import cv2
import numpy as np

from dig2dig_ros.camera.thermal import GainControl
from dig2dig_ros.ros.demo.listener import Moment

TITLES = ('infrared', 'visible', 'fused', 'weight of infrared (bright: 1)')
TITLE_HEIGHT_PX = 28
GAP_PX = 4


def strip(moments: Sequence[Moment]) -> np.ndarray:
    """Draw infrared, visible, fused and weights side by side, one row for each moment."""
    return np.vstack([_row(moment) for moment in moments])


def _row(moment: Moment) -> np.ndarray:
    height, width = moment.visible.shape[:2]
    infrared = cv2.resize(GainControl()(moment.infrared), (width, height))
    weights = cv2.convertScaleAbs(moment.infrared_weights, alpha=255)
    pictures = (infrared, moment.visible, moment.fused,
                cv2.applyColorMap(weights, cv2.COLORMAP_INFERNO))
    return np.hstack([titled(picture, title)
                      for picture, title in zip(pictures, TITLES, strict=True)])


def titled(picture: np.ndarray, title: str) -> np.ndarray:
    """Frame a picture, grey or BGR uint8, with a line of text above it."""
    if picture.ndim == 2:
        picture = cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR)
    framed = cv2.copyMakeBorder(picture, TITLE_HEIGHT_PX, GAP_PX, GAP_PX, GAP_PX,
                                cv2.BORDER_CONSTANT, value=(32, 32, 32))
    cv2.putText(framed, title, (GAP_PX + 6, TITLE_HEIGHT_PX - 8), cv2.FONT_HERSHEY_SIMPLEX, 0.6,
                (235, 235, 235), 1, cv2.LINE_AA)
    return framed


def table(duration_s: float, fused_count: int, latencies_ms: Sequence[float],
          diagnostics: Mapping[str, str]) -> str:
    """Lay out rate, latency and counters.

    :param latencies_ms: visible stamp to arrival; empty where the stamps are of another clock.
    """
    rows = [('fused images heard', f'{fused_count} in {duration_s:.1f} s'),
            ('fps', f'{fused_count / duration_s:.2f}')]
    if latencies_ms:
        percentiles = np.percentile(latencies_ms, (50, 90, 99))
        rows.append(('latency stamp to receiver p50/p90/p99 (ms)',
                     ' / '.join(f'{value:.1f}' for value in percentiles)))
    shown = ('latency', 'pair', 'images dropped', 'fused', 'single', 'mean weight', 'device',
             'precision', 'prior', 'running', 'last error')
    rows += [(key, value) for key, value in diagnostics.items() if key.startswith(shown)]
    column = max(len(name) for name, _ in rows)
    return '\n'.join(f'  {name:<{column}}  {value}' for name, value in rows)
