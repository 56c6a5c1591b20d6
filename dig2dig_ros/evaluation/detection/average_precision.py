"""Average precision by pycocotools, the reference implementation of COCO's measure."""

import contextlib
import io
from collections.abc import Mapping, Sequence

import numpy as np

from dig2dig_ros.detection.detections import Detections
from dig2dig_ros.evaluation.detection.truth import Truth

Precision = dict[str, dict[str, float]]


def average_precision(truths: Mapping[str, Truth], found: Mapping[str, Detections],
                      labels: Sequence[str], sizes: Mapping[str, tuple[int, int]]) -> Precision:
    """AP of each class that has at least one label, by class name: ap50, and ap (50 to 95 %).

    101 points of recall, at most 100 boxes for each picture and class. A class without labels
    (LLVIP's cars) is left out: what is found of it is neither right nor wrong.

    :param truths: by stem.
    :param found: by stem, boxes in pixels of `sizes`.
    :param labels: class names of the detector; classes that it lacks are left out.
    :param sizes: width and height of each picture, pixels.
    """
    from pycocotools.cocoeval import COCOeval
    labelled = {name for truth in truths.values() for name in truth.names}
    names = [name for name in labels if name in labelled]
    if not names:
        return {}
    categories = [{'id': number + 1, 'name': name} for number, name in enumerate(names)]
    images = [{'id': number + 1} for number in range(len(truths))]
    scored = {labels.index(name): number + 1 for number, name in enumerate(names)}
    objects, boxes = [], []
    for number, (stem, truth) in enumerate(truths.items(), 1):
        for box, name in zip(truth.boxes * np.tile(sizes[stem], 2), truth.names, strict=True):
            if name in names:
                objects.append(_annotation(len(objects), number, names.index(name) + 1, box))
        one = found[stem]
        for box, score, kind in zip(one.boxes, one.scores, one.classes, strict=True):
            if int(kind) in scored:
                boxes.append(_annotation(len(boxes), number, scored[int(kind)], box)
                             | {'score': float(score)})
    with contextlib.redirect_stdout(io.StringIO()):  # it reports every step
        evaluation = COCOeval(_coco(images, categories, objects),
                              _coco(images, categories, boxes), 'bbox')
        evaluation.params.areaRng, evaluation.params.areaRngLbl = [[0, 1e10]], ['all']
        evaluation.evaluate()
        evaluation.accumulate()
    precision = evaluation.eval['precision'][..., 0, -1]  # IoU x recall x class
    return {name: {'ap50': float(precision[0, :, number].mean()),
                   'ap': float(precision[:, :, number].mean())}
            for number, name in enumerate(names)}


def _annotation(number: int, image: int, category: int, box: np.ndarray) -> dict:
    return {'id': number + 1, 'image_id': image, 'category_id': category,
            'bbox': [float(value) for value in box], 'area': float(box[2] * box[3]),
            'iscrowd': 0}


def _coco(images: list[dict], categories: list[dict], annotations: list[dict]):
    from pycocotools.coco import COCO
    document = COCO()
    document.dataset = {'images': images, 'categories': categories, 'annotations': annotations}
    document.createIndex()
    return document
