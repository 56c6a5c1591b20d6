"""Frames of a rig for aligning it: a few pairs, spread over folders."""

from pathlib import Path

import numpy as np

from dig2dig_ros.alignment.pyramid import Frame
from dig2dig_ros.errors import InputError
from dig2dig_ros.images import match_folders, read_image


def spread_frames(infrared: Path, visible: Path, count: int) -> list[Frame]:
    """Read up to `count` pairs, matched by stem, evenly spread over what there is.

    :raises InputError: where the folders do not go together or an image cannot be read.
    """
    if count < 1:
        raise InputError(f'--frames is {count}; it must be at least 1')
    matched, _ = match_folders([infrared, visible])
    picked = np.unique(np.linspace(0, len(matched) - 1, count).round().astype(int))
    return [tuple(read_image(path) for path in matched[index][1]) for index in picked]
