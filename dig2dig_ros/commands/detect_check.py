"""Count the people that a detector finds in the infrared, the visible and the fused images.

Appendix C of the paper on your own images. There is no ground truth here: a higher count may be
false alarms, so look at the pictures of --pictures before you conclude.
"""

import argparse
import sys
from pathlib import Path

from tqdm import tqdm

from dig2dig_ros.commands.evaluate import add_source_options, fused_folders, source_folders
from dig2dig_ros.detection.detections import Detections
from dig2dig_ros.detection.drawing import draw
from dig2dig_ros.detection.onnx_detector import OnnxDetector
from dig2dig_ros.errors import InputError
from dig2dig_ros.evaluation.documents import write_json
from dig2dig_ros.evaluation.tables import align
from dig2dig_ros.images import match_folders, read_image, to_8_bit, write_image
from dig2dig_ros.locations import output_file, output_folder

PERSON = 'person'


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument('--model', type=Path, required=True, metavar='FILE.onnx',
                        help='detector with a class person: YOLOX, YOLOv5, YOLOv8, YOLO11 or '
                             'FastestDet')
    add_source_options(parser)
    parser.add_argument('--fused', action='append', required=True, metavar='[NAME=]DIR',
                        help='folder of fused images; several times to compare methods')
    parser.add_argument('--confidence', type=float, default=0.5,
                        help='below which a detection does not count, 0..1')
    parser.add_argument('--pictures', type=output_folder, metavar='DIR',
                        help='write every image with its boxes here')
    parser.add_argument('--json', type=output_file, metavar='FILE',
                        help='write all figures as JSON')


def run(arguments: argparse.Namespace) -> int:
    """Count in every image that all folders have; 1 where some could not be read."""
    if not 0 < arguments.confidence < 1:
        raise InputError(f'--confidence is {arguments.confidence}; it must be between 0 and 1')
    sources, fused = source_folders(arguments), fused_folders(arguments.fused)
    if taken := sources.keys() & fused.keys():
        raise InputError(f'--fused names {min(taken)}, which is a source; give it another name, '
                         'NAME=DIR')
    views = sources | fused
    detector = OnnxDetector(arguments.model, confidence=arguments.confidence)
    if PERSON not in detector.labels:
        raise InputError(f'{arguments.model} has no class {PERSON}; its classes are '
                         f'{", ".join(detector.labels[:5])}, ...')
    matched, unmatched = match_folders(list(views.values()))
    people, failed = {view: {} for view in views}, {}
    for stem, paths in tqdm(matched, unit='image', disable=None):
        try:
            found = _find_in_all(detector, stem, dict(zip(views, paths, strict=True)),
                                 arguments.pictures)
        except InputError as error:
            failed[stem] = str(error)
            print(f'{stem}: {error}', file=sys.stderr)
            continue
        for view, detections in found.items():
            people[view][stem] = detections.scores.tolist()
    summary = {view: _summary(list(images.values())) for view, images in people.items()}
    print(_table(summary))
    print(f'{len(matched) - len(failed)} images, {len(failed)} failed, '
          f'{len(unmatched)} not in every folder')
    if arguments.json:
        write_json(arguments.json, {'people': summary, 'confidences': people, 'failed': failed,
                                    'unmatched': unmatched})
    return 1 if failed else 0


def _find_in_all(detector: OnnxDetector, stem: str, paths: dict[str, Path],
                 pictures: Path | None) -> dict[str, Detections]:
    images = {view: to_8_bit(read_image(path)) for view, path in paths.items()}
    person = detector.labels.index(PERSON)
    found = {view: detector.find(image) for view, image in images.items()}
    found = {view: objects.where(objects.classes == person) for view, objects in found.items()}
    if pictures:
        for view, image in images.items():
            write_image(pictures / f'{stem}_{view}.jpg', draw(image, found[view]))
    return found


def _summary(images: list[list[float]]) -> dict[str, float]:
    confidences = [confidence for image in images for confidence in image]
    return {'found': len(confidences),
            'mean_confidence': sum(confidences) / len(confidences) if confidences else 0.0,
            'images_with_people': sum(bool(image) for image in images)}


def _table(summary: dict[str, dict[str, float]]) -> str:
    rows = [['', 'people', 'mean confidence', 'images with people']]
    for view, figures in summary.items():
        rows.append([view, str(figures['found']), f'{figures["mean_confidence"]:.3f}',
                     str(figures['images_with_people'])])
    return align(rows)
