"""The still part of the rendered street: facades, road, sky and lamps, in both spectra.

Visible is BGR uint8-scaled float32, infrared is temperature above the air in kelvin, float32.
"""

import dataclasses

import cv2
import numpy as np

VANISHING_POINT = (0.5, 0.42)
HORIZON = VANISHING_POINT[1]
# Corners of the two rows of houses in the frame, top left first, clockwise, as shares of it.
LEFT_FACADE = ((-0.02, -0.25), (0.41, 0.22), (0.41, 0.465), (-0.02, 0.80))
RIGHT_FACADE = ((0.59, 0.24), (1.02, -0.15), (1.02, 0.80), (0.59, 0.465))
END_FACADE = ((0.405, 0.25), (0.595, 0.25), (0.595, 0.46), (0.405, 0.46))
LAMPS = ((0.30, 0.17, 1.0), (0.385, 0.295, 0.5), (0.70, 0.17, 1.0), (0.618, 0.295, 0.5))
SIGNS = ((LEFT_FACADE, 'HOTEL', (120, 200, 60)), (RIGHT_FACADE, 'PHARMACY', (90, 90, 235)))


@dataclasses.dataclass
class Picture:
    """Both spectra of one view.

    Attributes:
        visible: H x W x 3 BGR, float32, 0..255.
        infrared: H x W, float32, kelvin above the air.
    """

    visible: np.ndarray
    infrared: np.ndarray


def _noise(random: np.random.Generator, height: int, width: int, cell_px: float) -> np.ndarray:
    """Make smooth noise with zero mean and unit deviation."""
    rows, columns = max(2, round(height / cell_px)), max(2, round(width / cell_px))
    coarse = random.standard_normal((rows, columns)).astype(np.float32)
    smooth = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    return (smooth - smooth.mean()) / smooth.std()


def _facade(random: np.random.Generator, sign: str, colour: tuple[int, int, int]) -> Picture:
    """Draw a row of houses, seen from the front: bricks, windows, a shop with its sign."""
    height, width = 640, 960
    bricks = random.normal(0, 1, (height // 8, width // 16)).astype(np.float32)
    bricks = cv2.resize(bricks, (width, height), interpolation=cv2.INTER_NEAREST)
    tone = 1 + 0.14 * bricks + 0.05 * _noise(random, height, width, 90)
    visible = tone[..., None] * np.float32((30, 36, 52))
    visible[::8] *= 0.72
    for row in range(0, height, 8):
        visible[row:row + 8, (8 if row % 16 else 0)::16] *= 0.78
    infrared = 2.2 + 0.25 * bricks + 0.3 * _noise(random, height, width, 120)
    for top in range(40, 420, 125):
        for left in range(40, width - 90, 130):
            _window(random, visible, infrared, top, left)
    cv2.rectangle(visible, (0, 470), (width, 480), (22, 24, 28), -1)
    for left in range(30, width, 310):
        cv2.rectangle(visible, (left, 530), (left + 200, 640), (70, 120, 150), -1)
        cv2.rectangle(visible, (left, 530), (left + 200, 640), (18, 20, 24), 6)
        cv2.rectangle(infrared, (left, 530), (left + 200, 640), 4.0, -1)
        for shelf in range(left + 25, left + 200, 35):
            cv2.line(visible, (shelf, 540), (shelf, 640), (45, 80, 105), 4)
        letters = np.zeros((height, width), np.uint8)
        cv2.putText(letters, sign, (left, 517), cv2.FONT_HERSHEY_DUPLEX, 1.35, 255, 3)
        visible[letters > 127] = colour
    return Picture(visible, infrared)


def _window(random: np.random.Generator, visible: np.ndarray, infrared: np.ndarray, top: int,
            left: int) -> None:
    corner = (left + 62, top + 88)
    lit = random.random() < 0.3
    light = random.uniform(0.5, 1.0)
    glass = tuple(light * np.array((95, 175, 215))) if lit else (24, 20, 16)
    cv2.rectangle(visible, (left, top), corner, glass, -1)
    cv2.rectangle(visible, (left, top), corner, (62, 66, 70), 4)
    cv2.line(visible, (left + 31, top), (left + 31, top + 88), (62, 66, 70), 3)
    cv2.line(visible, (left, top + 34), (left + 62, top + 34), (62, 66, 70), 3)
    cv2.rectangle(visible, (left - 6, top + 88), (left + 68, top + 95), (74, 78, 82), -1)
    # Glass is opaque in infrared and mirrors the cold sky; a heated room leaks at its frame.
    cv2.rectangle(infrared, (left, top), corner, 0.6 + 1.2 * lit, -1)
    cv2.rectangle(infrared, (left, top), corner, 3.4 + 2.0 * lit, 5)


def _paste(picture: Picture, facade: Picture, corners: tuple, size: tuple[int, int]) -> None:
    """Put a facade into the view, in perspective."""
    width, height = size
    rows, columns = facade.infrared.shape
    source = np.float32([(0, 0), (columns, 0), (columns, rows), (0, rows)])
    target = np.float32([(x * width, y * height) for x, y in corners])
    matrix = cv2.getPerspectiveTransform(source, target)
    mask = cv2.warpPerspective(np.ones((rows, columns), np.float32), matrix, size,
                               flags=cv2.INTER_LINEAR)
    for name in ('visible', 'infrared'):
        layer = cv2.warpPerspective(getattr(facade, name), matrix, size, flags=cv2.INTER_AREA)
        share = mask if layer.ndim == 2 else mask[..., None]
        base = getattr(picture, name)
        base += share * (layer - base)


def _sky_and_road(random: np.random.Generator, width: int, height: int) -> Picture:
    """Draw what lies behind and before the houses."""
    rows = np.linspace(0, 1, height, dtype=np.float32)[:, None]
    depth = np.clip((rows - HORIZON) / (1 - HORIZON), 0, 1)
    sky = np.clip(rows / HORIZON, 0, 1)
    ground = rows > HORIZON
    asphalt = 1 + 0.10 * random.standard_normal((height, width)).astype(np.float32) * depth
    visible = np.where(
        ground[..., None],
        (asphalt * (30 + 22 * depth))[..., None] * np.float32((1.0, 0.98, 0.95)),
        np.broadcast_to((10 + 26 * sky ** 2)[..., None] * np.float32((1.5, 0.95, 0.85)),
                        (height, width, 3)))
    infrared = np.where(ground, 2.6 + 1.2 * depth + 0.12 * (asphalt - 1) / 0.10,
                        -5.0 + 3.5 * sky)
    stars = random.random((height, width)) > 0.9994
    visible[stars & ~ground] = 150
    picture = Picture(visible.astype(np.float32),
                      np.broadcast_to(infrared, (height, width)).astype(np.float32))
    _markings(picture, width, height)
    return picture


def _markings(picture: Picture, width: int, height: int) -> None:
    """Paint pavements, the centre line and a crossing onto the ground."""
    def ground(x: float, depth: float) -> tuple[int, int]:
        """Project: x in half road widths from the centre, depth 0 at the horizon, 1 near."""
        vanish_x, vanish_y = VANISHING_POINT
        return (round(width * (vanish_x + 0.46 * x * depth)),
                round(height * (vanish_y + (1 - vanish_y) * depth)))

    for side in (-1, 1):
        pavement = np.array([ground(side, 0.02), ground(side, 1.05), ground(3 * side, 1.05),
                             ground(3 * side, 0.02)])
        cv2.fillPoly(picture.visible, [pavement], (62, 64, 66))
        cv2.fillPoly(picture.infrared, [pavement], 3.4)
        cv2.line(picture.visible, ground(side, 0.02), ground(side, 1.05), (105, 108, 110), 2,
                 cv2.LINE_AA)
    for far in np.geomspace(0.06, 1.0, 14)[:-1]:
        dash = np.array([ground(-0.015, far), ground(0.015, far), ground(0.015, far * 1.13),
                         ground(-0.015, far * 1.13)])
        cv2.fillPoly(picture.visible, [dash], (150, 152, 154))
    for left in np.arange(-0.9, 0.9, 0.24):
        stripe = np.array([ground(left, 0.50), ground(left + 0.12, 0.50),
                           ground(left + 0.12, 0.62), ground(left, 0.62)])
        cv2.fillPoly(picture.visible, [stripe], (150, 150, 150))
        cv2.fillPoly(picture.infrared, [stripe], 2.9)


def _lamps(picture: Picture, width: int, height: int) -> None:
    """Put up street lamps: posts, heads, their halo and the light that they throw."""
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    warm = np.float32((0.62, 0.85, 1.0))
    for x, y, size in LAMPS:
        column, row = x * width, y * height
        foot = round(height * (HORIZON + 0.36 * size))
        thickness = max(1, round(4 * size * width / 640))
        cv2.line(picture.visible, (round(column), round(row)), (round(column), foot),
                 (26, 26, 28), thickness)
        cv2.line(picture.infrared, (round(column), round(row)), (round(column), foot), 1.0,
                 thickness)
        distance2 = (columns - column) ** 2 + (rows - row) ** 2
        halo = 175 * np.exp(-distance2 / (0.022 * size * width) ** 2)
        halo += 46 * np.exp(-distance2 / (0.13 * size * width) ** 2)
        pool = 34 * np.exp(-((columns - column) / (0.17 * size * width)) ** 2
                           - ((rows - foot) / (0.05 * size * height)) ** 2)
        picture.visible += (halo + pool)[..., None] * warm
        picture.infrared += 14 * np.exp(-distance2 / (0.008 * size * width) ** 2)


def backdrop(width: int, height: int, seed: int) -> Picture:
    """Draw the empty street, at twice the size: OpenCV draws float images without antialiasing."""
    random = np.random.default_rng(seed)
    size = (2 * width, 2 * height)
    picture = _sky_and_road(random, *size)
    _paste(picture, _facade(random, 'CINEMA', (80, 190, 230)), END_FACADE, size)
    for corners, sign, colour in SIGNS:
        _paste(picture, _facade(random, sign, colour), corners, size)
    _lamps(picture, *size)
    return Picture(*(cv2.resize(layer, (width, height), interpolation=cv2.INTER_AREA)
                     for layer in (picture.visible, picture.infrared)))
