"""Labelled objects, from label files as YOLO trainers read them."""

import dataclasses
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from dig2dig_ros.errors import InputError

# A label, and the detector's classes that count as it.
LabelNames = dict[str, tuple[str, ...]]
LABEL_NAMES = 'person,bicycle,car+bus+truck'


def label_names(text: str) -> LabelNames:
    """Classes of label files, class 0 first, and what detectors call them.

    `person,car+bus+truck`: class 0 is person; class 1 is car, and a detector's car, bus and
    truck are right there. Where labels say car of vans and lorries too, COCO's detectors do not.

    :raises InputError: for an empty name, or one that comes twice.
    """
    names = {group[0]: tuple(group) for group in
             ([name.strip() for name in part.split('+')] for part in text.split(','))}
    every = [name for group in names.values() for name in group]
    if '' in every or len(set(every)) < len(every) or len(names) <= text.count(','):
        raise InputError(f'--label-names is {text!r}; it must be different names, as in '
                         f'{LABEL_NAMES}')
    return names


@dataclasses.dataclass(frozen=True)
class Truth:
    """The objects of one picture.

    Attributes:
        boxes: float n x 4: x and y of the top left corner, width, height, as parts of the image.
        names: class of each.
    """

    boxes: np.ndarray
    names: tuple[str, ...]


def read_truth(folder: Path, stems: Sequence[str],
               names: Iterable[str]) -> tuple[dict[str, Truth], list[str]]:
    """The label files `<stem>.txt` of pictures.

    :param names: of the classes in the files, class 0 first; `label_names` has them too.
    :returns: by stem, and the stems that have no file: nothing is known of those, while an
        empty file says that nothing is there.
    :raises InputError: for a missing folder, no file for any of the stems, or a bad line.
    """
    if not folder.is_dir():
        raise InputError(f'{folder}: no such folder')
    names = list(names)
    found = {stem: _read(folder / f'{stem}.txt', names) for stem in stems
             if (folder / f'{stem}.txt').is_file()}
    if not found:
        raise InputError(f'{folder}: has no label file of these images; '
                         f'{stems[0]}.txt belongs to {stems[0]}')
    return found, [stem for stem in stems if stem not in found]


def _read(path: Path, names: Sequence[str]) -> Truth:
    boxes, classes = [], []
    for number, line in enumerate(path.read_text(errors='replace').splitlines(), 1):
        if not line.strip():
            continue
        try:
            kind, x, y, width, height = line.split()
            index, box = int(kind), [float(value) for value in (x, y, width, height)]
        except ValueError as error:
            raise InputError(f'{path}, line {number}: {line.strip()!r}; a line is "class x y '
                             'width height", the box by its centre, in parts of the image') \
                from error
        if not 0 <= index < len(names):
            raise InputError(f'{path}, line {number}: class {index}, but --label-names names '
                             f'{len(names)}: {", ".join(names)}')
        if not (np.isfinite(box).all() and min(box) >= 0 and max(box) <= 1):
            raise InputError(f'{path}, line {number}: a box of {box}; all are parts of the '
                             'image, 0..1')
        boxes.append([box[0] - box[2] / 2, box[1] - box[3] / 2, box[2], box[3]])
        classes.append(names[index])
    return Truth(np.array(boxes, float).reshape(-1, 4), tuple(classes))
