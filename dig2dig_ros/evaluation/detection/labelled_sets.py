"""One figure for what detectors make of a fusion, over the labelled sets."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from dig2dig_ros.evaluation.detection.framing import WHOLE, Framing
from dig2dig_ros.evaluation.detection.score import ViewScores
from dig2dig_ros.evaluation.detection.truth import LABEL_NAMES, label_names, read_truth
from dig2dig_ros.evaluation.detection.views import Observer, observers
from dig2dig_ros.evaluation.noise import CameraNoise
from dig2dig_ros.images import match_folders, read_image, to_8_bit

Fuse = Callable[[np.ndarray, np.ndarray], np.ndarray]
NAMES = label_names(LABEL_NAMES)
SETS = ('MSRS', 'LLVIP_small')
# What counts; MSRS has too few bicycles to score, LLVIP labels people only.
CELLS = (('MSRS', 'person'), ('LLVIP_small', 'person'), ('MSRS', 'car'))
DETECTORS = ('yolox_nano.onnx', 'yolov8n_int8.onnx')


@dataclasses.dataclass(frozen=True)
class Row:
    """AP50 of one view.

    Attributes:
        cells: by (detector file name, set, class).
        mean: over detectors, of the mean of two: person (mean over sets) and car.
    """

    cells: dict[tuple[str, str, str], float]
    mean: float


def detection_rows(data: Path, fuse: Fuse | None = None, noise: CameraNoise | None = None,
                   work: Path | None = None, every: int = 1, threads: int = 1,
                   detectors: Mapping[str, Observer] | None = None,
                   progress: Callable = iter, framing: Framing = WHOLE) -> dict[str, Row]:
    """AP50 of fused, infrared, visible, mean, maximum and late on the labelled pairs.

    :param data: has labelled/{MSRS,LLVIP_small}/{ir,vi,labels} and detector/.
    :param fuse: of infrared uint8 H x W and visible uint8 H x W x 3 (BGR), to uint8 H x W x 3
        (BGR) or H x W; left out: no row `fused`. Called in the order of the sets and stems.
    :param noise: added to both cameras first.
    :param work: folder where the detectors' results for camera pictures are kept between runs.
    :param every: take every such pair: 1 is all, 3 a quick look (its means are other means).
    :param threads: of the detectors.
    :param detectors: loaded already, by `observers`, where this is called again and again.
    :param progress: wraps the loop over the pairs of a set, as tqdm does.
    :param framing: of the pictures that detectors are shown; the whole ones are fused.
    :raises InputError: where a file of the data is missing.
    """
    detectors = detectors or load_detectors(data, work, threads)
    found = {}
    for name in SETS:
        folder = data / 'labelled' / name
        pairs, _ = match_folders([folder / 'ir', folder / 'vi'])
        pairs = pairs[::every]
        truths, _ = read_truth(folder / 'labels', [stem for stem, _ in pairs], NAMES)
        scores = ViewScores(truths, detectors)
        for stem, paths in progress(pairs):
            infrared, visible = (to_8_bit(read_image(path)) for path in paths)
            if noise:
                infrared, visible = noise.apply(stem, infrared, visible)
            fused = {'fused': framing.picture(fuse(infrared, visible))} if fuse else {}
            truths[stem] = framing.truth(truths[stem], visible.shape[1], visible.shape[0])
            scores.add(stem, framing.picture(infrared), framing.picture(visible), fused)
        found[name] = scores.scores()
    return {view: mean_row(view, found, list(detectors)) for view in found[SETS[0]]}


def load_detectors(data: Path, work: Path | None = None,
                   threads: int = 1) -> Mapping[str, Observer]:
    """The detectors of `detection_rows`, by file name.

    :raises InputError: where one is missing.
    """
    return observers([data / 'detector' / name for name in DETECTORS], NAMES,
                     work / 'detections' if work else None, threads)


def mean_row(view: str, found: Mapping[str, Mapping], detectors: Sequence[str]) -> Row:
    """The row of one view, of `ViewScores.scores` by set."""
    cells = {(detector, name, kind): found[name][view][detector].get(kind, {}).get(
        'ap50', float('nan')) for detector in detectors for name, kind in CELLS}
    means = [np.mean([np.mean([cells[detector, name, kind] for name, one in CELLS if one == kind])
                      for kind in ('person', 'car')]) for detector in detectors]
    return Row(cells, float(np.mean(means)))


def mean_rows(rows: Sequence[Mapping[str, Row]]) -> dict[str, Row]:
    """Means over several measurements of the same views."""
    return {view: Row({cell: float(np.mean([each[view].cells[cell] for each in rows]))
                       for cell in rows[0][view].cells},
                      float(np.mean([each[view].mean for each in rows])))
            for view in rows[0]}


def table(rows: Mapping[str, Row]) -> list[list[str]]:
    """Header and a line for each view, three decimals, for `tables.align`."""
    cells = list(next(iter(rows.values())).cells)
    header = ['AP50', *(f'{Path(detector).stem} {name} {kind}' for detector, name, kind in cells),
              'mean']
    return [header, *([view, *(f'{row.cells[cell]:.3f}' for cell in cells), f'{row.mean:.3f}']
                      for view, row in rows.items())]
