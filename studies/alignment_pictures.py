"""Draws the pictures of docs/alignment.md with the package's own renderers."""

from pathlib import Path

import cv2
import numpy as np

from dig2dig_ros.alignment.check import overlay, residuals
from dig2dig_ros.alignment.monitor import PERIOD
from dig2dig_ros.camera.preparation import Preparation
from dig2dig_ros.camera.rig_registration import RigRegistration
from dig2dig_ros.images import to_8_bit
from dig2dig_ros.synthetic.boards import Board, poses, render, sample_rig
from dig2dig_ros.synthetic.street import StreetScene

IMAGES = Path(__file__).resolve().parents[1] / 'docs' / 'images'
KNOCK = np.array([[1.0, 0, 10], [0, 1, 6.6]])
ROUNDS = 26


def board() -> np.ndarray:
    """Three views of a board, infrared (160x120, enlarged) above visible."""
    rig, chessboard = sample_rig('lepton'), Board('chessboard', (6, 4), 0.055)
    columns = []
    for index, pose in enumerate(poses(rig, chessboard, 3, seed=4, fill=0.5)):
        infrared, visible = render(rig, chessboard, pose, index)
        thermal = cv2.resize(to_8_bit(infrared), (320, 240), interpolation=cv2.INTER_NEAREST)
        columns.append(np.vstack([cv2.cvtColor(thermal, cv2.COLOR_GRAY2BGR),
                                  cv2.resize(visible, (320, 180),
                                             interpolation=cv2.INTER_AREA)]))
    return np.hstack(columns)


def knocked() -> np.ndarray:
    """The street by a rig knocked 12 px off, before and after registration.refine slow."""
    scene = StreetScene(640, 512, seed=3)
    frames = []
    for index in range(12):
        moment = scene.render(1.3 * index, index)
        frames.append((cv2.warpAffine(moment.infrared, KNOCK, (640, 512),
                                      borderMode=cv2.BORDER_REFLECT), moment.visible))
    pictures = []
    for refine in ('off', 'slow'):
        preparation = Preparation({'registration.refine': refine})
        seen = [preparation.prepare_images(*frames[(step // PERIOD) % 12])
                for step in range(ROUNDS * PERIOD if refine == 'slow' else 12 * PERIOD)]
        chosen = [(each.infrared, each.visible, each.valid) for each in seen[-8 * PERIOD::PERIOD]]
        pictures.append(overlay(chosen[0], residuals(chosen)))
    return np.hstack(pictures)


def parallax() -> np.ndarray:
    """The street by a rig with a baseline of 12 cm, aligned at the nearest person and far away."""
    scene = StreetScene(640, 512, seed=0, baseline_m=0.12)
    moment = scene.render(3.0)
    pictures = []
    for distance_m in (moment.depths_m[0], 100.0):
        aligned, _ = RigRegistration(scene.rig, distance_m).apply(to_8_bit(moment.infrared),
                                                                  moment.visible)
        picture = cv2.addWeighted(moment.visible, 0.7, cv2.applyColorMap(
            aligned, cv2.COLORMAP_INFERNO), 0.5, 0)
        for box in moment.boxes[:4]:
            first = int(box.left), int(box.top)
            cv2.rectangle(picture, first, (int(box.left + box.width), int(box.top + box.height)),
                          (120, 230, 120), 1)
        text = f'aligned at {distance_m:.1f} m'
        cv2.putText(picture, text, (14, 490), cv2.FONT_HERSHEY_SIMPLEX, 0.7, (255, 255, 255), 1,
                    cv2.LINE_AA)
        pictures.append(picture[130:])
    return np.hstack(pictures)


if __name__ == '__main__':
    for name, draw in (('alignment_board.jpg', board), ('alignment_knocked.jpg', knocked),
                       ('alignment_parallax.jpg', parallax)):
        cv2.imwrite(str(IMAGES / name), draw(), [cv2.IMWRITE_JPEG_QUALITY, 82])
