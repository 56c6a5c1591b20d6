"""Detectors against each other's boxes, on pairs that nobody labelled.

    python studies/agreement.py DATA

DATA has detector/{yolox_nano,yolov8n_int8}.onnx and the folders of --pairs, each with ir/ and vi/.
Truth for the one detector are the boxes that the other one finds on either camera with a score of
0.5 or more. It favours the cameras, which gave it, and lacks what neither shows alone; between two
ways of fusion it takes no side. Prints AP50 by detector, view and class.
"""

import argparse
import dataclasses
import sys
from pathlib import Path

import numpy as np
from tqdm import tqdm

from dig2dig_ros.commands.engine_options import add_engine_options, settings_from
from dig2dig_ros.engine import FusionEngine
from dig2dig_ros.evaluation.detection.labelled_sets import load_detectors
from dig2dig_ros.evaluation.detection.score import ViewScores
from dig2dig_ros.evaluation.detection.truth import Truth
from dig2dig_ros.evaluation.detection.views import Observer
from dig2dig_ros.evaluation.tables import align
from dig2dig_ros.images import match_folders, read_image, to_8_bit

PAIRS = ('dev_pairs/RoadScene', 'train_pairs/RoadScene')
SCORE = 0.5
KINDS = ('person', 'car')


@dataclasses.dataclass(frozen=True)
class Pair:
    """Two aligned images: infrared, uint8 H x W or H x W x 3 (BGR), and visible likewise."""

    stem: str
    infrared: np.ndarray
    visible: np.ndarray


def borrowed_truth(observer: Observer, pair: Pair) -> Truth:
    """What a detector is sure to see on either camera."""
    found = observer.find_in_pair(pair.infrared, pair.visible, ('late',))['late']
    sure = found.where(found.scores >= SCORE)
    height, width = pair.visible.shape[:2]
    return Truth(sure.boxes / np.tile([width, height], 2),
                 tuple(observer.labels[number] for number in sure.classes))


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('data', type=Path, metavar='DATA')
    parser.add_argument('--pairs', nargs='+', default=PAIRS, metavar='DIR',
                        help='folders below DATA (default: %(default)s)')
    parser.add_argument('--every', type=int, default=1, help='take every such pair')
    parser.add_argument('--work', type=Path, default=Path('out/agreement'), metavar='DIR',
                        help="keeps the detectors' results for camera pictures")
    add_engine_options(parser)
    arguments = parser.parse_args()
    observers = load_detectors(arguments.data, arguments.work)
    engine = FusionEngine.load(arguments.checkpoint, arguments.device, settings_from(arguments))
    pairs = [Pair(f'{folder}/{stem}', *(to_8_bit(read_image(path)) for path in paths))
             for folder in arguments.pairs
             for stem, paths in match_folders([arguments.data / folder / camera
                                               for camera in ('ir', 'vi')])[0]][::arguments.every]
    names = list(observers)
    scores = {name: ViewScores(
        {pair.stem: borrowed_truth(observers[other], pair) for pair in pairs},
        {name: observers[name]}) for name, other in zip(names, names[::-1], strict=True)}
    for pair in tqdm(pairs):
        fused = engine.fuse([pair.infrared, pair.visible]).image
        for each in scores.values():
            each.add(pair.stem, pair.infrared, pair.visible, {'fused': fused})
    rows = [['AP50', 'detector', *KINDS]]
    for name, each in scores.items():
        for view, found in each.scores().items():
            figures = found[name]
            rows.append([view, Path(name).stem, *(
                f"{figures[kind]['ap50']:.3f}" if kind in figures else '' for kind in KINDS)])
    print(align(rows))
    return 0


if __name__ == '__main__':
    sys.exit(main())
