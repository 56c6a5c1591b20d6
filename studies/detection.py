"""What detectors make of the fused image: clean, and with noisy cameras.

    python studies/detection.py DATA [--quick]

DATA has labelled/{MSRS,LLVIP_small}/{ir,vi,labels}, detector/{yolox_nano,yolov8n_int8}.onnx, and
dev_pairs/*/{ir,vi}, of whose hot regions it tells how much contrast the fused image keeps.
Prints, for each noise of --noise, AP50 by detector, set and class, and the mean over detectors of
the mean of person (over the sets) and car, for the fused image (by the options of the engine),
each camera, pixelwise mean and maximum, and late fusion (the detector run on both cameras). With
--framings also the mean over four framings of the same pictures (mirrored, and without a few rows
and columns): a cell of 48 cars moves by 0.03 from one to the next. With --weak K the fused image
is made of infrared that has a K-th of its contrast, as of a camera that uses little of its range.
Writes detection.json under --work, and pictures with boxes and labels to look at.
"""

import argparse
import functools
import hashlib
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from dig2dig_ros.commands.engine_options import add_engine_options, settings_from
from dig2dig_ros.detection.drawing import draw
from dig2dig_ros.engine import FusionEngine
from dig2dig_ros.evaluation.detection.framing import FRAMINGS
from dig2dig_ros.evaluation.detection.labelled_sets import (
    NAMES,
    SETS,
    Fuse,
    Row,
    detection_rows,
    load_detectors,
    mean_rows,
    table,
)
from dig2dig_ros.evaluation.detection.truth import Truth, read_truth
from dig2dig_ros.evaluation.detection.views import Observer
from dig2dig_ros.evaluation.documents import write_json
from dig2dig_ros.evaluation.hot_contrast import hot_contrasts
from dig2dig_ros.evaluation.metrics import luminance
from dig2dig_ros.evaluation.noise import MODELS, CameraNoise
from dig2dig_ros.evaluation.tables import align
from dig2dig_ros.images import match_folders, read_image, to_8_bit, write_image

NOISES = ('0,0', '25,8', '50,8')  # visible, infrared, grey levels
QUICK = 4  # every such pair
PICTURES = 6  # of each set
DRAWN_SCORE = 0.3


def main() -> int:
    """Measure every noise and write it down."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('data', type=Path, metavar='DATA')
    parser.add_argument('--work', type=Path, default=Path('out/detection'), metavar='DIR')
    parser.add_argument('--quick', action='store_true',
                        help=f'every {QUICK}th pair: for a first look, its means are other means')
    parser.add_argument('--noise', action='append', metavar='VISIBLE,INFRARED',
                        help=f'grey levels; several times (default: {" ".join(NOISES)})')
    parser.add_argument('--noise-model', choices=MODELS, default='gaussian')
    parser.add_argument('--framings', action='store_true',
                        help=f'mean over {len(FRAMINGS)} framings, too')
    parser.add_argument('--weak', type=float, default=1.0, metavar='K',
                        help='fuse infrared with a K-th of its contrast (default: as it is)')
    parser.add_argument('--no-pictures', action='store_true')
    parser.add_argument('--threads', type=int, default=1, help='of the detectors')
    add_engine_options(parser)
    arguments = parser.parse_args()
    detectors = load_detectors(arguments.data, arguments.work, arguments.threads)
    engine = FusionEngine.load(arguments.checkpoint, arguments.device, settings_from(arguments))
    document, framed = {}, {}

    def fuse(infrared: np.ndarray, visible: np.ndarray) -> np.ndarray:
        return engine.fuse([weakened(infrared, arguments.weak), visible]).image

    for text in arguments.noise or NOISES:
        noise, start = CameraNoise.parse(text, arguments.noise_model), time.perf_counter()
        remembered = by_content(fuse)
        measure = functools.partial(
            detection_rows, arguments.data, remembered, noise,
            every=QUICK if arguments.quick else 1, detectors=detectors,
            progress=lambda pairs: tqdm(pairs, unit='pair', disable=None))
        rows = [measure(framing=framing)
                for framing in (FRAMINGS if arguments.framings else FRAMINGS[:1])]
        print(f'== noise {text} ({time.perf_counter() - start:.0f} s)\n{align(table(rows[0]))}',
              flush=True)
        document[text] = as_json(rows[0])
        if arguments.framings:
            print(f'mean of {len(FRAMINGS)} framings\n{align(table(mean_rows(rows)))}', flush=True)
            framed[text] = {'mean': as_json(mean_rows(rows)), 'each': [*map(as_json, rows)]}
        if not arguments.no_pictures:
            pictures(arguments.data, remembered, noise, detectors,
                     arguments.work / 'pictures' / text)
    kept = kept_contrasts(arguments.data, fuse)
    print(f'hot regions keep {np.median(kept):.2f} of their contrast (median of {len(kept)})')
    write_json(arguments.work / 'detection.json', {
        'noise_model': arguments.noise_model, 'quick': arguments.quick,
        'weak': arguments.weak, 'noise': document,
        'framings': framed,
        'hot_contrast': {'median': float(np.median(kept)), 'regions': len(kept)}})
    return 0


def weakened(infrared: np.ndarray, factor: float) -> np.ndarray:
    """The same picture, uint8, with so many times less contrast about its median."""
    median = np.median(infrared)
    return np.round(median + (infrared - median) / factor).astype(np.uint8)


def by_content(fuse: Fuse) -> Fuse:
    """The same, but what was fused once is not fused again."""
    kept = {}

    def remembered(infrared: np.ndarray, visible: np.ndarray) -> np.ndarray:
        key = hashlib.sha1(infrared.tobytes() + visible.tobytes()).digest()
        if key not in kept:
            kept[key] = fuse(infrared, visible)
        return kept[key]

    return remembered


def as_json(rows: Mapping[str, Row]) -> dict:
    """Mean and cells of every view."""
    return {view: {'mean': row.mean, 'cells': {
        ' '.join(cell): value for cell, value in row.cells.items()}}
        for view, row in rows.items()}


def kept_contrasts(data: Path, fuse: Fuse) -> list[float]:
    """What the fused images of DATA/dev_pairs keep of each hot region's contrast."""
    kept = []
    for folder in sorted((data / 'dev_pairs').iterdir()):
        for _, paths in match_folders([folder / 'ir', folder / 'vi'])[0]:
            infrared, visible = (to_8_bit(read_image(path)) for path in paths)
            views = fuse(infrared, visible), infrared, visible
            kept += hot_contrasts(*map(luminance, views))
    return kept


def pictures(data: Path, fuse: Fuse, noise: CameraNoise, detectors: Mapping[str, Observer],
             output: Path) -> None:
    """Strips of infrared, visible, fused with boxes, a line for each detector; labels white."""
    for name in SETS:
        folder = data / 'labelled' / name
        pairs, _ = match_folders([folder / 'ir', folder / 'vi'])
        pairs = pairs[::max(1, len(pairs) // PICTURES)][:PICTURES]
        truths, _ = read_truth(folder / 'labels', [stem for stem, _ in pairs], NAMES)
        for stem, paths in pairs:
            infrared, visible = noise.apply(
                stem, *(to_8_bit(read_image(path)) for path in paths))
            views = [infrared, visible, fuse(infrared, visible)]
            lines = [np.hstack([_drawn(view, observer, truths[stem]) for view in views])
                     for observer in detectors.values()]
            write_image(output / f'{name}_{stem}.jpg', np.vstack(lines))


def _drawn(image: np.ndarray, observer: Observer, truth: Truth) -> np.ndarray:
    found = observer.find(image)
    picture = draw(image, found.where(found.scores >= DRAWN_SCORE), observer.labels)
    size = np.tile([image.shape[1], image.shape[0]], 2)
    for x, y, width, height in (truth.boxes * size).round().astype(int):
        cv2.rectangle(picture, (x, y), (x + width, y + height), (255, 255, 255), 1)
    return picture


if __name__ == '__main__':
    sys.exit(main())
