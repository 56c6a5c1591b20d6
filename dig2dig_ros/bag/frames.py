"""Pairs of frames from two folders of images or two videos."""

import dataclasses
import math
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from dig2dig_ros.errors import InputError
from dig2dig_ros.images import in_grey, match_folders, read_image


@dataclasses.dataclass(frozen=True)
class FramePairs:
    """Frames of two cameras that belong together.

    Attributes:
        count: how many pairs there are, by the headers of the files.
        rate_hz: of the recording; None for images, which have none.
        unmatched: names that only one camera has.
        frames: the pairs in order, infrared (gray) first, each at its own bit depth.
    """

    count: int
    rate_hz: float | None
    unmatched: list[str]
    frames: Iterator[tuple[np.ndarray, np.ndarray]]


def paired_frames(infrared: Path, visible: Path) -> FramePairs:
    """Open two folders, matched by stem in sorted order, or two videos, matched by number.

    :raises InputError: where they cannot be read or do not go together.
    """
    for path in (infrared, visible):
        if not path.exists():
            raise InputError(f'{path}: no such file or folder')
    if infrared.is_dir() != visible.is_dir():
        raise InputError(f'{infrared} and {visible} are a folder and a file; give two folders of '
                         'images or two videos')
    return _folders(infrared, visible) if infrared.is_dir() else _videos(infrared, visible)


def _folders(infrared: Path, visible: Path) -> FramePairs:
    matched, unmatched = match_folders([infrared, visible])
    return FramePairs(len(matched), None, unmatched, (
        (in_grey(read_image(first)), read_image(second)) for _, (first, second) in matched))


def _videos(infrared: Path, visible: Path) -> FramePairs:
    videos = [_open_video(path) for path in (infrared, visible)]
    counts = [int(video.get(cv2.CAP_PROP_FRAME_COUNT)) for video in videos]
    rates_hz = [video.get(cv2.CAP_PROP_FPS) for video in videos]
    if not math.isclose(*rates_hz, rel_tol=1e-3):
        raise InputError(f'{infrared} has {rates_hz[0]:g} frames a second, {visible} '
                         f'{rates_hz[1]:g}; frames are matched by number, so they must be equal')
    longer = infrared if counts[0] > counts[1] else visible
    unmatched = [f'frame {number} of {longer.name}' for number in range(min(counts), max(counts))]
    frames = zip(*map(_read_video, videos), strict=False)
    # A thermal camera sends one channel; in a video it became three.
    return FramePairs(min(counts), rates_hz[0], unmatched, (
        (in_grey(infrared), visible) for infrared, visible in frames))


def _open_video(path: Path) -> cv2.VideoCapture:
    video = cv2.VideoCapture(str(path))
    if not video.isOpened():
        raise InputError(f'{path}: not a video that can be read; give a video or a folder of '
                         'images')
    return video


def _read_video(video: cv2.VideoCapture) -> Iterator[np.ndarray]:
    while True:
        is_frame, frame = video.read()
        if not is_frame:
            return
        yield frame
