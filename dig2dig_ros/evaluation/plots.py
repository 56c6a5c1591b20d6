"""Pictures of a study, as PNG, through matplotlib."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib
import numpy as np

from dig2dig_ros.evaluation.curves import Curve
from dig2dig_ros.evaluation.metrics import LOWER_IS_BETTER
from dig2dig_ros.evaluation.study import Cell
from dig2dig_ros.evaluation.tables import format_value

matplotlib.use('Agg')  # before pyplot: no display is needed
from matplotlib import pyplot as plt

SOURCE_COLOURS = ('#d9730d', '#1f6fb2', '#2a9d5c', '#8a4fbf')
SHOWN = ('SSIM', 'CC', 'Nabf', 'Qabf', 'VIF', 'SCD', 'SD', 'ms')


def plot_cells(path: Path, title: str, cells: Sequence[Cell]) -> None:
    """A bar for each cell, a panel for each of the telling metrics."""
    means = [cell.mean() for cell in cells]
    figure, axes = plt.subplots(2, 4, figsize=(13, 1.8 + 0.5 * len(cells)), sharey=True,
                                constrained_layout=True)
    for axis, metric in zip(axes.flat, SHOWN, strict=True):
        values = [mean[metric] for mean in means]
        sign = -1 if metric in LOWER_IS_BETTER else 1
        best = int(np.argmax(sign * np.array(values)))
        colours = ['#2a9d5c' if i == best else '#b8c4ce' for i in range(len(values))]
        bars = axis.barh([cell.name for cell in cells], values, color=colours)
        axis.bar_label(bars, [format_value(metric, value) for value in values], padding=3,
                       fontsize=8)
        axis.set_xticks([])
        axis.set_title(f'{metric} ({"lower" if sign < 0 else "higher"} is better)', fontsize=9)
        axis.margins(x=0.2)
        axis.spines[['top', 'right', 'bottom']].set_visible(False)
    axes.flat[0].invert_yaxis()
    figure.suptitle(title)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def plot_curves(path: Path, title: str, curves: Mapping[tuple[str, str], Curve],
                names: Sequence[str]) -> None:
    """A panel for each (scene, region): mean of cumulative DIG, with a band of one standard
    deviation over the pixels, from the highest timestep on the left to the clean image."""
    columns = min(4, len(curves))
    rows = -(-len(curves) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(3.6 * columns, 3 * rows),
                                constrained_layout=True, squeeze=False)
    for axis, ((scene, region), curve) in zip(axes.flat, curves.items(), strict=False):
        for name, colour, mean, variance in zip(
                names, SOURCE_COLOURS, curve.mean, curve.variance, strict=False):
            spread = np.sqrt(variance)
            axis.plot(curve.timesteps, mean, color=colour, label=name)
            axis.fill_between(curve.timesteps, mean - spread, mean + spread, color=colour,
                              alpha=0.15, linewidth=0)
        axis.set_xlim(curve.timesteps[0], 0)
        axis.set_title(f'{scene}: {region}', fontsize=9)
        axis.set_xlabel('timestep')
        axis.set_ylabel('cumulative DIG')
        axis.spines[['top', 'right']].set_visible(False)
    for axis in axes.flat[len(curves):]:
        axis.set_visible(False)
    axes.flat[0].legend(frameon=False)
    figure.suptitle(title)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def plot_video(path: Path, title: str, cells: Sequence[Cell], names: Sequence[str]) -> None:
    """Time, flicker and the weight of the first source, frame by frame, a line for each cell."""
    weight = f'weight {names[0]}'
    panels = {'ms': 'time of a frame, ms', 'flicker': 'flicker, grey levels',
              weight: f'mean weight of {names[0]}'}
    figure, axes = plt.subplots(3, 1, figsize=(9, 7.5), sharex=True, constrained_layout=True)
    for axis, (key, label) in zip(axes, panels.items(), strict=True):
        for cell in cells:
            axis.plot([row[key] for row in cell.per_image.values()], label=cell.name)
        axis.set_ylabel(label)
        axis.spines[['top', 'right']].set_visible(False)
    axes[0].set_ylim(bottom=0)
    axes[2].set_ylim(0, 1)
    axes[2].set_xlabel('frame')
    axes[0].legend(frameon=False)
    figure.suptitle(title)
    figure.savefig(path, dpi=110)
    plt.close(figure)
