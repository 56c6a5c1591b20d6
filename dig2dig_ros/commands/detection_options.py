"""The detection part of `dig2dig evaluate`: labels, detectors, noise."""

import argparse
import sys
from collections.abc import Callable, Container, Iterable, Mapping
from pathlib import Path

from dig2dig_ros.errors import InputError
from dig2dig_ros.evaluation.detection.score import ViewScores
from dig2dig_ros.evaluation.detection.truth import LABEL_NAMES, label_names, read_truth
from dig2dig_ros.evaluation.detection.views import CAMERA_VIEWS, observers
from dig2dig_ros.evaluation.noise import MODELS, CameraNoise
from dig2dig_ros.evaluation.tables import align
from dig2dig_ros.images import match_folders, read_image, to_8_bit

FUSED = 'fused'


def add_detection_options(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    group = parser.add_argument_group('detection')
    group.add_argument('--labels', type=Path, metavar='DIR',
                       help='label files of the pairs, STEM.txt, in YOLO\'s form: lines of '
                            '"class x y width height"')
    group.add_argument('--detector', type=Path, action='append', metavar='FILE.onnx',
                       help='YOLOX, YOLOv5, YOLOv8, YOLO11 or FastestDet; several times for more')
    group.add_argument('--label-names', default=LABEL_NAMES, metavar='NAME,NAME',
                       help='classes of the label files, class 0 first, as the detectors call '
                            'them, a+b where detections of both are right; classes without a '
                            'label are not scored')
    group.add_argument('--noise', metavar='VISIBLE,INFRARED',
                       help='add camera noise before fusion: standard deviations in grey levels; '
                            'the measures of fusion then compare with the clean sources')
    group.add_argument('--noise-model', choices=MODELS, default='gaussian',
                       help='of the visible camera; night: Poisson-Gaussian, variance at grey '
                            'level x is s^2 (0.25 + 0.75 x / 128)')


def check_detection_options(arguments: argparse.Namespace, folders: Container[str]) -> None:
    """Refuse combinations that mean nothing.

    :raises InputError: naming what is missing.
    """
    if bool(arguments.labels) != bool(arguments.detector):
        raise InputError('--labels DIR and --detector FILE go together; give both')
    if (arguments.detector or arguments.noise) and 'infrared' not in folders:
        raise InputError('--detector and --noise need --infrared DIR --visible DIR')
    if arguments.noise and arguments.fused:
        raise InputError('--noise comes before fusion; leave --fused out, and the pairs are '
                         'fused here by the options of the engine')
    noise_from(arguments)


def noise_from(arguments: argparse.Namespace) -> CameraNoise | None:
    """The noise that the options spell.

    :raises InputError: for a bad level.
    """
    if not arguments.noise:
        return None
    return CameraNoise.parse(arguments.noise, arguments.noise_model)


def measure_detection(arguments: argparse.Namespace, folders: Mapping[str, Path],
                      methods: Mapping[str, Path], failed: Container[str],
                      progress: Callable[[Iterable], Iterable]) -> dict:
    """AP of every view: `{view: {detector file name: {class: {ap50, ap}}}}`.

    The first method is the view `fused`; further ones go by their own names.

    :param failed: stems to leave out.
    :raises InputError: for bad labels or detectors.
    """
    views = [FUSED, *list(methods)[1:]]
    if len(set(views) | set(CAMERA_VIEWS)) < len(views) + len(CAMERA_VIEWS):
        raise InputError(f'--fused NAME=DIR: with --detector, {FUSED} and '
                         f'{", ".join(CAMERA_VIEWS)} are names of views; choose others')
    matched, _ = match_folders([folders['infrared'], folders['visible'], *methods.values()])
    matched = {stem: paths for stem, paths in matched if stem not in failed}
    if not matched:
        raise InputError('no image is left to show to a detector')
    names = label_names(arguments.label_names)
    truths, without = read_truth(arguments.labels, list(matched), names)
    if without:
        print(f'{len(without)} images have no label file and are shown to no detector',
              file=sys.stderr)
    scores = ViewScores(truths, observers(arguments.detector, names))
    noise = noise_from(arguments)
    for stem in progress(truths):
        infrared, visible, *fused = (to_8_bit(read_image(path)) for path in matched[stem])
        if noise:
            infrared, visible = noise.apply(stem, infrared, visible)
        scores.add(stem, infrared, visible, dict(zip(views, fused, strict=True)))
    return scores.scores()


def detection_table(views: Mapping[str, Mapping[str, Mapping[str, Mapping]]]) -> str:
    """AP50 and AP of each view, a column for each detector and class, for a terminal."""
    columns = [(name, kind) for name, classes in next(iter(views.values())).items()
               for kind in classes]
    rows = [['AP50 (AP50:95)', *(f'{name} {kind}' for name, kind in columns)]]
    for view, detectors in views.items():
        cells = [detectors[name][kind] for name, kind in columns]
        rows.append([view, *(f'{cell["ap50"]:.3f} ({cell["ap"]:.3f})' for cell in cells)])
    return align(rows)
