"""Frames of a rig, from folders or as they come: a few pairs, at rest, spread over what there is.

A scene is a name and what the infrared and the visible camera showed: a file, or the pixels.
"""

import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from dig2dig_ros.errors import InputError
from dig2dig_ros.images import match_folders, read_image

Source = Path | np.ndarray
Scene = tuple[str, tuple[Source, Source]]
_THUMBNAIL = (40, 32)
_LEAST_SPAN = 8.0  # grey levels or counts: below it a picture is its noise


class TimedPair(NamedTuple):
    """What both cameras showed at a time, infrared first."""

    time_ns: int
    images: tuple[np.ndarray, np.ndarray]


def loaded(source: Source) -> np.ndarray:
    """Return the pixels: H x W or H x W x 3 BGR, uint8, uint16 or (of messages) float32.

    :raises InputError: where a file cannot be read.
    """
    return read_image(source) if isinstance(source, Path) else source


def folder_scenes(infrared: Path, visible: Path,
                  count: int | None = None) -> tuple[list[Scene], list[str]]:
    """Match two folders by stem.

    :param count: take so many at most, evenly spread; None: all.
    :returns: the scenes, and the stems that one folder lacks.
    :raises InputError: where the folders do not go together.
    """
    matched, unmatched = match_folders([infrared, visible])
    picked = range(len(matched)) if count is None else np.unique(
        np.linspace(0, len(matched) - 1, count).round().astype(int))
    return [(matched[index][0], tuple(matched[index][1])) for index in picked], unmatched


def stillest(pairs: Iterable[TimedPair], slot_ns: float, start_ns: int) -> Iterator[TimedPair]:
    """Give of each slot of time the pair that differs least from the one before it.

    A board in a moving hand, or a rig that drives, stands elsewhere for each of two cameras that
    do not expose at once.
    """
    slots = itertools.groupby(pairs, key=lambda pair: (pair.time_ns - start_ns) // slot_ns)
    for _, slot in slots:
        best, least, before = None, np.inf, None
        for pair in slot:
            view = thumbnails(pair.images)
            moved = np.inf if before is None else change(before, view)
            if best is None or moved < least:
                best, least = pair, moved
            before = view
        yield best


def thumbnails(images: tuple[np.ndarray, np.ndarray]) -> list[np.ndarray]:
    """Make small grey float32 pictures to compare by `change`."""
    return [cv2.resize((image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
                        ).astype(np.float32), _THUMBNAIL, interpolation=cv2.INTER_AREA)
            for image in images]


def change(before: list[np.ndarray], after: list[np.ndarray]) -> float:
    """How much two pairs differ: 0 for the same, 0.1 for quite another picture.

    The mean difference as a share of the contrast, of the camera that says more; a change of
    all pixels alike, as after a shutter correction, is none.
    """
    shares = []
    for first, second in zip(before, after, strict=True):
        apart = second - first
        low, high = np.percentile(first, (2, 98))
        shares.append(float(np.abs(apart - np.median(apart)).mean()
                            / max(high - low, _LEAST_SPAN)))
    return max(shares)


def require_count(count: int) -> None:
    """Check how many frames are asked for.

    :raises InputError: where it is less than one.
    """
    if count < 1:
        raise InputError(f'--frames is {count}; it must be at least 1')
