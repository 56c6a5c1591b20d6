"""Targetless alignment of two cameras: search, refinement, and whether to believe it."""

import dataclasses
import math
from collections.abc import Mapping, Sequence

import numpy as np

from dig2dig_ros.alignment.pyramid import LEVELS, Frame, Pyramid
from dig2dig_ros.alignment.quadrants import quadrants, shared_distance
from dig2dig_ros.alignment.refine import (
    Linearised,
    Motion,
    Similarity,
    pool,
    refine_level,
    resizing,
)
from dig2dig_ros.alignment.rig import HomographyRig, Rig, Size
from dig2dig_ros.alignment.search import Correlator, Peak
from dig2dig_ros.alignment.turn import Lenses, Turn, focal_scale, without_distortion
from dig2dig_ros.errors import InputError
from dig2dig_ros.topics import CAMERAS

_SCALES = np.exp(np.arange(-12, 13) * 0.04)
_ANGLES = np.radians(np.arange(-6, 7, 3))
_FINE_SCALES = (0.98, 1.0, 1.02)
_FINE_ANGLES = np.radians((-1.5, 0.0, 1.5))
_MAX_SHIFT = 0.35
# Measured (docs/alignment.md): wrong scenes reach z 6.2 and these NCC at half size.
_LEAST_Z = {'one frame': 7.5, 'several frames': 8.0}
_LEAST_NCC = {'one frame': 0.28, 'several frames': 0.22}
# Two halves of a rig's frames, or of one frame, may differ by this share of the visible diagonal.
_HALVES_SHARE = {'one frame': 0.02, 'several frames': 0.01}
# From this share on one frame's quadrants must not fit by more NCC where each has it, than where
# both have it: right frames have little that holds them, wrong ones are held elsewhere.
_CLOSE_SHARE, _MOST_GAIN = 0.01, 0.03
_LEAST_SIDE = 48
# A calibration at another zoom or of another camera; those of one lens agree within hundredths.
_MOST_RATIO = 1.15


@dataclasses.dataclass(frozen=True)
class Alignment:
    """An alignment and what speaks for it.

    Attributes:
        homography: 3 x 3, infrared to visible pixels; the centre of the top-left pixel is (0, 0).
            Of known lenses: between their images without distortion.
        ncc: normalised cross-correlation of the two gradient fields, at half size.
        z: standard deviations of the peak of the search above its surface.
        halves_px: by how many visible pixels two halves differ: of several frames the even and
            the odd ones, mean at the corners; of one frame its quadrants, see `quadrants`, mean
            over what both cameras see.
        reason: why it is refused; empty where it is accepted.
        frames: how many were pooled.
        rig: that the homography, or the turn of known lenses, makes.
    """

    homography: np.ndarray
    ncc: float
    z: float
    halves_px: float
    reason: str
    frames: int
    rig: Rig

    @property
    def accepted(self) -> bool:
        """Tell whether to believe it."""
        return not self.reason


def align(frames: Sequence[Frame], nominal_scale: float | None = None,
          lenses: Lenses | None = None) -> Alignment:
    """Find the map from infrared to visible that frames of one rig have in common.

    It is a similarity, or, where the lenses are known, a rotation and a ratio of focal lengths.

    :param frames: one or more pairs (infrared, visible): H x W or H x W x 3 (BGR), uint8, uint16
        or float32.
    :param nominal_scale: visible pixels to an infrared pixel, where known; searched from 0.62
        to 1.62 times this. By default both cameras are taken to see about equally much, or what
        the lenses say.
    :param lenses: of both cameras, where they are calibrated.
    :raises InputError: where an image is flat, too small, or of another size than the others or
        its lens.
    """
    _check(frames, lenses)
    sizes = tuple(image.shape[1::-1] for image in frames[0])
    if lenses is not None:
        nominal_scale = nominal_scale or focal_scale(lenses)
        frames = without_distortion(frames, lenses)
    pyramid = Pyramid(frames, nominal_scale)
    starts = search(pyramid)
    picks = (slice(None), slice(0, None, 2), slice(1, None, 2))[:3 if len(frames) > 1 else 1]
    found, nccs = zip(*(refined(pyramid, _motion(pyramid, start.similarity, lenses), pick)
                        for start, pick in zip(starts, picks, strict=False)), strict=True)
    homographies = [pyramid.homography(each.matrix) for each in found]
    gain = 0.0
    if len(frames) > 1:
        halves = corner_distance(homographies[1], homographies[2], sizes[0])
    else:
        halves, gain = _quadrants(pyramid, _motion(pyramid, starts[0].similarity, lenses),
                                  found[0], sizes)
    kind = 'several frames' if len(frames) > 1 else 'one frame'
    reason = _refusal(kind, starts[0].z, nccs[0], halves, gain, math.hypot(*sizes[1]))
    if lenses is None:
        rig = HomographyRig(sizes, homographies[0])
    else:
        rig = found[0].rig(lenses)
        reason = reason or _misfit(found[0].ratio)
    return Alignment(homographies[0], nccs[0], starts[0].z, halves, reason, len(frames), rig)


def _motion(pyramid: Pyramid, similarity: np.ndarray, lenses: Lenses | None) -> Motion:
    """What to refine, from a similarity of half the working size."""
    if lenses is None:
        return Similarity(similarity)
    half = resizing((0.5, 0.5))
    return Turn.near(similarity, *(half @ to_work @ camera.matrix for to_work, camera in zip(
        pyramid.to_work, lenses, strict=True)))


def _quadrants(pyramid: Pyramid, start: Motion, found: Motion,
               sizes: tuple[Size, Size]) -> tuple[float, float]:
    """By how much two halves of one frame differ, and what NCC they gain where each has it."""
    homography = pyramid.homography(found.matrix)
    parts = [{level: [(frame.part(quadrants(homography, *sizes, frame.size)[half]), infrared)
                      for frame, infrared in pyramid.level(level)] for level in LEVELS}
             for half in range(2)]
    own = [_refined(each, start)[0] for each in parts]
    apart = shared_distance(*(pyramid.homography(each.matrix) for each in own), *sizes)
    together, each_alone = (
        sum(_half_size_ncc(part, motion) for part, motion in zip(parts, motions, strict=True))
        for motions in ([found, found], own))
    return apart, 1 - together / max(each_alone, 1e-9)


def _half_size_ncc(frames: Mapping[int, Sequence[Linearised]], motion: Motion) -> float:
    matrix = motion.rescaled(0.5).matrix
    return pool([frame.equations(infrared, matrix) for frame, infrared in frames[1]]).ncc


def _misfit(ratio: float) -> str:
    if 1 / _MOST_RATIO < ratio < _MOST_RATIO:
        return ''
    return (f'the focal lengths of the two calibrations are off each other by a factor of '
            f'{ratio:.2f}: they are not of these cameras at this zoom')


def corner_distance(first: np.ndarray, second: np.ndarray, size: tuple[int, int]) -> float:
    """Mean distance between where two homographies put the corners of an image.

    :param size: (width, height) of the image.
    """
    right, bottom = size[0] - 1, size[1] - 1
    corners = np.array([[0, right, 0, right], [0, 0, bottom, bottom], [1, 1, 1, 1]], np.float64)
    a, b = (matrix @ corners for matrix in (first, second))
    return float(np.linalg.norm(a[:2] / a[2] - b[:2] / b[2], axis=0).mean())


def _check(frames: Sequence[Frame], lenses: Lenses | None) -> None:
    if not frames:
        raise InputError('no frames to align; give at least one pair')
    for side, name in enumerate(CAMERAS):
        sizes = {pair[side].shape[1::-1] for pair in frames}
        if len(sizes) > 1:
            shown = ' and '.join(f'{width}x{height}' for width, height in sorted(sizes))
            raise InputError(f'{name} images are of {shown}; frames of one rig have one size')
        if min(*sizes) and min(min(sizes)) < _LEAST_SIDE:
            raise InputError(f'{name} images are {min(sizes)[0]}x{min(sizes)[1]}; alignment '
                             f'takes at least {_LEAST_SIDE} pixels a side')
        size = sizes.pop()
        if lenses is not None and lenses[side].size != size:
            raise InputError(f'{name} images are {size[0]}x{size[1]}, the calibration is for '
                             f'{lenses[side].size[0]}x{lenses[side].size[1]}')


def search(pyramid: Pyramid) -> tuple[Peak, Peak, Peak]:
    """Search coarsely at quarter size and around the best at half size, where z is measured."""
    coarse = Correlator(*pyramid.search_fields(2), _MAX_SHIFT)
    found = [((scale, angle), coarse.peaks(scale, angle))
             for scale in _SCALES for angle in _ANGLES]
    best = sorted(found, key=lambda each: -each[1][0].height)[:2]
    best += [max(found, key=lambda each: each[1][half].height) for half in (1, 2)]
    fine = Correlator(*pyramid.search_fields(1), _MAX_SHIFT)
    tried = {(round(scale * grow, 4), round(angle + turn, 4))
             for (scale, angle), _ in best for grow in _FINE_SCALES for turn in _FINE_ANGLES}
    peaks = [fine.peaks(*hypothesis) for hypothesis in sorted(tried)]
    return tuple(max((each[part] for each in peaks), key=lambda peak: peak.height)
                 for part in range(3))


def refined(pyramid: Pyramid, start: Motion, pick: slice) -> tuple[Motion, float]:
    """Refine through the levels.

    :param start: infrared to visible pixels of half the working size.
    :param pick: which frames.
    :returns: in working pixels, and the NCC at half size.
    """
    return _refined({level: pyramid.level(level)[pick] for level in LEVELS}, start)


def _refined(frames: Mapping[int, Sequence[Linearised]], start: Motion) -> tuple[Motion, float]:
    """Refine through the levels of some frames, see `refined`."""
    motion, ncc = start.rescaled(2.0), 0.0
    for level in LEVELS:
        found, level_ncc = refine_level(frames[level], motion.rescaled(0.5 ** level))
        motion = found.rescaled(2.0 ** level)
        if level == 1:
            ncc = level_ncc
    return motion, ncc


def _refusal(kind: str, z: float, ncc: float, halves: float, gain: float,
             diagonal: float) -> str:
    if z < _LEAST_Z[kind]:
        return (f'the two cameras show no common structure (z {z:.1f}, {kind} take '
                f'{_LEAST_Z[kind]:g}): not the same scene, too little in it, or turned or scaled '
                'beyond the search')
    if ncc < _LEAST_NCC[kind]:
        return (f'the edges of the two cameras agree too little (NCC {ncc:.2f}, {kind} take '
                f'{_LEAST_NCC[kind]:g}); record scenes with more structure, or more frames')
    most = (_HALVES_SHARE[kind] if gain <= _MOST_GAIN else _CLOSE_SHARE) * diagonal
    if halves > most:
        return (f'two halves of the {kind.split()[1]} disagree by {halves:.1f} px (at most '
                f'{most:.1f}); record more frames, of scenes farther away, with the cameras at '
                'rest')
    return ''
