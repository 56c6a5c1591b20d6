"""Shapes of the rendered street: a walking figure, and smoke."""

import math

import cv2
import numpy as np

# Joints of a walking figure in heights above the feet; x is along the walk.
SHOULDER, HIP, HEAD = 0.80, 0.50, 0.915


def figure(rows: int, columns: int, tall: float, phase: float, direction: float) -> np.ndarray:
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


def smoke_texture(random: np.random.Generator, width: int, height: int) -> np.ndarray:
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


def smoke_envelope(width: int, height: int) -> np.ndarray:
    """Where smoke hangs: over the left of the road, thinning out to all sides."""
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    across, down = columns / width - 0.33, rows / height - 0.56
    return 1.7 * np.exp(-(across / 0.19) ** 2 - (down / 0.20) ** 2)
