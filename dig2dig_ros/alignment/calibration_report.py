"""One self-contained HTML page by which a person can judge a calibration."""

import base64
import html
from collections.abc import Mapping, Sequence

import cv2
import numpy as np

from dig2dig_ros.alignment.calibrate import Calibration
from dig2dig_ros.alignment.solve import transfer
from dig2dig_ros.evaluation.report_style import CSS
from dig2dig_ros.topics import CAMERAS

_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
_ARROW = 20  # residuals are drawn this many times as long
_TRUSTED_PX = 0.5


def report_page(calibration: Calibration) -> str:
    """Make the page: figures, where the corners were, and where the map is uncertain."""
    median, p95 = (float(np.percentile(calibration.transfer_px, q)) for q in (50, 95))
    rig = calibration.rig
    turn = np.degrees(cv2.Rodrigues(rig.rotation)[0].ravel())
    shift = ', '.join(f'{1000 * value:.1f}' for value in rig.translation)
    figures = {
        'views found, used': f'{calibration.found} of {calibration.total}, '
                             f'{len(calibration.views)}',
        'corner rms, infrared': f'{calibration.rms_px[0]:.3f} px',
        'corner rms, visible': f'{calibration.rms_px[1]:.3f} px',
        'held-out transfer error, median': f'{median:.2f} infrared px',
        'held-out transfer error, 95 of 100': f'{p95:.2f} infrared px',
        'distance of the boards': f'{calibration.depth_m:.2f} m',
        'baseline': f'{1000 * np.linalg.norm(rig.translation):.1f} mm ({shift})',
        'rotation': ', '.join(f'{value:.2f}' for value in turn) + ' degrees about x, y, z'}
    dropped = ''.join(f'<li>{html.escape(name)}: {html.escape(why)}</li>'
                      for name, why in calibration.dropped.items())
    pictures = ''.join(_figure(_corners(calibration, side), f'{camera}: corners of all views')
                       for side, camera in enumerate(CAMERAS))
    pictures += _figure(_residuals(calibration), 'infrared: visible corners carried over, '
                                                 f'errors drawn {_ARROW} times as long')
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<title>dig2dig calibration</title><style>{CSS}</style></head><body>
<header><h1>Calibration of two cameras</h1>
<p>The held-out transfer error tells how well infrared lies on visible at the board's distance:
views are carried over by a rig that was solved without them. A small corner rms alone proves
nothing.</p></header>
<section><h2>Figures</h2>{_table(figures)}</section>
<section><h2>Corners and errors</h2><div class="row">{pictures}</div></section>
<section><h2>Where the map is uncertain</h2>
<p>Standard deviation in infrared px over the infrared image, at {calibration.depth_m:.2f} m.
Above {_TRUSTED_PX:g} px: record more views with the board there.</p>
{_grid(calibration.uncertainty_px)}</section>
<section><h2>Views left out</h2><ul>{dropped or '<li>none</li>'}</ul></section>
</body></html>
"""


def _table(rows: Mapping[str, str]) -> str:
    return '<table>' + ''.join(f'<tr><td>{html.escape(name)}</td><td>{html.escape(value)}</td>'
                               '</tr>' for name, value in rows.items()) + '</table>'


def _grid(values: Sequence[Sequence[float]]) -> str:
    return '<table>' + ''.join(
        '<tr>' + ''.join(f'<td>{value:.2f}</td>' for value in row) + '</tr>'
        for row in values) + '</table>'


def _canvas(size: tuple[int, int]) -> tuple[np.ndarray, float]:
    scale = 640 / size[0]
    return np.full((round(size[1] * scale), 640, 3), 28, np.uint8), scale


def _corners(calibration: Calibration, side: int) -> np.ndarray:
    size = calibration.rig.sizes[side]
    canvas, scale = _canvas(size)
    for index, view in enumerate(calibration.views):
        hue = np.uint8([[[index * 179 // max(len(calibration.views), 1), 200, 255]]])
        colour = cv2.cvtColor(hue, cv2.COLOR_HSV2BGR)[0, 0].tolist()
        for x, y in view.pixels[side] * scale:
            cv2.circle(canvas, (round(16 * x), round(16 * y)), 40, colour, -1, cv2.LINE_AA, 4)
    return canvas


def _residuals(calibration: Calibration) -> np.ndarray:
    canvas, scale = _canvas(calibration.rig.infrared.size)
    for view in calibration.views:
        carried = transfer(calibration.rig, view)
        for start, error in zip(view.pixels[0] * scale, (carried - view.pixels[0]) * scale,
                                strict=True):
            first, second = ((16 * each).round().astype(int).tolist()
                             for each in (start, start + _ARROW * error))
            cv2.line(canvas, first, second, (60, 190, 255), 1, cv2.LINE_AA, 4)
            cv2.circle(canvas, first, 24, (230, 230, 230), -1, cv2.LINE_AA, 4)
    return canvas


def _figure(image: np.ndarray, caption: str) -> str:
    data = base64.b64encode(cv2.imencode('.png', image)[1]).decode()
    text = html.escape(caption)
    return (f'<figure><img alt="{text}" src="data:image/png;base64,{data}">'
            f'<figcaption>{text}</figcaption></figure>')
