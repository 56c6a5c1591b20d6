"""Measures alignment and calibration, writes studies/alignment.json and the table of the docs.

    python studies/alignment.py [--data ../shared/data]

Known warps are put back on real pairs (if the folder is there) and rendered boards calibrated.
Labels of the pairs are off by pixels themselves, so an error is also taken against what the same
method says of the pair before the warp ("own").
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from alignment_drift import drift
from alignment_held_out import held_out
from alignment_methods import METHODS, Method
from alignment_single import single
from alignment_speed import speed
from alignment_table import table
from alignment_truth import lenses, rendered

from dig2dig_ros.alignment.align import align, corner_distance, refined
from dig2dig_ros.alignment.calibrate import calibrate
from dig2dig_ros.alignment.pyramid import Pyramid
from dig2dig_ros.alignment.quadrants import shared_distance
from dig2dig_ros.alignment.refine import Similarity
from dig2dig_ros.alignment.search import similarity
from dig2dig_ros.alignment.targets import Target, find
from dig2dig_ros.evaluation.pages import fill
from dig2dig_ros.images import in_grey, match_folders, read_image

ROOT = Path(__file__).resolve().parents[1]
Pair = tuple[np.ndarray, np.ndarray]


def pairs_of(folder: Path) -> list[Pair]:
    """Read the pairs of a folder with ir and vi."""
    scenes, _ = match_folders([folder / 'ir', folder / 'vi'])
    return [tuple(read_image(file) for file in files) for _, files in scenes]


def warped(image: np.ndarray, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Move an image at random; returns it and the way back, 3 x 3."""
    size = image.shape[1::-1]
    away = similarity(random.uniform(0.95, 1.05), np.radians(random.uniform(-2, 2)),
                      random.uniform(-20, 20, 2), size, size)
    moved = cv2.warpAffine(image, away, size, borderMode=cv2.BORDER_REFLECT)
    return moved, np.linalg.inv(np.vstack([away, [0, 0, 1]]))


def put_back(pairs: list[Pair], method: Method) -> dict[str, float]:
    """Put a known warp back, one frame at a time."""
    random = np.random.default_rng(0)
    labels, own, times = [], [], []
    for infrared, visible in pairs:
        moved, truth = warped(infrared, random)
        start = time.process_time()
        found = method(moved, visible)
        times.append(1e3 * (time.process_time() - start))
        before = method(infrared, visible)
        size = infrared.shape[1::-1]
        labels.append(np.inf if found is None else corner_distance(found, truth, size))
        own.append(np.inf if found is None or before is None
                   else corner_distance(found, before @ truth, size))
    return {'labels_median_px': float(np.median(labels)),
            'labels_under_2px': float(np.mean(np.array(labels) < 2)),
            'own_median_px': float(np.median(own)),
            'own_under_2px': float(np.mean(np.array(own) < 2)),
            'cpu_ms': float(np.median(times))}


def pooled(pairs: list[Pair], rounds: int) -> dict[str, dict[str, float]]:
    """Pools of night frames against all the others of the rig (those not in a pool of eight).

    Fewer others would put their own error into the figure: with 16 it was a quarter more.
    """
    random = np.random.default_rng(1)
    counts = (1, 2, 4, 8)
    errors, z, ncc = ({count: [] for count in counts} for _ in range(3))
    for _ in range(rounds):
        order = random.permutation(len(pairs))
        found = {count: align([pairs[i] for i in order[:count]]) for count in counts}
        rest = from_here([pairs[i] for i in order[8:]], found[8].homography)
        for count, each in found.items():
            errors[count].append(corner_distance(each.homography, rest, (640, 480)))
            z[count].append(each.z)
            ncc[count].append(each.ncc)
    return {str(count): {'others': len(pairs) - 8, 'median_px': float(np.median(errors[count])),
                         'max_px': max(errors[count]), 'least_z': min(z[count]),
                         'least_ncc': min(ncc[count])} for count in counts}


def from_here(pairs: list[Pair], homography: np.ndarray) -> np.ndarray:
    """Refine on many frames without a search, which would take most of the time."""
    pyramid = Pyramid(pairs)
    start = Similarity((pyramid.to_work[1] @ homography @ np.linalg.inv(pyramid.to_work[0]))[:2])
    motion, _ = refined(pyramid, start.rescaled(0.5), slice(None))
    return pyramid.homography(motion.matrix)


def refused(pairs: list[Pair]) -> dict[str, int]:
    """Wrong scenes, one frame at a time, and right ones."""
    wrong = [align([(pairs[i][0], pairs[(i + 5) % len(pairs)][1])]).accepted
             for i in range(len(pairs))]
    right = [align([pair]).accepted for pair in pairs]
    return {'wrong': len(wrong), 'wrong_accepted': sum(wrong), 'right': len(right),
            'right_accepted': sum(right)}


def boards(folder: Path) -> dict[str, int]:
    """How many real thermal boards are found, by us and with the flags of ROS's calibrator."""
    target = Target('chessboard', (6, 4), 0.055)
    flags = (cv2.CALIB_CB_ADAPTIVE_THRESH | cv2.CALIB_CB_NORMALIZE_IMAGE
             | cv2.CALIB_CB_FAST_CHECK)
    images = [read_image(path) for path in sorted((folder / 'ir').iterdir())]
    return {'views': len(images), 'ours': sum(find(target, image) is not None for image in images),
            'ros_flags': sum(cv2.findChessboardCorners(in_grey(image), (6, 4), flags=flags)[0]
                             for image in images)}


def unaligned(folder: Path, method: Method) -> dict[str, float]:
    """Single real pairs of two cameras that nobody has aligned, against hand-placed labels."""
    truth = json.loads((folder / 'ground_truth.json').read_text())
    scenes, _ = match_folders([folder / 'ir', folder / 'vi'])
    errors = []
    for stem, files in scenes:
        infrared, visible = map(read_image, files)
        found = method(infrared, visible)
        label = np.array(truth[stem]['ir_to_vi'], np.float64)
        errors.append(np.inf if found is None else overlap_error(
            found, label, infrared.shape[1::-1], visible.shape[1::-1]))
    return {'pairs': len(errors), 'median_px': float(np.median(errors)),
            'under_5px': float(np.mean(np.array(errors) < 5))}


def believed(folder: Path) -> dict[str, float]:
    """Which of those single pairs `align` accepts, and how far these are off at most.

    Wrong: its mean error, over what both cameras see, is above 1 % of the visible diagonal.
    """
    truth = json.loads((folder / 'ground_truth.json').read_text())
    scenes, _ = match_folders([folder / 'ir', folder / 'vi'])
    shares = []
    for stem, files in scenes:
        infrared, visible = map(read_image, files)
        found, sizes = align([(infrared, visible)]), (infrared.shape[1::-1], visible.shape[1::-1])
        if found.accepted:
            shares.append(shared_distance(
                found.homography, np.array(truth[stem]['ir_to_vi'], np.float64), *sizes)
                / np.hypot(*sizes[1]))
    return {'pairs': len(scenes), 'accepted': len(shares), 'worst_share': max(shares),
            'wrong_accepted': int((np.array(shares) > 0.01).sum())}


def overlap_error(found: np.ndarray, label: np.ndarray, infrared: tuple[int, int],
                  visible: tuple[int, int]) -> float:
    """Mean error, in infrared pixels, over what of a grid both cameras see."""
    grid = np.stack(np.meshgrid(*(np.linspace(0, side - 1, 17) for side in infrared)), axis=-1)
    grid = grid.reshape(-1, 1, 2)
    there, here = (cv2.perspectiveTransform(grid, each)[:, 0] for each in (label, found))
    seen = ((there >= 0) & (there < visible)).all(axis=1)
    scale = np.sqrt(abs(np.linalg.det(label[:2, :2])))
    return float(np.linalg.norm(there - here, axis=1)[seen].mean() / scale)


def sets_of(data: Path) -> dict[str, list[Pair]]:
    """The aligned pairs."""
    return {name: pairs_of(data / 'dev_pairs' / name) for name in ('RoadScene', 'MSRS')}


def real_board(data: Path) -> dict[str, float]:
    """Calibrate from real thermal boards."""
    folder = data / 'unaligned' / 'target_lepton_zed'
    scenes, _ = match_folders([folder / side for side in ('ir', 'vi')])
    real = calibrate(Target('chessboard', (6, 4), 0.055), scenes)
    return {'infrared_rms_px': real.rms_px[0],
            'transfer_median_px': float(np.median(real.transfer_px))}


def night_pairs(data: Path) -> list[Pair]:
    """Night frames of one rig."""
    folder = data / 'labelled' / 'MSRS'
    return [tuple(read_image(folder / side / path.name) for side in ('ir', 'vi'))
            for path in sorted((folder / 'ir').glob('*N.png'))]


PARTS: dict[str, Callable[[Path], dict]] = {
    'lenses': lambda data: lenses(),
    'rendered': lambda data: {kind: rendered(kind, 20) for kind in ('boson', 'lepton')},
    'speed': lambda data: speed(),
    'drift': drift,
    'held_out': held_out,
    'single': single,
    'boards': lambda data: boards(data / 'unaligned' / 'target_lepton_zed'),
    'real_board': real_board,
    'unaligned': lambda data: {
        name: {title: unaligned(data / 'unaligned' / name, method) for title, method in METHODS}
        for name in ('roadscene_raw', 'mmdb')},
    'believed': lambda data: {name: believed(data / 'unaligned' / name)
                              for name in ('roadscene_raw', 'mmdb')},
    'pooled_night': lambda data: pooled(night_pairs(data), 8),
    'refused': lambda data: {name: refused(pairs) for name, pairs in sets_of(data).items()},
    'put_back': lambda data: {name: {title: put_back(pairs, method) for title, method in METHODS}
                              for name, pairs in sets_of(data).items()}}
WITHOUT_DATA = ('lenses', 'rendered', 'speed', 'drift', 'held_out')


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--data', type=Path, default=ROOT.parent / 'shared' / 'data')
    parser.add_argument('--parts', nargs='+', choices=PARTS, default=[*PARTS],
                        help='measure these anew; the others stay as they are in the JSON')
    arguments = parser.parse_args()
    page, document = ROOT / 'docs' / 'alignment.md', ROOT / 'studies' / 'alignment.json'
    result = json.loads(document.read_text()) if document.exists() else {}
    for part in arguments.parts:
        if part not in WITHOUT_DATA and not arguments.data.is_dir():
            continue
        result[part] = PARTS[part](arguments.data)
        document.write_text(json.dumps(result, indent=1) + '\n')
        page.write_text(fill(page.read_text(), 'measured', table(result)))
    print(table(result))


if __name__ == '__main__':
    main()
