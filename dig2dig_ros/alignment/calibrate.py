"""Calibrates an infrared and a visible camera from views of a board, and says how well."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from dig2dig_ros.alignment.frames import Scene, Source, loaded
from dig2dig_ros.alignment.rig import Camera, CameraRig
from dig2dig_ros.alignment.solve import (
    solve_camera,
    solve_rig,
    transfer,
    visible_pixels,
)
from dig2dig_ros.alignment.targets import Found, Target, find, larger_size
from dig2dig_ros.alignment.views import View, coverage, joined, normals, pose
from dig2dig_ros.errors import InputError
from dig2dig_ros.topics import CAMERAS

LEAST_VIEWS = 6
_LEAST_CELLS = {'infrared': 5, 'visible': 3}
_LEAST_TILT_DEG = 15.0
_FOLDS = 6
_CELL_NAMES = [['top left', 'top', 'top right'], ['left', 'middle', 'right'],
               ['bottom left', 'bottom', 'bottom right']]


@dataclasses.dataclass(frozen=True)
class Calibration:
    """Two calibrated cameras and what is known of the quality.

    Attributes:
        rig: both cameras, and how they sit to each other.
        rms_px: of infrared and of visible corners.
        transfer_px: held-out errors in infrared pixels: a view's visible corners, carried over
            by a rig that was solved without that view, against its infrared corners.
        views: those used.
        found: how many views both cameras found the board in, of `total`.
        dropped: reason by name of the views left out.
        coverage: corners in a 3 x 3 grid of each image.
        uncertainty_px: standard deviation, in infrared pixels, of where a 3 x 3 grid of infrared
            pixels lies on the visible image at `depth_m` (jackknife over groups of views).
        depth_m: of the boards, median.
    """

    rig: CameraRig
    rms_px: tuple[float, float]
    transfer_px: np.ndarray
    views: list[View]
    found: int
    total: int
    dropped: dict[str, str]
    coverage: tuple[np.ndarray, np.ndarray]
    uncertainty_px: np.ndarray
    depth_m: float


def calibrate(target: Target, scenes: Sequence[Scene]) -> Calibration:
    """Calibrate from images.

    :param scenes: the views; pixels are uint8, uint16 or float32.
    :raises InputError: naming what is wrong, or what to record more of.
    """
    names = [name for name, _ in scenes]
    found, sizes = _find_all(target, scenes)
    dropped = {name: _missing(sides) for name, *sides in zip(names, *found, strict=True)
               if not all(sides)}
    both = len(names) - len(dropped)
    if both < LEAST_VIEWS:
        raise InputError(
            f'both cameras found the {target.size[0]}x{target.size[1]} {target.kind} in {both} '
            f'of {len(names)} views (infrared in {_count(found[0])}, visible in '
            f'{_count(found[1])}), {LEAST_VIEWS} are the least and 15 are good; check --size, '
            'heat the board, and hold all of it in both pictures')
    cameras, rms, unfit = _solve_cameras(target, names, found, sizes)
    for name, reason in unfit.items():
        dropped.setdefault(name, reason)
    views = [view for view in joined(target, names, *found, cameras)
             if view.name not in dropped]
    _require_views(views, dropped)
    solved = solve_rig(cameras, views)
    dropped |= {name: 'does not fit the pose between the cameras' for name in solved.dropped}
    views = [view for view in views if view.name not in dropped]
    _require_views(views, dropped)
    grids = tuple(coverage(size, [view.pixels[side] for view in views])
                  for side, size in enumerate(sizes))
    _require_coverage(grids, normals(cameras[1], views, 1))
    depth = float(np.median([pose(cameras[0], view.places, view.pixels[0])[1][2]
                             for view in views]))
    # Solving for everything at once is better where the corners are as good as their model, and
    # worse where one camera's are not: what the views left out say decides.
    (errors, spread), together = min(
        ((_held_out(solved.model, views, depth, choice), choice) for choice in (False, True)),
        key=lambda each: np.nan_to_num(np.median(each[0][0]), nan=np.inf))
    rig = solve_rig(cameras, views, False, together).model
    return Calibration(rig, rms, errors, views, both, len(names), dropped,
                       grids, spread, depth)


def _find_all(target: Target, scenes: Sequence[Scene]
              ) -> tuple[list[list[Found | None]], list[tuple[int, int]]]:
    found: list[list[Found | None]] = [[], []]
    sizes: list[tuple[int, int] | None] = [None, None]
    for name, sources in scenes:
        for side, source in enumerate(sources):
            image, file = loaded(source), _told(source, side, name)
            size = image.shape[1::-1]
            if sizes[side] not in (None, size):
                raise InputError(f'{file} is {size[0]}x{size[1]}, images before it are '
                                 f'{sizes[side][0]}x{sizes[side][1]}; one camera has one size')
            sizes[side] = size
            each = find(target, image)
            if each and each.mirrored:
                raise InputError(f'{file}: the board is mirrored; flip the images of the '
                                 f'{CAMERAS[side]} camera, or switch the flip off in its driver')
            if each and side == 1 and _count(found[1]) < 2:
                larger = larger_size(target, image, each)
                if larger:
                    raise InputError(
                        f'{file} shows a board of at least {larger[0]}x{larger[1]} inner '
                        f'corners; --size is {target.size[0]}x{target.size[1]}')
            found[side].append(each)
    return found, sizes


def _told(source: Source, side: int, name: str) -> str:
    """What to call a picture in an error."""
    return (f'the {CAMERAS[side]} image at {name}' if isinstance(source, np.ndarray)
            else str(source))


def _solve_cameras(target: Target, names: Sequence[str], found: Sequence[list[Found | None]],
                   sizes: Sequence[tuple[int, int]]
                   ) -> tuple[tuple[Camera, Camera], tuple[float, float], dict[str, str]]:
    """Solve for each lens.

    :returns: the cameras, the rms of their corners, and why views were left out.
    """
    cameras, rms, dropped = [], [], {}
    for side, camera in enumerate(CAMERAS):
        seen = [(name, each) for name, each in zip(names, found[side], strict=True) if each]
        try:
            solved = solve_camera(
                sizes[side], [name for name, _ in seen],
                [target.points[each.indices] for _, each in seen],
                [each.pixels for _, each in seen])
        except InputError as error:
            raise InputError(f'{camera}: {error}') from error
        cameras.append(solved.model)
        rms.append(solved.rms_px)
        dropped |= {name: f'{camera} corners do not fit the lens' for name in solved.dropped
                    if name not in dropped}
    return tuple(cameras), tuple(rms), dropped


def _missing(sides: Sequence[Found | None]) -> str:
    lacking = [camera for camera, each in zip(CAMERAS, sides, strict=True) if not each]
    return f'no board found in {" and ".join(lacking)}'


def _count(found: Sequence[Found | None]) -> int:
    return sum(each is not None for each in found)


def _require_views(views: Sequence[View], dropped: dict[str, str]) -> None:
    if len(views) < LEAST_VIEWS:
        shown = ', '.join(f'{name} ({why})' for name, why in list(dropped.items())[:4])
        raise InputError(f'{len(views)} views are left of those with a board, {LEAST_VIEWS} are '
                         f'the least; dropped: {shown}; record more, the rig at rest')


def _require_coverage(grids: Sequence[np.ndarray], facing: np.ndarray) -> None:
    for camera, grid in zip(CAMERAS, grids, strict=True):
        empty = [_CELL_NAMES[row][column] for row, column in zip(*np.nonzero(grid == 0),
                                                                 strict=True)]
        if 9 - len(empty) < _LEAST_CELLS[camera]:
            raise InputError(f'no board reached the {", ".join(empty)} of the {camera} image; '
                             'record views with the board there')
    cosines = np.clip(facing @ facing.T, -1, 1)
    tilt = float(np.degrees(np.arccos(cosines.min())))
    if tilt < _LEAST_TILT_DEG:
        raise InputError(f'all boards face the same way within {tilt:.0f} degrees, which leaves '
                         'focal length and distance open; record views tilted by 20 to 40 '
                         'degrees to all sides')


def _held_out(rig: CameraRig, views: Sequence[View], depth_m: float, together: bool
              ) -> tuple[np.ndarray, np.ndarray]:
    """Errors of views left out, and the jackknife's spread of the transfer."""
    folds = min(_FOLDS, len(views))
    width, height = rig.infrared.size
    grid = np.stack(np.meshgrid((np.arange(3) + 0.5) / 3 * width,
                                (np.arange(3) + 0.5) / 3 * height), axis=-1).reshape(-1, 2)
    errors, moved = [], []
    for fold in range(folds):
        rest = [view for index, view in enumerate(views) if index % folds != fold]
        cameras = tuple(_camera_of(camera, rest, side)
                        for side, camera in enumerate((rig.infrared, rig.visible)))
        without = solve_rig(cameras, rest, False, together).model
        moved.append(visible_pixels(without, grid, depth_m))
        for view in views[fold::folds]:
            errors.append(np.linalg.norm(transfer(without, view) - view.pixels[0], axis=1))
    spread = np.sqrt((folds - 1) / folds * ((np.array(moved) - np.mean(moved, axis=0)) ** 2
                                            ).sum(axis=(0, 2)))
    scale = rig.visible.matrix[0, 0] / rig.infrared.matrix[0, 0]
    return np.concatenate(errors), (spread / scale).reshape(3, 3)


def _camera_of(camera: Camera, views: Sequence[View], side: int) -> Camera:
    return solve_camera(camera.size, [view.name for view in views],
                        [view.places.astype(np.float32) for view in views],
                        [view.pixels[side] for view in views], drop=False).model
