"""Intrinsics of each camera, then the pose between the two with intrinsics fixed."""

import dataclasses
from collections.abc import Callable, Sequence

import cv2
import numpy as np

from dig2dig_ros.alignment.lens import project, unproject
from dig2dig_ros.alignment.rig import Camera, CameraRig, Size
from dig2dig_ros.alignment.views import View, pose
from dig2dig_ros.errors import InputError

_STOP = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 40, 1e-6)
_MAD = 3 * 1.4826
_FLOOR_PX = 0.08  # a view within this of the median is never bad
_LEAST_VIEWS = 4
_ROUNDS = 4


@dataclasses.dataclass(frozen=True)
class Solved:
    """A camera or a rig, the rms of its corners, and the views that were dropped."""

    model: Camera | CameraRig
    rms_px: float
    dropped: list[str]


def solve_camera(size: Size, names: Sequence[str], places: Sequence[np.ndarray],
                 pixels: Sequence[np.ndarray], drop: bool = True) -> Solved:
    """Calibrate one camera from views of a board.

    :raises InputError: where nothing sensible comes out.
    """
    def fit(kept: Sequence[int]) -> tuple[Camera, float, np.ndarray]:
        flags = cv2.CALIB_FIX_K3
        rms, matrix, distortion, _, _, _, _, errors = cv2.calibrateCameraExtended(
            [places[i] for i in kept], [pixels[i] for i in kept], size, None, None,
            flags=flags, criteria=_STOP)
        return Camera(size, matrix, distortion.ravel()[:5]), rms, errors.ravel()

    camera, rms, dropped = _robust(fit, names, drop)
    focal = camera.matrix[0, 0]
    if not np.isfinite(camera.matrix).all() or not 0.2 < focal / size[0] < 20:
        raise InputError(f'the focal length comes out as {focal:.4g} px for images {size[0]} '
                         'wide, which cannot be; record boards nearer and tilted by 20 to 40 '
                         'degrees')
    return Solved(camera, rms, dropped)


def solve_rig(cameras: tuple[Camera, Camera], views: Sequence[View], drop: bool = True,
              together: bool = False) -> Solved:
    """Find rotation and translation between two calibrated cameras.

    :param together: then solve for the lenses once more, with the pose, from both cameras.
    """
    relative = []
    for view in views:
        (first, near), (second, far) = (pose(camera, view.places, pixels) for camera, pixels in
                                        zip(cameras, view.pixels, strict=True))
        turn = second @ first.T
        relative.append(np.concatenate([cv2.Rodrigues(turn)[0].ravel(), far - turn @ near]))
    start = np.median(relative, axis=0)

    def fit(kept: Sequence[int]) -> tuple[CameraRig, float, np.ndarray]:
        chosen = [views[i] for i in kept]
        out = cv2.stereoCalibrateExtended(
            [view.places.astype(np.float32) for view in chosen],
            [view.pixels[0] for view in chosen], [view.pixels[1] for view in chosen],
            cameras[0].matrix, cameras[0].distortion, cameras[1].matrix, cameras[1].distortion,
            cameras[0].size, cv2.Rodrigues(start[:3])[0], start[3:].reshape(3, 1).copy(),
            flags=cv2.CALIB_FIX_INTRINSIC | cv2.CALIB_USE_EXTRINSIC_GUESS, criteria=_STOP)
        errors = np.asarray(out[11]).reshape(len(chosen), 2).max(axis=1)
        return CameraRig(*cameras, out[5], out[6].ravel()), out[0], errors

    fixed, rms, dropped = _robust(fit, [view.name for view in views], drop)
    if together:
        fixed = _together(fixed, [view for view in views if view.name not in dropped])
    return Solved(fixed, rms, dropped)


def _together(rig: CameraRig, views: Sequence[View]) -> CameraRig:
    """Solve for lenses and pose in one.

    Of a camera alone, a turn and a shift of its principal point look alike, half a degree for an
    infrared camera of 160 pixels; with the board's place known from the visible one they do not.
    """
    first, second = rig.infrared, rig.visible
    out = cv2.stereoCalibrateExtended(
        [view.places.astype(np.float32) for view in views],
        [view.pixels[0] for view in views], [view.pixels[1] for view in views],
        first.matrix.copy(), first.distortion.copy(), second.matrix.copy(),
        second.distortion.copy(), first.size, rig.rotation.copy(),
        rig.translation.reshape(3, 1).copy(), criteria=_STOP,
        flags=cv2.CALIB_USE_INTRINSIC_GUESS | cv2.CALIB_USE_EXTRINSIC_GUESS | cv2.CALIB_FIX_K3)
    if not 0.8 < out[1][0, 0] / first.matrix[0, 0] < 1.25:
        return rig
    return CameraRig(Camera(first.size, out[1], out[2].ravel()[:5]),
                     Camera(second.size, out[3], out[4].ravel()[:5]), out[5], out[6].ravel())


def _robust(fit: Callable[[Sequence[int]], tuple], names: Sequence[str],
            drop: bool) -> tuple[Camera | CameraRig, float, list[str]]:
    """Fit, drop the views beyond 3 MAD of the median error, and fit again."""
    kept = list(range(len(names)))
    for _ in range(_ROUNDS):
        try:
            model, rms, errors = fit(kept)
        except cv2.error as error:
            raise InputError('the views cannot be solved; record boards tilted by 20 to 40 '
                             'degrees to all sides, over the whole picture') from error
        middle = np.median(errors)
        limit = middle + max(_MAD * np.median(np.abs(errors - middle)), _FLOOR_PX)
        good = [i for i, error in zip(kept, errors, strict=True) if error <= limit]
        if not drop or len(good) == len(kept) or len(good) < _LEAST_VIEWS:
            break
        kept = good
    return model, float(rms), [name for i, name in enumerate(names) if i not in kept]


def transfer(rig: CameraRig, view: View) -> np.ndarray:
    """Infrared pixels of a view's visible corners, by the board's pose in the visible camera.

    :returns: N x 2.
    """
    rotation, translation = pose(rig.visible, view.places, view.pixels[1])
    points = (view.places @ rotation.T + translation - rig.translation) @ rig.rotation
    return project(rig.infrared, points[:, :2] / points[:, 2:])


def visible_pixels(rig: CameraRig, pixels: np.ndarray, depth_m: float) -> np.ndarray:
    """Visible pixels of infrared ones that show something at a depth before the infrared lens."""
    rays = np.column_stack([unproject(rig.infrared, pixels), np.ones(len(pixels))])
    points = depth_m * rays @ rig.rotation.T + rig.translation
    return project(rig.visible, points[:, :2] / points[:, 2:])
