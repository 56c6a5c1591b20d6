"""What the monitor says of rigs that nobody picked its limits on, and of knocks drawn anew.

Its limits of 3 px and of the gain were picked on the sets of alignment_drift.py.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from alignment_drift import (
    LOOKS,
    Condition,
    Pair,
    judged,
    knocked,
    laid,
    said_once,
    street,
    with_noise,
)

from dig2dig_ros.camera.registration import Registration
from dig2dig_ros.images import in_grey, match_folders, read_image

_SEED = 20
_GRID = 17
# Of many pairs alike, for the time it takes.
_EVERY_ROAD_SCENE = 6
_EVERY_MSRS = 2
_LONGEST_CLIP = 24


def moved(random: np.random.Generator, px: float, grows_and_turns: bool) -> Condition:
    """Move the infrared camera in a direction drawn at random, so far at the mean.

    :param grows_and_turns: whether scale and rotation have their share in it.
    """
    shift, grow_and_turn = random.normal(size=2), random.normal(size=2) * grows_and_turns

    def condition(pair: Pair) -> Pair:
        size = np.array(pair[0].shape[1::-1])
        middle, reach = (size - 1) / 2, np.hypot(*size) / 4
        grow, turn = grow_and_turn / reach
        linear = np.array([[grow, -turn], [turn, grow]])
        grid = np.stack(np.meshgrid(*(np.linspace(0, side - 1, _GRID) for side in size)), axis=-1)
        away = (grid - middle) @ linear.T + shift
        share = px / np.linalg.norm(away, axis=-1).mean()
        matrix = np.eye(2, 3)
        matrix[:, :2] += share * linear
        matrix[:, 2] += share * (shift - linear @ middle)
        return cv2.warpAffine(pair[0], matrix, size.tolist(), borderMode=cv2.BORDER_REFLECT
                              ), *pair[1:]
    return condition


def conditions(case: int) -> dict[str, Condition]:
    """Give what befalls a rig: other knocks than the next one's."""
    random = np.random.default_rng((_SEED, case))
    return {
        'as it is': lambda pair: pair, 'noise 25, 8': with_noise,
        **{f'knocked {px} px': moved(random, px, False) for px in (3, 4, 6)},
        **{f'knocked every way {px} px': moved(random, px, True) for px in (4, 6)},
        **{f'turned {degrees} deg': knocked(degrees=degrees * random.choice([-1, 1]))
           for degrees in (1, 2)}}


def moments(pairs: list[Pair]) -> list[list[Pair]]:
    """Cut a clip into eights, the rest left out; a shorter one stays whole."""
    return [pairs[at:at + LOOKS] for at in range(0, max(len(pairs) - LOOKS, 0) + 1, LOOKS)]


def clips(folder: Path) -> list[list[Pair]]:
    """Read pairs of several clips, whose names begin alike."""
    found: dict[str, list[Pair]] = {}
    for stem, files in match_folders([folder / 'ir', folder / 'vi'])[0]:
        infrared, visible = map(read_image, files)
        found.setdefault(stem[:len('0111_1716')], []).append((in_grey(infrared), visible))
    return [eight for clip in found.values() for eight in moments(clip[:_LONGEST_CLIP])]


def by_hand(folder: Path) -> list[list[Pair]]:
    """Pairs of cameras nobody aligned, laid by the hand-placed labels."""
    truth = json.loads((folder / 'ground_truth.json').read_text())
    made = []
    for stem, files in match_folders([folder / 'ir', folder / 'vi'])[0]:
        infrared, visible = map(read_image, files)
        made.append(laid([(in_grey(infrared), visible)],
                         Registration(np.array(truth[stem]['ir_to_vi'], np.float64))))
    return made


def other_msrs(data: Path) -> list[list[Pair]]:
    """MSRS's frames that are not among those the limits were picked on singly."""
    folder = data / 'labelled' / 'MSRS'
    known = {path.stem for path in (data / 'dev_pairs' / 'MSRS' / 'ir').iterdir()}
    files = [path for path in sorted((folder / 'ir').iterdir()) if path.stem not in known]
    return [[(in_grey(read_image(file)), read_image(folder / 'vi' / file.name),
              read_image(folder / 'valid' / file.name) > 0)] for file in files[::_EVERY_MSRS]]


def road_scene(folder: Path) -> list[list[Pair]]:
    """Some of the pairs that the limits were not picked on."""
    scenes, _ = match_folders([folder / 'ir', folder / 'vi'])
    read = [[read_image(file) for file in files] for _, files in scenes[::_EVERY_ROAD_SCENE]]
    return [[(in_grey(infrared), visible)] for infrared, visible in read]


def sets(data: Path) -> Iterator[tuple[str, list[list[Pair]]]]:
    """Give every set: its name and its cases."""
    streets = ({}, {'baseline_m': 0.06}, {'zoom': 1 / 0.7})
    yield 'rendered streets, plain, 6 cm apart, narrow', [
        street(seed, **options)[:LOOKS] for options in streets for seed in (10, 11)]
    if not data.is_dir():
        return
    yield 'RoadScene, other pairs', road_scene(data / 'train_pairs' / 'RoadScene')
    yield 'M3SVD, seven other clips', clips(data / 'train_pairs' / 'M3SVD')
    yield 'MSRS, other frames, each a camera that stands', other_msrs(data)
    for name in ('roadscene_raw', 'mmdb'):
        yield f'{name}, laid by hand', by_hand(data / 'unaligned' / name)


def held_out(data: Path) -> dict[str, dict[str, dict]]:
    """Measure."""
    result = {}
    for name, cases in sets(data):
        result[name] = judged(cases, conditions, said_once)
        print(name, {title: [m[key] for key in ('cases', 'known', 'warned')]
                     for title, m in result[name].items()}, flush=True)
    return result
