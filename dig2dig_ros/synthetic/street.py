"""A rendered night street seen by a visible and an infrared camera, with known objects in it.

Signs, windows and markings are seen by the visible camera; pedestrians in dark clothes, some of
them behind smoke, by the infrared one; an oncoming car blinds the first and not the second.
Everything is a function of the seed and the time, so that two renderings agree. No ROS.
"""

import dataclasses
import functools
import math
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import cv2
import numpy as np

from dig2dig_ros.alignment.rig import CameraRig
from dig2dig_ros.synthetic.backdrop import VANISHING_POINT, Picture, backdrop
from dig2dig_ros.synthetic.misalignment import ALIGNED, misaligned
from dig2dig_ros.synthetic.rig_view import SMOKE_M, RigView, street_rig
from dig2dig_ros.synthetic.shapes import figure, smoke_envelope, smoke_texture

CAR_PERIOD_S = 14.0
SMOKE_PERIOD_S = 40.0
COUNTS_AT_AIR = 7300.0
COUNTS_PER_KELVIN = 62.0
NOISE_TILES = 4


class Box(NamedTuple):
    """Where an object is, in pixels: left, top, width, height."""

    label: str
    left: float
    top: float
    width: float
    height: float


@dataclasses.dataclass(frozen=True)
class SceneFrame:
    """One moment and the truth.

    Attributes:
        infrared: H x W uint16 counts; of a folder of pairs, uint8 or uint16 as its files are.
        visible: H x W x 3 BGR uint8.
        boxes: of the objects, in the visible image.
        depths_m: of the objects, before the visible camera; empty without a rig.
    """

    infrared: np.ndarray
    visible: np.ndarray
    boxes: list[Box]
    depths_m: list[float] = dataclasses.field(default_factory=list)


class Walker(NamedTuple):
    """A pedestrian's walk: x from start to end (shares of the width) and back, feet at y."""

    start: float
    end: float
    feet: float
    height: float
    period_s: float
    phase: float


WALKERS = (
    Walker(0.16, 0.44, 0.70, 0.29, 17.0, 0.10),
    Walker(0.86, 0.60, 0.66, 0.25, 21.0, 0.45),
    Walker(0.40, 0.62, 0.575, 0.15, 13.0, 0.70),
    Walker(0.30, 0.22, 0.60, 0.17, 19.0, 0.25),
)
CLOTHES_BGR = ((40, 39, 38), (33, 33, 32), (52, 56, 64))
SMOKE_BGR = (104, 110, 116)


class StreetScene:
    """Renders the street at any time."""

    def __init__(self, width: int = 640, height: int = 512, seed: int = 0,
                 infrared_homography: Sequence[float] = ALIGNED,
                 baseline_m: float = 0.0) -> None:
        """Draw everything that does not move.

        :param width: of both images, in pixels.
        :param infrared_homography: see `misaligned`; the noise is the camera's and stays.
        :param baseline_m: distance of two cameras with lenses, see `street_rig`; 0: one ideal
            camera sees both spectra.
        """
        self._size = (width, height)
        self._infrared_homography = infrared_homography
        self._backdrop = backdrop(width, height, seed)
        self._view = RigView(street_rig(width, height, baseline_m)) if baseline_m else None
        random = np.random.default_rng(seed + 1)
        self._smoke = smoke_texture(random, width, height)
        self._envelope = smoke_envelope(width, height)
        self._visible_noise = random.normal(0, 2.2, (NOISE_TILES, height, width, 3)).astype(
            np.float32)
        fixed_pattern = random.normal(0, 0.035, (1, 1, width))
        self._infrared_noise = (random.normal(0, 0.06, (NOISE_TILES, height, width))
                                + fixed_pattern).astype(np.float32)

    @property
    def rig(self) -> CameraRig | None:
        """The two cameras; None for one ideal camera."""
        return None if self._view is None else self._view.rig

    def render(self, time_s: float, frame: int = 0) -> SceneFrame:
        """Render one moment.

        :param time_s: time in the scene.
        :param frame: number of the frame, which picks the noise.
        """
        picture = Picture(self._backdrop.visible.copy(), self._backdrop.infrared.copy())
        things = [functools.partial(self._walk, walker=walker, time_s=time_s)
                  for walker in WALKERS] + [functools.partial(self._drive, time_s=time_s)]
        boxes = [draw(picture) for draw in things]
        smoke = functools.partial(self._blow_smoke, time_s=time_s)
        smoke(picture)
        self._shine(picture, time_s)
        depths_m: list[float] = []
        if self._view is not None:
            depths_m = [self._view.depth_m(box.top + box.height) for box in boxes]
            picture = self._seen(picture, zip([*things, smoke], [*depths_m, SMOKE_M],
                                              strict=True))
            boxes = [_box_of(box.label, self._view.box(_corners(box))) for box in boxes]
        tile = frame % NOISE_TILES
        visible = picture.visible + self._visible_noise[tile]
        infrared = misaligned(picture.infrared, self._infrared_homography)
        infrared = cv2.GaussianBlur(infrared, (0, 0), 0.7) + self._infrared_noise[tile]
        return SceneFrame(
            (COUNTS_AT_AIR + COUNTS_PER_KELVIN * infrared).astype(np.uint16),
            cv2.convertScaleAbs(np.maximum(visible, 0)), boxes, depths_m)

    def _seen(self, picture: Picture,
              things: Iterable[tuple[Callable[[Picture], object], float]]) -> Picture:
        """What two cameras with lenses and a baseline see of it, things in their order."""
        infrared, unused = self._view.backdrop(self._backdrop.infrared), picture.visible.copy()
        for draw, depth_m in things:
            self._view.lay(infrared, lambda layer, draw=draw: draw(Picture(unused, layer)),
                           depth_m)
        return Picture(self._view.visible(picture.visible), infrared)

    def _walk(self, picture: Picture, walker: Walker, time_s: float) -> Box:
        width, height = self._size
        turn = (time_s / walker.period_s + walker.phase) % 1.0
        there = 2 * turn if turn < 0.5 else 2 - 2 * turn
        direction = math.copysign(1, (walker.end - walker.start) * (0.5 - turn))
        x = width * (walker.start + there * (walker.end - walker.start))
        feet, tall = height * walker.feet, height * walker.height
        left, top = round(x - 0.35 * tall), round(feet - 1.05 * tall)
        side, rows = round(0.7 * tall), round(1.1 * tall)
        phase = 2 * math.pi * time_s / 1.1 + 7 * walker.phase
        drawn = figure(rows, side, tall, phase, direction)
        _blend(picture.infrared, drawn, left, top, (8.5, 6.0, 11.5))
        # Dark clothes at night: next to no contrast to the road.
        _blend(picture.visible, drawn, left, top, CLOTHES_BGR)
        return Box('pedestrian', x - 0.2 * tall, feet - tall, 0.4 * tall, tall)

    def _car(self, time_s: float) -> tuple[float, float, float]:
        """Return the oncoming car's centre x, wheels' y and width in pixels."""
        width, height = self._size
        ahead = (time_s % CAR_PERIOD_S) / CAR_PERIOD_S
        depth = 0.05 / (1.02 - ahead * 0.93)
        vanish_x, vanish_y = VANISHING_POINT
        return (width * (vanish_x + 0.46 * 0.5 * depth * 1.1),
                height * (vanish_y + (1 - vanish_y) * depth), width * 0.30 * depth)

    def _drive(self, picture: Picture, time_s: float) -> Box:
        x, wheels, wide = self._car(time_s)
        tall = 0.72 * wide

        def at(right: float, up: float) -> tuple[int, int]:
            return round(x + right * wide), round(wheels - up * tall)

        def polygon(points: list[tuple[float, float]], visible: tuple, infrared: float) -> None:
            corners = np.array([at(*point) for point in points])
            cv2.fillPoly(picture.visible, [corners], visible)
            cv2.fillPoly(picture.infrared, [corners], infrared)

        body = [(-0.5, 0.12), (0.5, 0.12), (0.5, 0.58), (-0.5, 0.58)]
        cabin = [(-0.44, 0.56), (0.44, 0.56), (0.33, 1.0), (-0.33, 1.0)]
        glass = [(-0.37, 0.60), (0.37, 0.60), (0.28, 0.93), (-0.28, 0.93)]
        polygon(body, (46, 34, 30), 4.6)
        polygon(cabin, (40, 30, 26), 3.4)
        polygon(glass, (30, 26, 22), 1.2)
        polygon([(-0.26, 0.22), (0.26, 0.22), (0.26, 0.46), (-0.26, 0.46)], (20, 20, 20), 9.0)
        for side in (-1, 1):
            polygon([(side * 0.48, 0.0), (side * 0.33, 0.0), (side * 0.33, 0.2),
                     (side * 0.48, 0.2)], (12, 12, 12), 6.5)
        return Box('car', x - wide / 2, wheels - tall, wide, tall)

    def _shine(self, picture: Picture, time_s: float) -> None:
        """Add the glare of the headlights, which only the visible camera sees."""
        x, wheels, wide = self._car(time_s)
        for side in (-1, 1):
            column, row = x + side * 0.36 * wide, wheels - 0.72 * 0.38 * wide
            _glow(picture.visible, column, row, 0.16 * wide + 3, 300)
            _glow(picture.visible, column, row, 0.75 * wide + 8, 70)
            _glow(picture.visible, column, wheels + 0.35 * wide, 0.5 * wide + 6, 42, flat=0.35)

    def _blow_smoke(self, picture: Picture, time_s: float) -> None:
        width, height = self._size
        drift = round(width * 2 * time_s / SMOKE_PERIOD_S) % (2 * width)
        rise = round(0.35 * height * time_s / SMOKE_PERIOD_S) % height
        texture = np.roll(np.roll(self._smoke, drift, axis=1)[:, :width], -rise, axis=0)
        density = np.clip(texture * self._envelope, 0, 0.93)
        _lay(picture.visible, density, SMOKE_BGR)
        _lay(picture.infrared, 0.10 * density, 3.0)


def _corners(box: Box) -> np.ndarray:
    return np.array([(box.left + x * box.width, box.top + y * box.height)
                     for x in (0, 1) for y in (0, 1)])


def _box_of(label: str, sides: np.ndarray) -> Box:
    left, top, right, bottom = sides.tolist()
    return Box(label, left, top, right - left, bottom - top)


def _blend(layer: np.ndarray, figure: np.ndarray, left: int, top: int, values: tuple) -> None:
    """Lay a figure over a picture, cut at the frame."""
    height, width = layer.shape[:2]
    rows = slice(max(top, 0), min(top + figure.shape[0], height))
    columns = slice(max(left, 0), min(left + figure.shape[1], width))
    if rows.start >= rows.stop or columns.start >= columns.stop:
        return
    part = figure[rows.start - top:rows.stop - top, columns.start - left:columns.stop - left]
    view = layer[rows, columns]
    for channel, value in enumerate(values):
        _lay(view, np.ascontiguousarray(part[..., channel]), value)


def _lay(picture: np.ndarray, share: np.ndarray, value: float | tuple[float, ...]) -> None:
    """Put a value, or a colour, in place of a share of each pixel.

    By way of whole rows: to broadcast along a last dimension of three goes pixel by pixel.
    """
    if picture.ndim == 2:
        picture += share * (np.float32(value) - picture)
        return
    picture += cv2.cvtColor(share, cv2.COLOR_GRAY2BGR) * cv2.subtract((*value, 0), picture)


def _glow(visible: np.ndarray, column: float, row: float, radius: float, strength: float,
          flat: float = 1.0) -> None:
    """Add a round light, or one flattened on the ground, where it reaches."""
    height, width = visible.shape[:2]
    reach, up = 2.6 * radius, 2.6 * radius * flat
    top, bottom = max(0, int(row - up)), min(height, int(row + up) + 1)
    left, right = max(0, int(column - reach)), min(width, int(column + reach) + 1)
    if top >= bottom or left >= right:
        return
    down = np.exp(-((np.arange(top, bottom, dtype=np.float32) - row) / (radius * flat)) ** 2)
    across = np.exp(-((np.arange(left, right, dtype=np.float32) - column) / radius) ** 2)
    light = strength * down[:, None] * across
    visible[top:bottom, left:right] += light[..., None] * np.float32((0.93, 0.97, 1.0))
