"""The output layouts of detector families: which one a file has, and how it is decoded.

Every decoder gives centre boxes n x 4 (x, y, width, height) in pixels of the network's input and
scores n x C; the arithmetic is that of the published post-processing of each family.
"""

import dataclasses
from collections.abc import Callable

import numpy as np

from dig2dig_ros.errors import InputError

KNOWN = 'known are the outputs of FastestDet, YOLOX, YOLOv5, YOLOv8 and YOLO11'
YOLOX_STRIDES = (8, 16, 32)
Decoded = tuple[np.ndarray, np.ndarray]
Decoder = Callable[[np.ndarray, int, int], Decoded]  # of (output, input height, input width)


@dataclasses.dataclass(frozen=True)
class Layout:
    """A family of detectors.

    Attributes:
        family: its name.
        decode: from the output of one picture (without the batch axis).
        fit: how the picture is brought to the input: stretch, top-left, centre.
        rgb: whether the channels are R, G, B; else B, G, R.
        unit: what a white pixel becomes: 1 or 255.
    """

    family: str
    decode: Decoder
    fit: str
    rgb: bool
    unit: int


def recognise(output: np.ndarray, height: int, width: int, class_count: int | None) -> Layout:
    """Tell the family by the output that a file gives for any one picture.

    A grid 1 x (5 + C) x h x w is FastestDet. Of the rows 1 x N x (5 + C), YOLOX has one for each
    cell of its three grids and YOLOv5 three; YOLOX is decoded already where the boxes lie about
    their cells. 1 x (4 + C) x N is YOLOv8 and what came after it.

    :param height: of the network's input, pixels; likewise width.
    :param class_count: C, where known.
    :raises InputError: where it is none of these.
    """
    if output.ndim == 4 and output.shape[1] > 5:
        _check_classes(output.shape, output.shape[1] - 5, class_count)
        return Layout('FastestDet', decode_grid, 'stretch', False, 1)
    if output.ndim != 3:
        raise InputError(f'puts out {output.shape}; {KNOWN}')
    if output.shape[1] < output.shape[2]:
        _check_classes(output.shape, output.shape[1] - 4, class_count)
        return Layout('YOLOv8', decode_columns, 'centre', True, 1)
    _check_classes(output.shape, output.shape[2] - 5, class_count)
    cells, strides = yolox_cells(height, width)
    if output.shape[1] != len(cells):
        return Layout('YOLOv5', decode_rows, 'centre', True, 1)
    raw = np.abs(output[0, :, :2]).mean() < np.abs(output[0, :, :2] - cells * strides).mean()
    return Layout('YOLOX', decode_yolox if raw else decode_rows, 'top-left', False, 255)


def _check_classes(shape: tuple[int, ...], found: int, named: int | None) -> None:
    if found < 1 or named not in (None, found):
        raise InputError(f'puts out {shape}, which would be {found} classes'
                         + (f', and its labels name {named}' if named else '') + f'; {KNOWN}')


def yolox_cells(height: int, width: int) -> Decoded:
    """Grid cell (column, row) and stride of every row of a YOLOX output, n x 2 and n x 1."""
    cells, strides = [], []
    for stride in YOLOX_STRIDES:
        rows, columns = np.mgrid[:height // stride, :width // stride]
        cells.append(np.stack([columns, rows], axis=-1).reshape(-1, 2))
        strides.append(np.full((rows.size, 1), stride))
    return np.concatenate(cells), np.concatenate(strides)


def decode_yolox(rows: np.ndarray, height: int, width: int) -> Decoded:
    """YOLOX as exported without its last step: n x (5 + C), xy in cells, the log of wh."""
    cells, strides = yolox_cells(height, width)
    boxes = np.concatenate([(rows[:, :2] + cells) * strides, np.exp(rows[:, 2:4]) * strides], 1)
    return boxes, rows[:, 4:5] * rows[:, 5:]


def decode_rows(rows: np.ndarray, height: int, width: int) -> Decoded:
    """YOLOv5, and YOLOX decoded: n x (4 + 1 + C), box, objectness, classes."""
    del height, width
    return rows[:, :4], rows[:, 4:5] * rows[:, 5:]


def decode_columns(columns: np.ndarray, height: int, width: int) -> Decoded:
    """YOLOv8 and YOLO11: (4 + C) x n, box, classes."""
    del height, width
    return columns[:4].T, columns[4:].T


def decode_grid(cells: np.ndarray, height: int, width: int) -> Decoded:
    """FastestDet: (5 + C) x h x w, one box for each cell.

    Objectness; box (tanh offset from the cell's corner in cells, sigmoid size as part of the
    image); class probabilities. Objectness and class weigh 0.6 to 0.4, geometrically.
    """
    rows, columns = np.mgrid[:cells.shape[1], :cells.shape[2]]
    boxes = np.stack([(columns + np.tanh(cells[1])) / cells.shape[2] * width,
                      (rows + np.tanh(cells[2])) / cells.shape[1] * height,
                      _sigmoid(cells[3]) * width, _sigmoid(cells[4]) * height], axis=-1)
    scores = cells[0] ** 0.6 * cells[5:] ** 0.4
    return boxes.reshape(-1, 4), scores.reshape(len(scores), -1).T


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))
