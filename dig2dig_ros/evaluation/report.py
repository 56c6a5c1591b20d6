"""One self-contained HTML page: sources, fusion, weight maps, DIG curves and metrics.

Pictures are inside the page and its content security policy forbids any load, so it can be
mailed, archived and opened anywhere.
"""

import base64
import dataclasses
import html
from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np

from dig2dig_ros.engine import FusionEngine, FusionResult, FusionSettings
from dig2dig_ros.errors import InputError
from dig2dig_ros.evaluation.curves import GLOBAL, Curve, dig_curves
from dig2dig_ros.evaluation.evaluate import Scores, mean_scores
from dig2dig_ros.evaluation.grid import Curves
from dig2dig_ros.evaluation.metrics import LOWER_IS_BETTER, measure
from dig2dig_ros.evaluation.report_style import CSS, SCRIPT
from dig2dig_ros.evaluation.tables import format_value
from dig2dig_ros.locations import write_text
from dig2dig_ros.overlay import weight_overlay

Entry = tuple[str, Mapping[str, np.ndarray], FusionResult]

CURVE_LEVELS = 8
CURVE_COLOURS = ('#d9730d', '#1f6fb2', '#2a9d5c', '#8a4fbf')
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"


def write_report(path: Path, entries: Sequence[Entry], engine: FusionEngine) -> None:
    """Write the page, making its folder.

    :param entries: (stem, source images by name, result) of each fusion; images are uint8,
        H x W or H x W x 3 (BGR).
    :param engine: that fused them; it also runs the DIG curves.
    :raises InputError: where the file cannot be written.
    """
    measured = {stem: _measure(result, sources) for stem, sources, result in entries}
    sections = [_section(entry, measured[entry[0]], engine) for entry in entries]
    page = _page(_header(len(entries), engine), _summary(measured), sections)
    write_text(path, page)


def _measure(result: FusionResult, sources: Mapping[str, np.ndarray]) -> Scores:
    try:
        return measure(result.image, list(sources.values()))
    except InputError:  # The image is too small for the metrics; the pictures still stand.
        return {}


def _page(header: str, summary: str, sections: Sequence[str]) -> str:
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>dig2dig report</title>
<style>{CSS}</style>
</head>
<body>
{header}
{summary}
{''.join(sections)}
<dialog><img alt=""></dialog>
<script>{SCRIPT}</script>
</body>
</html>
"""


def _header(count: int, engine: FusionEngine) -> str:
    settings = engine.settings
    default = FusionSettings()
    changed = [f'{field.name} {getattr(settings, field.name)}'
               for field in dataclasses.fields(settings)
               if getattr(settings, field.name) != getattr(default, field.name)]
    chips = [f'prior {engine.prior_name}', f'{engine.device}, {engine.precision}',
             *(changed or ['default settings'])]
    shown = ''.join(f'<span class="chip">{html.escape(chip)}</span>' for chip in chips)
    scenes = '1 scene' if count == 1 else f'{count} scenes'
    return (f'<header><h1>dig2dig fusion report</h1><p>{scenes}. Click a picture to see it large; '
            f'the arrow keys then go through the pictures in place.</p>{shown}</header>')


def _summary(measured: Mapping[str, Scores]) -> str:
    rows = {html.escape(stem): scores for stem, scores in measured.items() if scores}
    if len(rows) < 2:
        return ''
    rows = {'<b>mean</b>': mean_scores(rows.values())} | rows
    return f'<section><h2>Metrics</h2>{_table(rows)}</section>'


def _section(entry: Entry, scores: Scores, engine: FusionEngine) -> str:
    stem, sources, result = entry
    pictures = ''.join(_picture(image, name) for name, image in sources.items())
    fused = _picture(result.image, 'fused', 'fused')
    weights = ''.join(
        _picture(_heat(weight), f'weight of {name}, mean {weight.mean():.2f}')
        for name, weight in zip(sources, result.weights, strict=True))
    overlay = _picture(weight_overlay(result.image, result.weights), 'which source, by colour')
    curve = dig_curves(engine, list(sources.values()),
                       Curves(CURVE_LEVELS, engine.settings.t_max, engine.settings.draws),
                       {})[GLOBAL]
    timing = result.timing
    return f"""<section>
<h2>{html.escape(stem)}</h2>
<div class="row">{pictures}{fused}</div>
<h3>Weights</h3>
<div class="row">{weights}{overlay}</div>
<h3>Cumulative diffusion information gain</h3>
{_curve_svg(curve, list(sources))}
<h3>Metrics and time</h3>
{_table({html.escape(stem): scores}) if scores else '<p>Too small to be measured.</p>'}
<p>{timing.total_ms:.0f} ms: upload {timing.upload_ms:.0f}, DIG {timing.dig_ms:.0f}, sampling
{timing.sampling_ms:.0f}, download {timing.download_ms:.0f}; {timing.network_calls} images through
the network.</p>
</section>
"""


def _picture(image: np.ndarray, caption: str, kind: str = '') -> str:
    encoded = cv2.imencode('.jpg', image, [cv2.IMWRITE_JPEG_QUALITY, 92])[1]
    data = base64.b64encode(encoded).decode()
    text = html.escape(caption)
    return (f'<figure class="{kind}"><img alt="{text}" src="data:image/jpeg;base64,{data}">'
            f'<figcaption>{text}</figcaption></figure>')


def _heat(weight: np.ndarray) -> np.ndarray:
    """Weight map H x W in [0, 1] as colours from dark (0) to bright (1)."""
    return cv2.applyColorMap((weight * 255).round().astype(np.uint8), cv2.COLORMAP_INFERNO)


def _table(rows: Mapping[str, Scores]) -> str:
    metrics = list(next(iter(rows.values())))
    head = ''.join(f'<th>{metric} {"↓" if metric in LOWER_IS_BETTER else "↑"}</th>'
                   for metric in metrics)
    body = ''.join(
        f'<tr><td>{name}</td>' + ''.join(
            f'<td>{format_value(metric, scores[metric])}</td>' for metric in metrics) + '</tr>'
        for name, scores in rows.items())
    return f'<div class="scroll"><table><tr><th></th>{head}</tr>{body}</table></div>'


def _curve_svg(curve: Curve, names: Sequence[str]) -> str:
    """Mean cumulative DIG of each source over the timesteps, from noise to the clean image."""
    width, height, left, bottom, top = 640, 200, 46, 24, 10
    timesteps = np.array(curve.timesteps)
    highest = max(float(curve.mean.max()), 1e-9)
    lowest = min(float(curve.mean.min()), 0.0)
    x = left + (1 - timesteps / timesteps[0]) * (width - left - 110)
    y = top + (highest - curve.mean) / (highest - lowest) * (height - top - bottom)
    zero = top + highest / (highest - lowest) * (height - top - bottom)
    parts = [f'<line class="axis" x1="{left}" x2="{x[-1]:.0f}" y1="{zero:.1f}" y2="{zero:.1f}"/>',
             f'<text x="{left - 6}" y="{top + 4}" text-anchor="end">{highest:.2g}</text>',
             f'<text x="{left - 6}" y="{zero + 4:.1f}" text-anchor="end">0</text>',
             f'<text x="{left}" y="{height - 6}">timestep {timesteps[0]}</text>',
             f'<text x="{x[-1]:.0f}" y="{height - 6}" text-anchor="end">0, clean</text>']
    for i, (name, values) in enumerate(zip(names, y, strict=True)):
        colour = CURVE_COLOURS[i % len(CURVE_COLOURS)]
        points = ' '.join(f'{px:.1f},{py:.1f}' for px, py in zip(x, values, strict=True))
        parts.append(f'<polyline class="curve" stroke="{colour}" points="{points}"/>')
        label = top + 14 + 18 * i
        parts.append(f'<line stroke="{colour}" stroke-width="2" x1="{width - 100}" '
                     f'x2="{width - 82}" y1="{label - 4}" y2="{label - 4}"/>'
                     f'<text x="{width - 76}" y="{label}">{html.escape(name)}</text>')
    return (f'<svg viewBox="0 0 {width} {height}" width="{width}" style="max-width: 100%" '
            f'role="img" aria-label="cumulative DIG">{"".join(parts)}</svg>')
