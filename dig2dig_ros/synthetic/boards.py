"""Rendered calibration boards seen by an infrared and a visible camera with known lenses.

The truth is known to the last digit: for testing a calibration, and for pictures in the docs.
"""

import dataclasses
import math

import cv2
import numpy as np

from dig2dig_ros.alignment.lens import project, ray_grid, unproject
from dig2dig_ros.alignment.rig import Camera, CameraRig

_TEXTURE_PX = 48  # pixels of the drawn board to a square
DICTIONARY = cv2.aruco.DICT_4X4_50


@dataclasses.dataclass(frozen=True)
class Board:
    """A calibration target; see `alignment.targets` for what the numbers mean.

    Attributes:
        kind: chessboard, circles, acircles or charuco.
        size: (columns, rows): inner corners, circles, or squares of a ChArUco board.
        square_m: distance of neighbours; of asymmetric circles half that along a row.
    """

    kind: str
    size: tuple[int, int]
    square_m: float


def sample_rig(infrared: str = 'boson', baseline_m: float = 0.06) -> CameraRig:
    """A made-up rig: a 640x512 or a 160x120 infrared camera beside a 1280x720 visible one.

    :param infrared: boson or lepton.
    """
    focal, width, height = {'boson': (590.0, 640, 512), 'lepton': (160.0, 160, 120)}[infrared]
    thermal = Camera((width, height), np.array(
        [[focal, 0, 0.51 * width], [0, 1.004 * focal, 0.485 * height], [0, 0, 1]]),
        np.array([-0.28, 0.09, 0.0008, -0.0006, 0.0]))
    visible = Camera((1280, 720), np.array(
        [[980.0, 0, 652.0], [0, 978.0, 347.0], [0, 0, 1]]),
        np.array([-0.12, 0.05, -0.0004, 0.0007, 0.0]))
    rotation = cv2.Rodrigues(np.radians([0.9, -1.4, 0.6]))[0]
    return CameraRig(thermal, visible, rotation, np.array([baseline_m, 0.011, -0.008]))


def poses(rig: CameraRig, board: Board, count: int, seed: int = 0,
          fill: float = 0.42) -> list[tuple[np.ndarray, np.ndarray]]:
    """Board poses in the infrared camera's frame, spread over the picture, turned and tilted.

    :param fill: share of the infrared width that the board takes, about.
    :returns: (rotation 3 x 3, translation in metres) of the board's middle, board to camera.
    """
    random = np.random.default_rng(seed)
    camera = rig.infrared
    width_m = np.ptp(_outline(board)[:, 0])
    found = []
    while len(found) < count:
        distance = camera.matrix[0, 0] * width_m / (fill * camera.size[0])
        distance *= random.uniform(0.85, 1.3)
        pixel = (0.5 + random.uniform(-0.32, 0.32, 2)) * camera.size
        ray = unproject(camera, pixel[None])[0]
        tilt = np.radians([*random.uniform(-32, 32, 2), random.uniform(-12, 12)])
        rotation = cv2.Rodrigues(tilt)[0]
        translation = distance * np.array([*ray, 1.0])
        corners = _outline(board)
        if all(_inside(each, corners @ turn.T + shift) for each, turn, shift in (
                (rig.infrared, rotation, translation),
                (rig.visible, rig.rotation @ rotation,
                 rig.rotation @ translation + rig.translation))):
            found.append((rotation, translation))
    return found


def render(rig: CameraRig, board: Board, pose: tuple[np.ndarray, np.ndarray], seed: int = 0,
           hot: bool = True, noise: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Draw one view of a board that is heated: what is light in the visible image is cold.

    :param pose: of the board's middle in the infrared frame.
    :param hot: False for a board below the temperature of the air, which turns the contrast.
    :param noise: factor on that of both cameras.
    :returns: infrared h x w uint16 counts, visible H x W x 3 uint8.
    """
    random = np.random.default_rng(seed)
    texture, origin, to_texture = _texture(board)
    rotation, translation = pose
    infrared = _view(rig.infrared, texture, origin, to_texture, rotation, translation,
                     background=0.25)
    visible = _view(rig.visible, texture, origin, to_texture, rig.rotation @ rotation,
                    rig.rotation @ translation + rig.translation, background=0.45)
    warmth = (1 - infrared) if hot else infrared
    counts = 7300 + 420 * warmth + random.normal(0, 4 * noise, warmth.shape)
    counts += random.normal(0, 2 * noise, (1, warmth.shape[1]))  # fixed pattern of the columns
    grey = 30 + 190 * visible + random.normal(0, 2 * noise, visible.shape)
    colour = cv2.cvtColor(grey.clip(0, 255).astype(np.uint8), cv2.COLOR_GRAY2BGR)
    return counts.round().astype(np.uint16), colour


def _outline(board: Board) -> np.ndarray:
    across = 2 * board.size[0] if board.kind == 'acircles' else board.size[0]
    half = (np.array([across, board.size[1]]) + 2) * board.square_m / 2
    return np.array([[x * half[0], y * half[1], 0] for x in (-1, 1) for y in (-1, 1)])


def _inside(camera: Camera, points: np.ndarray) -> bool:
    if (points[:, 2] <= 0).any():
        return False
    pixels = project(camera, points[:, :2] / points[:, 2:])
    return bool((pixels > 2).all() and (pixels < np.array(camera.size) - 3).all())


def _texture(board: Board) -> tuple[np.ndarray, np.ndarray, float]:
    """Draw the board: float32 0..1, the pixel of its middle, and pixels to a metre."""
    scale = _TEXTURE_PX / board.square_m
    columns, rows = board.size
    if board.kind == 'charuco':
        charuco = cv2.aruco.CharucoBoard(
            board.size, board.square_m, 0.75 * board.square_m,
            cv2.aruco.getPredefinedDictionary(DICTIONARY))
        drawn = charuco.generateImage((columns * _TEXTURE_PX, rows * _TEXTURE_PX))
    elif board.kind == 'chessboard':
        y, x = np.mgrid[0:rows + 1, 0:columns + 1]
        drawn = np.kron(255 * ((x + y) % 2), np.ones((_TEXTURE_PX, _TEXTURE_PX)))
    else:
        drawn = _circles(board)
    drawn = cv2.copyMakeBorder(np.asarray(drawn, np.uint8), *[_TEXTURE_PX // 2] * 4,
                               cv2.BORDER_CONSTANT, value=255)
    middle = (np.array(drawn.shape[::-1]) - 1) / 2
    return drawn.astype(np.float32) / 255, middle, scale


def _circles(board: Board) -> np.ndarray:
    columns, rows = board.size
    across = 2 * columns - 1 if board.kind == 'acircles' else columns - 1
    drawn = np.full(((rows + 1) * _TEXTURE_PX, (across + 2) * _TEXTURE_PX), 255, np.uint8)
    for row in range(rows):
        for column in range(columns):
            x = 2 * column + row % 2 if board.kind == 'acircles' else column
            centre = (round(16 * ((x + 1) * _TEXTURE_PX - 0.5)),
                      round(16 * ((row + 1) * _TEXTURE_PX - 0.5)))
            cv2.circle(drawn, centre, round(16 * 0.32 * _TEXTURE_PX), 0, -1, cv2.LINE_AA, 4)
    return drawn


def _view(camera: Camera, texture: np.ndarray, middle: np.ndarray, scale: float,
          rotation: np.ndarray, translation: np.ndarray, background: float) -> np.ndarray:
    """See the plane of a texture through a lens, several rays to a pixel."""
    width, height = camera.size
    across = translation[2] / (camera.matrix[0, 0]) * scale  # texture pixels to an image pixel
    rays_a_side = max(2, math.ceil(0.7 * across))
    columns, rows = ((np.arange(side * rays_a_side) + 0.5) / rays_a_side - 0.5
                     for side in (width, height))
    rays = ray_grid(camera, columns, rows)
    to_plane = np.linalg.inv(np.column_stack([rotation[:, :2], translation]))
    x, y, w = np.moveaxis(rays @ to_plane[:, :2].T + to_plane[:, 2], -1, 0)
    map_x = (x / w * scale + middle[0]).astype(np.float32)
    map_y = (y / w * scale + middle[1]).astype(np.float32)
    seen = cv2.remap(texture, map_x, map_y, cv2.INTER_LINEAR, borderValue=background)
    shrunk = cv2.resize(seen, (width, height), interpolation=cv2.INTER_AREA)
    return cv2.GaussianBlur(shrunk, (0, 0), 0.6)
