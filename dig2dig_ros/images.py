"""Image files: reading, writing, and matching folders by stem."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from dig2dig_ros.camera.thermal import GainControl
from dig2dig_ros.errors import InputError
from dig2dig_ros.locations import write_bytes

SUFFIXES = ('.bmp', '.jpeg', '.jpg', '.png', '.tif', '.tiff')


def read_image(path: Path) -> np.ndarray:
    """Read an image at its own bit depth.

    :param path: local, or a URL of `dig2dig_ros.locations`.
    :returns: uint8 or uint16, H x W (grey) or H x W x 3 (BGR; an alpha channel is dropped).
    :raises InputError: for a file that is missing, no image, or of another depth.
    """
    if not path.is_file():
        raise InputError(f'{path}: no such file')
    data = np.frombuffer(path.read_bytes(), np.uint8)
    image = cv2.imdecode(data, cv2.IMREAD_UNCHANGED) if data.size else None
    if image is None:
        raise InputError(f'{path}: not an image that can be read; give PNG, JPEG, TIFF or BMP')
    if image.dtype not in (np.uint8, np.uint16):
        raise InputError(f'{path}: pixels are {image.dtype}; they must be 8- or 16-bit integers')
    if image.ndim == 3 and image.shape[2] == 4:
        image = np.ascontiguousarray(image[..., :3])
    return image


def to_8_bit(image: np.ndarray) -> np.ndarray:
    """Bring one image by itself to 8 bits, as the gain control does its first frame.

    A raw thermal image fills a sliver of its 16 bits, so it is stretched from its 1st to its
    99th percentile; 8-bit images pass through.
    """
    return GainControl()(image)


def in_colour(image: np.ndarray) -> np.ndarray:
    """An image as BGR; grey, H x W, becomes three equal channels."""
    return cv2.cvtColor(image, cv2.COLOR_GRAY2BGR) if image.ndim == 2 else image


def in_grey(image: np.ndarray) -> np.ndarray:
    """An image of one channel, H x W; BGR becomes its luma."""
    return cv2.cvtColor(image, cv2.COLOR_BGR2GRAY) if image.ndim == 3 else image


def write_image(path: Path, image: np.ndarray) -> None:
    """Write an image in the format that the suffix names, making its folder.

    The file appears whole or not at all.

    :param image: uint8 or uint16, H x W or H x W x 3 (BGR).
    :raises InputError: for an unknown suffix or a place that cannot be written.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(f'{path}: unknown image format {path.suffix or "(no suffix)"}; '
                         f'use one of {", ".join(SUFFIXES)}')
    _, data = cv2.imencode(path.suffix, image)
    write_bytes(path, data.tobytes())


def images_by_stem(folder: Path) -> dict[str, Path]:
    """The images of a folder, by file name without suffix, sorted.

    :raises InputError: for a folder that is missing or holds none, or two files of one stem.
    """
    if not folder.is_dir():
        raise InputError(f'{folder}: no such folder')
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() not in SUFFIXES:
            continue
        if path.stem in found:
            raise InputError(f'{folder}: {found[path.stem].name} and {path.name} share a stem; '
                             'images are matched by it, so keep one')
        found[path.stem] = path
    if not found:
        raise InputError(f'{folder}: holds no images ({", ".join(SUFFIXES)})')
    return found


def match_folders(
        folders: Sequence[Path]) -> tuple[list[tuple[str, list[Path]]], list[str]]:
    """Match the images of several folders by stem.

    :returns: (stem, one path per folder) for every stem that all folders have, and the stems
        that some folder lacks.
    :raises InputError: where nothing matches.
    """
    listings = [images_by_stem(folder) for folder in folders]
    everywhere = set.intersection(*map(set, listings))
    if not everywhere:
        raise InputError(f'{" and ".join(map(str, folders))} have no image stem in common; '
                         'the images of one scene must share their name without suffix')
    unmatched = sorted(set.union(*map(set, listings)) - everywhere)
    return [(stem, [listing[stem] for listing in listings])
            for stem in listings[0] if stem in everywhere], unmatched
