"""Finds calibration boards, in thermal pictures too: faint, inverted, of few pixels."""

import dataclasses
import itertools
from collections.abc import Iterator

import cv2
import numpy as np

from dig2dig_ros.errors import InputError

KINDS = ('chessboard', 'circles', 'acircles', 'charuco')
# With its fast check, which ROS's calibrator sets, the finder gives up on every thermal board.
_LEGACY = cv2.CALIB_CB_ADAPTIVE_THRESH | cv2.CALIB_CB_NORMALIZE_IMAGE
_SECTOR = cv2.CALIB_CB_NORMALIZE_IMAGE
_LARGEST_PX = 1600
_CHESSBOARD_PX = 700
_SMALL_PX = 240
_LARGER_PX = 400
_LEAST_CONTRAST = 8
_LEAST_COUNTS = 16  # of 16 bits: less contrast is noise
_MOST_RESIDUAL = 0.15  # of the spacing, from the plane that fits best: the lens explains less


@dataclasses.dataclass(frozen=True)
class Target:
    """A calibration board.

    Attributes:
        kind: chessboard, circles, acircles or charuco.
        size: (columns, rows) of inner corners, of circles, or of squares for charuco.
        square_m: distance of neighbouring corners or circles; of asymmetric circles half the
            distance along a row; for charuco the side of a square, its markers being 3/4 of it
            and from the dictionary 4X4_50.
    """

    kind: str
    size: tuple[int, int]
    square_m: float

    def __post_init__(self) -> None:
        """Check.

        :raises InputError: where there is no such board.
        """
        if self.kind not in KINDS:
            raise InputError(f'target is {self.kind!r}; it must be one of {", ".join(KINDS)}')
        if min(self.size) < 3 or max(self.size) > 40:
            raise InputError(f'size is {self.size[0]}x{self.size[1]}; both must be from 3 to 40')
        if not 1e-4 < self.square_m < 10:
            raise InputError(f'square is {self.square_m:g}; it must be in metres, such as 0.055')

    @property
    def points(self) -> np.ndarray:
        """Where the corners are on the board: N x 3 float32, metres, z 0."""
        columns, rows = self.size
        if self.kind == 'charuco':
            columns, rows = columns - 1, rows - 1
        y, x = np.mgrid[0:rows, 0:columns].astype(np.float32)
        if self.kind == 'acircles':
            x = 2 * x + y % 2
        return np.stack([x, y, np.zeros_like(x)], axis=-1).reshape(-1, 3) * np.float32(
            self.square_m)

    @property
    def orders(self) -> list[np.ndarray]:
        """Numberings of the corners that a picture of the board cannot tell apart."""
        columns, rows = self.size
        count = columns * rows
        if self.kind in ('acircles', 'charuco'):
            return [np.arange(len(self.points))]
        grid = np.arange(count).reshape(rows, columns)
        turns = range(0, 4, 1 if rows == columns else 2)
        return [np.rot90(grid, turn).ravel() for turn in turns]


@dataclasses.dataclass(frozen=True)
class Found:
    """Corners of a board in one picture: which of the target's, and where, N x 2 float32."""

    indices: np.ndarray
    pixels: np.ndarray

    @property
    def mirrored(self) -> bool:
        """Tell whether the board is numbered the wrong way round, as in a mirrored picture."""
        return self._area < 0

    _area: float = 1.0


def find(target: Target, image: np.ndarray) -> Found | None:
    """Find a board.

    :param image: H x W or H x W x 3 BGR; uint8, uint16 or float32.
    :returns: None where there is none.
    """
    grey = _eight_bits(image)
    if np.ptp(grey) < _LEAST_CONTRAST:
        return None
    # Where a chessboard is takes few pixels, and a finder that finds nothing takes long;
    # its corners are sharpened in the large picture afterwards.
    chessboard = target.kind == 'chessboard'
    limit = _CHESSBOARD_PX if chessboard else _LARGEST_PX
    factors = [each for each in (1, 2, 4) if each * max(grey.shape) <= limit] or [
        limit / max(grey.shape) if chessboard else 1]
    if max(grey.shape) <= _SMALL_PX:
        factors.reverse()
    sharp = max([each for each in (1, 2, 4) if each * max(grey.shape) <= _LARGEST_PX] or [1])
    enlarged = {factor: _enlarged(grey, factor) for factor in {*factors, sharp}}
    finders = (_legacy, _sector) if chessboard else (
        (_charuco,) if target.kind == 'charuco' else (_circles,))
    for finder, factor in itertools.product(finders, factors):
        for variant in _variants(enlarged[factor]):
            found = finder(target, variant)
            if found is None:
                continue
            indices, pixels = found
            pixels = (pixels.reshape(-1, 2) + 0.5) / factor - 0.5
            if chessboard:
                pixels = _sharpened(enlarged[sharp], pixels, sharp)
            checked = _checked(target, indices, pixels.astype(np.float32))
            if checked is not None:
                return checked
    return None


def _eight_bits(image: np.ndarray) -> np.ndarray:
    """Stretch to 8 bits: dividing 16 bits by 256 would leave a thermal board black on black."""
    grey = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    if grey.dtype == np.uint8:
        return grey
    low, high = np.percentile(grey, (0.5, 99.5))
    least = _LEAST_COUNTS if grey.dtype == np.uint16 else 1e-6  # float: of any unit
    stretched = (grey.astype(np.float32) - low) * (255 / max(high - low, least))
    return stretched.round().clip(0, 255).astype(np.uint8)


def _enlarged(grey: np.ndarray, factor: float) -> np.ndarray:
    if factor == 1:
        return grey
    kind = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return cv2.resize(grey, None, fx=factor, fy=factor, interpolation=kind)


def _variants(grey: np.ndarray) -> Iterator[np.ndarray]:
    equalised = cv2.createCLAHE(3.0, (8, 8)).apply(grey)
    for image in (grey, equalised):
        yield image
        yield 255 - image


def _legacy(target: Target, grey: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    found, pixels = cv2.findChessboardCorners(grey, target.size, flags=_LEGACY)
    return (np.arange(len(target.points)), pixels) if found else None


def _sector(target: Target, grey: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    found, pixels = cv2.findChessboardCornersSB(grey, target.size, flags=_SECTOR)
    return (np.arange(len(target.points)), pixels) if found else None


def _circles(target: Target, grey: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    grid = (cv2.CALIB_CB_ASYMMETRIC_GRID if target.kind == 'acircles'
            else cv2.CALIB_CB_SYMMETRIC_GRID)
    found, pixels = cv2.findCirclesGrid(grey, target.size, flags=grid)
    if not found:
        found, pixels = cv2.findCirclesGrid(grey, target.size,
                                            flags=grid | cv2.CALIB_CB_CLUSTERING)
    return (np.arange(len(target.points)), pixels) if found else None


def _charuco(target: Target, grey: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    board = cv2.aruco.CharucoBoard(
        target.size, target.square_m, 0.75 * target.square_m,
        cv2.aruco.getPredefinedDictionary(cv2.aruco.DICT_4X4_50))
    pixels, indices, _, _ = cv2.aruco.CharucoDetector(board).detectBoard(grey)
    if indices is None or len(indices) < 8:
        return None
    return indices.ravel().astype(int), pixels


def _sharpened(grey: np.ndarray, pixels: np.ndarray, factor: int) -> np.ndarray:
    """Sharpen chessboard corners below a pixel, in the enlarged picture."""
    gaps = np.linalg.norm(np.diff(pixels, axis=0), axis=1)
    window = int(np.clip(0.35 * factor * np.median(gaps), 2, 11))
    start = ((pixels + 0.5) * factor - 0.5).astype(np.float32).reshape(-1, 1, 2)
    stop = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 60, 1e-3)
    sharp = cv2.cornerSubPix(grey, start, (window, window), (-1, -1), stop).reshape(-1, 2)
    return (sharp + 0.5) / factor - 0.5


def _checked(target: Target, indices: np.ndarray, pixels: np.ndarray) -> Found | None:
    """Number the corners right-handed, and refuse what is no plane grid."""
    places = target.points[indices, :2]
    plane, _ = cv2.findHomography(places, pixels)
    if plane is None or not np.isfinite(pixels).all():
        return None
    fitted = cv2.perspectiveTransform(places[:, None], plane)[:, 0]
    middle = np.array([*places.mean(axis=0), 1.0])
    spacing = target.square_m * np.sqrt(abs(np.linalg.det(plane)) / abs(plane[2] @ middle) ** 3)
    if np.linalg.norm(fitted - pixels, axis=1).mean() > _MOST_RESIDUAL * spacing:
        return None
    area = float(np.linalg.det(plane) * (plane[2] @ middle))
    if area < 0 and len(target.orders) > 1:
        columns, rows = target.size
        pixels = pixels.reshape(rows, columns, 2)[:, ::-1].reshape(-1, 2)
        area = -area
    return Found(indices, np.ascontiguousarray(pixels), area)


def larger_size(target: Target, image: np.ndarray, found: Found) -> tuple[int, int] | None:
    """Size of a bigger chessboard around what was found: of that it would be but a part."""
    if target.kind != 'chessboard':
        return None
    columns, rows = target.size
    low, high = found.pixels.min(axis=0), found.pixels.max(axis=0)
    margin = 2.2 * (high - low) / (min(columns, rows) - 1)
    (left, top), (right, bottom) = (low - margin).clip(0).astype(int), (high + margin).astype(int)
    grey = np.ascontiguousarray(_eight_bits(image)[top:bottom, left:right])
    factor = min(1.0, _LARGER_PX / max(grey.shape))
    grey = cv2.resize(grey, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    for size in ((columns + 1, rows), (columns, rows + 1)):
        if cv2.findChessboardCorners(grey, size, flags=_LEGACY)[0]:
            return size
    return None
