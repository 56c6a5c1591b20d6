"""What `registration.refine: monitor` says of aligned cameras, and of ones truly knocked."""

import functools
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from dig2dig_ros.alignment.align import align
from dig2dig_ros.alignment.monitor import MISALIGNED_PX, PERIOD, Monitor
from dig2dig_ros.alignment.quadrants import shared_distance
from dig2dig_ros.alignment.search import similarity
from dig2dig_ros.camera.registration import Registration
from dig2dig_ros.camera.rig_registration import RigRegistration
from dig2dig_ros.images import in_grey, match_folders, read_image, to_8_bit
from dig2dig_ros.synthetic.street import StreetScene

Pair = tuple[np.ndarray, ...]
"""Infrared in the visible frame, visible, and where infrared is valid where that is not all."""
Condition = Callable[[Pair], Pair]
LOOKS = 8
_SECONDS_MORE = 4
_RANDOM = np.random.default_rng(5)


def noisy(image: np.ndarray, sigma: float) -> np.ndarray:
    """Add noise, anew each time."""
    return (image + _RANDOM.normal(0, sigma, image.shape)).clip(0, 255).astype(np.uint8)


def knocked(shift: tuple[float, float] = (0, 0), degrees: float = 0.0) -> Condition:
    """Move the infrared camera."""
    def condition(pair: Pair) -> Pair:
        size = pair[0].shape[1::-1]
        away = similarity(1.0, np.radians(degrees), shift, size, size)
        return cv2.warpAffine(pair[0], away, size, borderMode=cv2.BORDER_REFLECT), *pair[1:]
    return condition


def with_noise(pair: Pair) -> Pair:
    """Noise as of `evaluate --noise 25,8`."""
    return noisy(pair[0], 8), noisy(pair[1], 25)


CONDITIONS: dict[str, Condition] = {
    'as it is': lambda pair: pair, 'noise 25, 8': with_noise,
    'knocked 3 px': knocked((2.4, -1.8)), 'knocked 6 px': knocked((-4.8, 3.6)),
    'knocked 12 px': knocked((9.6, 7.2)), 'turned 1 deg': knocked(degrees=1.0),
    'turned 2 deg': knocked(degrees=-2.0)}
BLIND: dict[str, Condition] = {
    'visible blind': lambda pair: (pair[0], noisy(np.full_like(pair[1], 8), 4)),
    'infrared blind': lambda pair: (noisy(np.full_like(pair[0], 90), 4), pair[1])}


class Said(NamedTuple):
    """What a monitor said of one case: in the end, whether it ever warned, CPU time a frame."""

    px: float | None
    warns: bool
    ever: bool
    cpu_ms: float | None


def said(pairs: list[Pair], condition: Condition) -> Said:
    """Show a monitor pairs at 30 frames a second, each for half a second."""
    monitor, ever, cpu_s = Monitor(), False, 0.0
    looks = max(LOOKS + 2 * _SECONDS_MORE if len(pairs) > 1 else LOOKS + 3,
                min(len(pairs), 28))
    for frame in range(looks * PERIOD):
        seen = condition(pairs[frame // PERIOD % len(pairs)]) if frame % PERIOD == 0 else ()
        start = time.process_time()
        if monitor.due():
            monitor.look(*seen)
        if frame >= LOOKS * PERIOD:
            cpu_s += time.process_time() - start
        ever |= monitor.misaligned
    return Said(monitor.misalignment_px, monitor.misaligned, ever,
                1e3 * cpu_s / ((looks - LOOKS) * PERIOD))


def said_once(pairs: list[Pair], condition: Condition) -> Said:
    """Show a monitor eight looks, and have it judge them; quicker, and the time is not told."""
    monitor = Monitor()
    monitor.expect(LOOKS)
    for look in range(LOOKS):
        monitor.due()
        monitor.look(*condition(pairs[look % len(pairs)]))
    monitor.judge()
    return Said(monitor.misalignment_px, monitor.misaligned, monitor.misaligned, None)


def off_by_align(pairs: list[Pair]) -> float | None:
    """How far off `dig2dig align` puts them, mean over the picture; None where it refuses."""
    found = align([pair[:2] for pair in pairs[:LOOKS]])
    size = pairs[0][1].shape[1::-1]
    return shared_distance(found.homography, np.eye(3), size, size) if found.accepted else None


def judged(cases: list[list[Pair]], conditions: Callable[[int], dict[str, Condition]],
           say: Callable[[list[Pair], Condition], Said] = said) -> dict[str, dict]:
    """Count over cases, each the frames of one rig.

    :param conditions: of a case, by its number.
    """
    off = functools.cache(lambda case: off_by_align(cases[case]) or 0.0)
    result = {}
    for title in conditions(0):
        found = [say(pairs, conditions(case)[title]) for case, pairs in enumerate(cases)]
        known = [each.px for each in found if each.px is not None]
        result[title] = {
            'cases': len(cases), 'known': len(known),
            'median_px': float(np.median(known)) if known else None,
            'warned': sum(each.warns for each in found),
            'warned_ever': sum(each.ever for each in found),
            'warned_ever_where_align_says_so': sum(
                each.ever and off(case) > MISALIGNED_PX for case, each in enumerate(found))}
        if found[0].cpu_ms is not None:
            result[title]['cpu_ms'] = float(np.mean([each.cpu_ms for each in found]))
    return result


def pairs_of(folder: Path, keep: str = '') -> list[Pair]:
    """Read a folder with ir and vi; of stems that end so."""
    scenes, _ = match_folders([folder / 'ir', folder / 'vi'])
    read = [[read_image(file) for file in files] for stem, files in scenes if stem.endswith(keep)]
    return [(in_grey(infrared), visible) for infrared, visible in read]


def video(folder: Path) -> list[Pair]:
    """Every fifteenth frame of ir.mp4 and vi.mp4."""
    sides = []
    for name in ('ir.mp4', 'vi.mp4'):
        capture, frames = cv2.VideoCapture(str(folder / name)), []
        while (read := capture.read())[0]:
            frames.append(read[1])
        sides.append(frames[::PERIOD])
    return [(in_grey(infrared), visible) for infrared, visible in zip(*sides, strict=True)]


def street(seed: int, baseline_m: float = 0.0, zoom: float = 1.0) -> list[Pair]:
    """Moments of the rendered street, aligned as well as can be."""
    size = (640, 480)
    scene = StreetScene(*size, seed=seed, baseline_m=baseline_m)
    moments = [scene.render(1.3 * index, index) for index in range(16)]
    pairs = [(to_8_bit(each.infrared), each.visible) for each in moments]
    if baseline_m:
        return laid(pairs, RigRegistration(scene.rig, 10.0))
    if zoom != 1:  # an infrared camera that sees the middle only
        away = np.vstack([similarity(zoom, 0, (0, 0), size, size), [0, 0, 1]])
        pairs = [(cv2.warpPerspective(first, away, size), second) for first, second in pairs]
        return laid(pairs, Registration(np.linalg.inv(away)))
    return pairs


def laid(pairs: list[Pair], registration: Registration) -> list[Pair]:
    """Bring infrared to the visible frame."""
    made = []
    for infrared, visible in pairs:
        aligned, valid = registration.align(infrared, *visible.shape[:2])
        made.append((aligned, visible, valid))
    return made


def sets(data: Path) -> Iterator[tuple[str, list[list[Pair]], dict[str, Condition]]]:
    """Give every set: its name, its cases, and the conditions."""
    streets = {'rendered street': {}, 'rendered street, lenses 6 cm apart, aligned at 10 m':
               {'baseline_m': 0.06}, 'rendered street, infrared sees the middle 0.7':
               {'zoom': 1 / 0.7}}
    for title, options in streets.items():
        cases = [street(seed, **options) for seed in range(4)]
        yield title, cases, CONDITIONS if len(cases[0][0]) == 2 else {
            key: CONDITIONS[key] for key in ('as it is', 'knocked 6 px')}
    if not data.is_dir():
        return
    for name in ('RoadScene', 'VIFB', 'MSRS'):
        yield (f'{name}, every pair a camera that stands',
               [[pair] for pair in pairs_of(data / 'dev_pairs' / name)], CONDITIONS)
    clips = [video(data / 'sequences' / f'm3svd_{name}_video')
             for name in ('0111_1716', '0117_1605')]
    yield ('M3SVD, three clips', [*clips, pairs_of(data / 'sequences' / 'm3svd_0115_1834')],
           CONDITIONS | BLIND)
    yield ('MSRS, drives by night and by day',
           [pairs_of(data / 'labelled' / 'MSRS', time) for time in 'ND'], CONDITIONS | BLIND)
    yield 'LLVIP, a street by night', [pairs_of(data / 'labelled' / 'LLVIP_small')], CONDITIONS


def drift(data: Path) -> dict[str, dict[str, dict]]:
    """Measure."""
    result = {}
    for name, cases, conditions in sets(data):
        result[name] = judged(cases, lambda _, same=conditions: same,
                              said if len(cases[0]) > 1 else said_once)
        print(name, {title: [m[key] for key in ('known', 'warned', 'warned_ever',
                                                'warned_ever_where_align_says_so')]
                     for title, m in result[name].items()}, flush=True)
    return result
