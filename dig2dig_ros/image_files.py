"""Folders of images: found by stem, read as the 8-bit arrays that the engine takes."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from dig2dig_ros.errors import InputError

SUFFIXES = frozenset({'.bmp', '.jpeg', '.jpg', '.png', '.tif', '.tiff', '.webp'})


def images_by_stem(folder: Path) -> dict[str, Path]:
    """Find the images directly in a folder.

    :returns: path by stem, in the order of the stems.
    :raises InputError: where there is no such folder, no image in it, or one stem twice.
    """
    if not folder.is_dir():
        raise InputError(f'{folder} is not a folder; give a folder of images')
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() not in SUFFIXES or path.name.startswith('.'):
            continue
        if path.stem in found:
            raise InputError(f'{folder} has {found[path.stem].name} and {path.name}; images are '
                             'matched by stem, so a stem may occur once')
        found[path.stem] = path
    if not found:
        raise InputError(f'{folder} has no images ({", ".join(sorted(SUFFIXES))})')
    return found


def match_by_stem(folders: Sequence[Path]) -> tuple[dict[str, list[Path]], list[str]]:
    """Match the images of several folders; extensions may differ.

    :returns: the paths, in the order of the folders, of every stem that all folders have; and
        the stems that are missing somewhere.
    :raises InputError: where no stem is in all folders.
    """
    listings = [images_by_stem(folder) for folder in folders]
    every = sorted(set().union(*listings))
    matched = {stem: [listing[stem] for listing in listings]
               for stem in every if all(stem in listing for listing in listings)}
    if not matched:
        names = ', '.join(str(folder) for folder in folders)
        raise InputError(f'no file stem is in all of {names}; images of one scene must share '
                         'their name, apart from the extension')
    return matched, [stem for stem in every if stem not in matched]


def read_image(path: Path) -> np.ndarray:
    """Read an 8-bit image.

    :returns: uint8, H x W, or H x W x 3 in BGR; an alpha channel is dropped.
    :raises InputError: where the file is no image that OpenCV reads, or is not 8-bit.
    """
    data = np.fromfile(path, np.uint8) if path.is_file() else np.empty(0, np.uint8)
    image = cv2.imdecode(data, cv2.IMREAD_UNCHANGED) if data.size else None
    if image is None:
        raise InputError(f'{path} cannot be read as an image')
    if image.dtype != np.uint8:
        raise InputError(f'{path} is {image.dtype}; it must be 8-bit: map its range first')
    return image[:, :, :3] if image.ndim == 3 else image
