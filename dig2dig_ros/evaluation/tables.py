"""Tables of scores for the terminal, for Markdown and as CSV."""

import csv
import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from dig2dig_ros.evaluation.metrics import LOWER_IS_BETTER
from dig2dig_ros.evaluation.pages import markdown_table
from dig2dig_ros.locations import write_text

Scores = Mapping[str, float]


DECIMALS = {'MSE': 1, 'PSNR': 2, 'SD': 2, 'SF': 2, 'EI': 2, 'Nabf': 4, 'ms': 0,
            'network_calls': 0}


def format_value(metric: str, value: float) -> str:
    """As many decimals as the papers print, so that columns line up."""
    return f'{value:.{DECIMALS.get(metric, 3)}f}'


def ranks(methods: Mapping[str, Scores], metric: str) -> dict[str, int]:
    """Place of each method by one metric, 1 is best; equals share a place.

    Empty for what is neither good nor bad. A figure that is not there, NaN, comes last.
    """
    if _is_neutral(metric):
        return {}
    sign = 1 if metric in LOWER_IS_BETTER else -1
    keys = {method: math.inf if math.isnan(scores[metric]) else sign * scores[metric]
            for method, scores in methods.items()}
    return {method: 1 + sum(other < key for other in keys.values())
            for method, key in keys.items()}


def comparison(methods: Mapping[str, Scores], best: str = '*', second: str = '+') -> str:
    """Methods side by side, one metric a line, best and second best marked, for a terminal."""
    rows = [['', *methods]]
    marks = {1: best, 2: second} if len(methods) > 2 else {1: best}
    for metric in next(iter(methods.values())):
        place = ranks(methods, metric)
        rows.append([_arrow(metric)] + [
            format_value(metric, scores[metric]) + marks.get(place.get(method), ' ')
            for method, scores in methods.items()])
    legend = ', '.join(f'{mark} {word}' for mark, word in zip(
        marks.values(), ('best', 'second best'), strict=False))
    return f'{align(rows)}\n{legend}'


def align(rows: Sequence[Sequence[str]]) -> str:
    """Columns of equal width: the first to the left, the others to the right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return '\n'.join(
        '  '.join(cell.rjust(width) if i else cell.ljust(width)
                  for i, (cell, width) in enumerate(zip(row, widths, strict=True))).rstrip()
        for row in rows)


def markdown(methods: Mapping[str, Scores], corner: str, metrics: Sequence[str]) -> str:
    """Markdown table, one method a line, best bold and second best in italics."""
    rows = []
    place = {metric: ranks(methods, metric) for metric in metrics}
    marks = {1: '**', 2: '*'}
    for method, scores in methods.items():
        cells = []
        for metric in metrics:
            mark = marks.get(place[metric].get(method), '') if len(methods) > 1 else ''
            cells.append(f'{mark}{format_value(metric, scores[metric])}{mark}')
        rows.append([method, *cells])
    return markdown_table([corner, *map(_arrow, metrics)], rows)


def write_csv(path: Path, per_image: Mapping[str, Mapping[str, Scores]]) -> None:
    """Write a line for each method and image, in full precision, for any spreadsheet.

    :raises InputError: where it cannot be written.
    """
    names = next((list(row) for images in per_image.values() for row in images.values()), [])
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(['method', 'image', *names])
    for method, images in per_image.items():
        for image, scores in images.items():
            writer.writerow([method, image, *(scores[name] for name in names)])
    write_text(path, file.getvalue())


def _is_neutral(metric: str) -> bool:
    """The mean weight of a source is neither good nor bad."""
    return metric.startswith('weight ')


def _arrow(metric: str) -> str:
    if _is_neutral(metric):
        return metric
    return f'{metric} ↓' if metric in LOWER_IS_BETTER else f'{metric} ↑'
