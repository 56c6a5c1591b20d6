"""Folders of training images, loaded once as luminance."""

from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from dig2dig_ros.errors import InputError
from dig2dig_ros.images import SUFFIXES, read_image, to_8_bit


def load_luminance(path: Path) -> np.ndarray:
    """Read an image as luminance.

    :returns: uint8, H x W: BT.601 Y of a colour image; deeper images are brought to 8 bits.
    :raises InputError: where the file is no image.
    """
    image = to_8_bit(read_image(path))
    return image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)


def load_folders(
        folders: Iterable[Path], quiet: bool = False, pattern: str = '*',
) -> dict[str, list[np.ndarray]]:
    """Read every image below the folders.

    :param pattern: that file names must match, such as `*.png`.
    :param quiet: show no progress bar; there is none off a terminal either.
    :returns: luminance images by folder name; sorted by path, so that a seed means the same
        crops everywhere.
    :raises InputError: naming a folder that is missing or holds no image.
    """
    images: dict[str, list[np.ndarray]] = {}
    for folder in folders:
        if not folder.is_dir():
            raise InputError(f'{folder}: no such folder; give folders of images')
        paths = sorted(path for path in folder.rglob(pattern) if path.suffix.lower() in SUFFIXES)
        if not paths:
            raise InputError(f'{folder}: holds no images ({", ".join(SUFFIXES)})')
        loaded = [load_luminance(path) for path in tqdm(
            paths, f'load {folder.name}', leave=False, disable=quiet or None)]
        images.setdefault(folder.resolve().name, []).extend(loaded)
    return images
