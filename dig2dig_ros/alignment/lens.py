"""From rays to pixels and back through a camera's lens."""

import cv2
import numpy as np

from dig2dig_ros.alignment.rig import Camera

_STEPS = 60
_PLAIN = 8  # coefficients of D without thin prism and tilt
_LATTICE_PX = 8
_WIDEST = 6.0  # tan of the half field of view, about 80 degrees


def project(camera: Camera, rays: np.ndarray) -> np.ndarray:
    """Pixels of rays.

    :param rays: N x 2 float64, x / z and y / z.
    :returns: N x 2 float64.
    """
    rays = np.ascontiguousarray(rays, np.float64)
    if camera.model == 'equidistant':
        return cv2.fisheye.distortPoints(rays[None], camera.matrix, camera.distortion)[0]
    if camera.distortion.size > _PLAIN:  # thin prism and tilt
        points = np.column_stack([rays, np.ones(len(rays))])
        zero = np.zeros(3)
        return cv2.projectPoints(points, zero, zero, camera.matrix, camera.distortion)[0][:, 0]
    # As a product it takes ten times as long where threads of BLAS meet busy cores.
    return cv2.transform(_distorted(rays, camera.distortion)[None], camera.matrix[:2])[0]


def _distorted(rays: np.ndarray, distortion: np.ndarray) -> np.ndarray:
    """Apply D of plumb_bob or rational_polynomial, up to k6.

    As cv2.projectPoints, which takes a second for a frame of points.
    """
    k1, k2, p1, p2, k3, k4, k5, k6 = np.pad(distortion, (0, _PLAIN - distortion.size))
    x, y = rays[:, 0], rays[:, 1]
    r2 = x * x + y * y
    radial = 1 + r2 * (k1 + r2 * (k2 + r2 * k3))
    if k4 or k5 or k6:
        radial /= 1 + r2 * (k4 + r2 * (k5 + r2 * k6))
    across = 2 * x * y
    return np.column_stack([x * radial + p1 * across + p2 * (r2 + 2 * x * x),
                            y * radial + p2 * across + p1 * (r2 + 2 * y * y)])


def unproject(camera: Camera, pixels: np.ndarray) -> np.ndarray:
    """Rays of pixels: the inverse of `project`, to a hundredth of a pixel or better.

    :param pixels: N x 2.
    :returns: N x 2 float64, x / z and y / z; far off or not finite where the model shows nothing.
    """
    pixels = np.ascontiguousarray(pixels, np.float64)
    if camera.model == 'equidistant':
        return cv2.fisheye.undistortPoints(pixels[None], camera.matrix, camera.distortion)[0]
    inverse = np.linalg.inv(camera.matrix)
    target = pixels @ inverse[:2, :2].T + inverse[:2, 2]
    rays = target.copy()
    # OpenCV's own inverse stops after five steps, pixels too early at the corners of a wide lens.
    # Where the model shows nothing at a pixel the steps run away.
    with np.errstate(over='ignore', invalid='ignore'):
        for _ in range(_STEPS):
            error = target - (project(camera, rays) @ inverse[:2, :2].T + inverse[:2, 2])
            rays += error
            if np.abs(error).max() < 1e-7:
                break
    return rays


def widest_ray(camera: Camera) -> float:
    """How far from the axis, as tan of the angle, the lens model is one to one.

    Beyond it a polynomial turns back, and would show things from outside the field of view.
    """
    radii = np.linspace(0, _WIDEST, 1201)
    pixels = project(camera, np.column_stack([radii, np.zeros_like(radii)]))[:, 0]
    turns = np.flatnonzero(np.diff(pixels) <= 0)
    return float(radii[turns[0]]) if len(turns) else _WIDEST


def ray_grid(camera: Camera, columns: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Rays of a regular grid of pixels, from a coarse one by cubic interpolation.

    The inverse of a lens is smooth, and iterating for each pixel takes a second.

    :param columns: W pixel columns, rising.
    :param rows: H pixel rows, rising.
    :returns: H x W x 2 float64.
    """
    x, taps_x = _lattice(columns)
    y, taps_y = _lattice(rows)
    pixels = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    coarse = unproject(camera, pixels).reshape(len(y), len(x), 2)
    wide = sum(weights[:, None] * coarse[:, places] for places, weights in taps_x)
    return sum(weights[:, None, None] * wide[places] for places, weights in taps_y)


def _lattice(positions: np.ndarray) -> tuple[np.ndarray, list[tuple[np.ndarray, np.ndarray]]]:
    """Coarse positions; four of them, by index, with Catmull-Rom weights, for each fine one."""
    first = np.floor(positions[0] / _LATTICE_PX) - 1
    lattice = np.arange(first, np.ceil(positions[-1] / _LATTICE_PX) + 3)
    place = np.asarray(positions) / _LATTICE_PX - first
    base = np.floor(place).astype(int)
    t = place - base
    weights = (((2 - t) * t - 1) * t / 2, ((3 * t - 5) * t * t + 2) / 2,
               ((4 - 3 * t) * t + 1) * t / 2, (t - 1) * t * t / 2)
    return lattice * _LATTICE_PX, [(base + offset - 1, each)
                                   for offset, each in enumerate(weights)]
