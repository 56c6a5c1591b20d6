"""A rendered night street seen by a visible and an infrared camera, with known objects in it.

Signs, windows and markings are seen by the visible camera; pedestrians in dark clothes, some of
them behind smoke, by the infrared one; an oncoming car blinds the first and not the second.
Everything is a function of the seed and the time, so that two renderings agree. No ROS.
"""

import dataclasses
import math
from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from dig2dig_ros.synthetic.backdrop import VANISHING_POINT, Picture, backdrop
from dig2dig_ros.synthetic.misalignment import ALIGNED, misaligned

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
    """One moment: infrared H x W uint16 counts, visible H x W x 3 BGR uint8, and the truth."""

    infrared: np.ndarray
    visible: np.ndarray
    boxes: list[Box]


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
CLOTHES_BGR = ((24, 23, 22), (20, 20, 19), (34, 36, 42))
# Joints of a walking figure in heights above the feet; x is along the walk.
SHOULDER, HIP, HEAD = 0.80, 0.50, 0.915


class StreetScene:
    """Renders the street at any time."""

    def __init__(self, width: int = 640, height: int = 512, seed: int = 0,
                 infrared_homography: Sequence[float] = ALIGNED) -> None:
        """Draw everything that does not move.

        :param width: of both images, in pixels.
        :param infrared_homography: see `misaligned`; the noise is the camera's and stays.
        """
        self._size = (width, height)
        self._infrared_homography = infrared_homography
        self._backdrop = backdrop(width, height, seed)
        random = np.random.default_rng(seed + 1)
        self._smoke = _smoke_texture(random, width, height)
        self._envelope = _smoke_envelope(width, height)
        self._visible_noise = random.normal(0, 2.2, (NOISE_TILES, height, width, 3)).astype(
            np.float32)
        fixed_pattern = random.normal(0, 0.035, (1, 1, width))
        self._infrared_noise = (random.normal(0, 0.06, (NOISE_TILES, height, width))
                                + fixed_pattern).astype(np.float32)

    def render(self, time_s: float, frame: int = 0) -> SceneFrame:
        """Render one moment.

        :param time_s: time in the scene.
        :param frame: number of the frame, which picks the noise.
        """
        picture = Picture(self._backdrop.visible.copy(), self._backdrop.infrared.copy())
        boxes = [self._walk(picture, walker, time_s) for walker in WALKERS]
        boxes.append(self._drive(picture, time_s))
        self._blow_smoke(picture, time_s)
        self._shine(picture, time_s)
        tile = frame % NOISE_TILES
        visible = picture.visible + self._visible_noise[tile]
        infrared = misaligned(picture.infrared, self._infrared_homography)
        infrared = cv2.GaussianBlur(infrared, (0, 0), 0.7) + self._infrared_noise[tile]
        return SceneFrame(
            (COUNTS_AT_AIR + COUNTS_PER_KELVIN * infrared).astype(np.uint16),
            cv2.convertScaleAbs(np.maximum(visible, 0)), boxes)

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
        figure = _figure(rows, side, tall, phase, direction)
        _blend(picture.infrared, figure, left, top, (8.5, 6.0, 11.5), opacity=1.0)
        # Dark clothes at night: next to no contrast.
        _blend(picture.visible, figure, left, top, CLOTHES_BGR, opacity=0.22)
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
        picture.visible += density[..., None] * (np.float32((104, 110, 116)) - picture.visible)
        picture.infrared += 0.10 * density * (3.0 - picture.infrared)


def _figure(rows: int, columns: int, tall: float, phase: float, direction: float) -> np.ndarray:
    """Draw a walking figure: channels are torso and arms, legs, head; 0..1 coverage."""
    layers = [np.zeros((rows, columns), np.uint8) for _ in range(3)]
    scale = 16

    def point(x: float, y: float) -> tuple[int, int]:
        return (round(scale * (columns / 2 + direction * x * tall)),
                round(scale * (1.05 * tall - y * tall)))

    def limb(layer: np.ndarray, start: tuple, end: tuple, thick: float) -> None:
        cv2.line(layer, point(*start), point(*end), 255, max(1, round(thick * tall)), cv2.LINE_AA,
                 shift=4)

    torso, legs, head = layers
    swing = math.sin(phase)
    for side in (-1, 1):
        knee = (0.10 * side * swing + 0.02, 0.26)
        limb(legs, (0, HIP), knee, 0.085)
        limb(legs, knee, (0.17 * side * swing - 0.03 * (1 - side * swing) / 2, 0.03), 0.07)
        elbow = (-0.07 * side * swing - 0.02, 0.62)
        limb(torso, (0, SHOULDER - 0.02), elbow, 0.06)
        limb(torso, elbow, (-0.12 * side * swing + 0.04, 0.50), 0.05)
    limb(torso, (0, SHOULDER - 0.05), (0, HIP), 0.155)
    axes = (round(scale * 0.052 * tall), round(scale * 0.072 * tall))
    cv2.ellipse(head, point(0.012, HEAD), axes, 0, 0, 360, 255, -1, cv2.LINE_AA, shift=4)
    return np.stack(layers, axis=-1).astype(np.float32) / 255


def _blend(layer: np.ndarray, figure: np.ndarray, left: int, top: int, values: tuple,
           opacity: float) -> None:
    """Lay a figure over a picture, cut at the frame."""
    height, width = layer.shape[:2]
    rows = slice(max(top, 0), min(top + figure.shape[0], height))
    columns = slice(max(left, 0), min(left + figure.shape[1], width))
    if rows.start >= rows.stop or columns.start >= columns.stop:
        return
    part = figure[rows.start - top:rows.stop - top, columns.start - left:columns.stop - left]
    view = layer[rows, columns]
    for channel, value in enumerate(values):
        share = opacity * part[..., channel]
        view += (share if view.ndim == 2 else share[..., None]) * (np.float32(value) - view)


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


def _smoke_texture(random: np.random.Generator, width: int, height: int) -> np.ndarray:
    """Make billows, H x 2W, without a seam in either direction."""
    total = np.zeros((height, 2 * width), np.float32)
    for cells, strength in ((3, 1.0), (6, 0.55), (12, 0.3), (24, 0.16), (48, 0.08)):
        coarse = random.standard_normal((cells, 2 * cells)).astype(np.float32)
        tiled = np.pad(coarse, 2, mode='wrap')
        full = cv2.resize(tiled, None, fx=width / cells, fy=height / cells,
                          interpolation=cv2.INTER_CUBIC)
        top, left = round(2 * height / cells), round(2 * width / cells)
        total += strength * full[top:top + height, left:left + 2 * width]
    return np.clip(0.62 + 0.40 * total, 0, 1.2)


def _smoke_envelope(width: int, height: int) -> np.ndarray:
    """Where smoke hangs: over the left of the road, thinning out to all sides."""
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    across, down = columns / width - 0.33, rows / height - 0.56
    return 1.7 * np.exp(-(across / 0.19) ** 2 - (down / 0.20) ** 2)
