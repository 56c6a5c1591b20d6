"""Calibration and alignment of rendered cameras, which are known to the digit."""

import tempfile
from pathlib import Path

import cv2
import numpy as np

from dig2dig_ros.alignment.align import align
from dig2dig_ros.alignment.calibrate import calibrate
from dig2dig_ros.alignment.targets import Target
from dig2dig_ros.camera.rig_registration import RigRegistration
from dig2dig_ros.synthetic.boards import Board, poses, render, sample_rig
from dig2dig_ros.synthetic.street import StreetScene


def rendered(kind: str, count: int) -> dict[str, float]:
    """Calibrate rendered boards of known cameras."""
    truth, board = sample_rig(kind), Board('chessboard', (6, 4), 0.055)
    scenes = []
    with tempfile.TemporaryDirectory() as place:
        for index, pose in enumerate(poses(truth, board, count, fill=0.5)):
            files = [Path(place) / f'{index}{side}.png' for side in 'iv']
            for file, image in zip(files, render(truth, board, pose, index), strict=True):
                cv2.imwrite(str(file), image)
            scenes.append((str(index), files))
        found = calibrate(Target('chessboard', (6, 4), 0.055), scenes)
    turn = cv2.Rodrigues(found.rig.rotation @ truth.rotation.T)[0]
    length = np.linalg.norm(truth.translation)
    return {'views': count, 'infrared_rms_px': found.rms_px[0],
            'transfer_median_px': float(np.median(found.transfer_px)),
            'transfer_p95_px': float(np.percentile(found.transfer_px, 95)),
            'rotation_deg': float(np.degrees(np.linalg.norm(turn))),
            'baseline_percent': float(100 * abs(np.linalg.norm(found.rig.translation) / length - 1)
                                      )}


def lenses(seeds: int = 4, frames: int = 8) -> dict[str, dict[str, float]]:
    """Align the rendered street's far parts, whose lenses are distorted, with and without them."""
    errors: dict[str, list[float]] = {'a rotation of known lenses': [], 'a similarity': []}
    for seed in range(seeds):
        scene = StreetScene(640, 512, seed=seed, baseline_m=0.005)
        moments = [scene.render(1.7 * index + 1, index) for index in range(frames)]
        pairs = [(each.infrared, each.visible) for each in moments]
        rig = scene.rig
        turned = align(pairs, lenses=(rig.infrared, rig.visible))
        columns, rows = (np.linspace(0.1, 0.9, 9) * side for side in rig.visible.size)
        truth = RigRegistration(rig, 1e4).sources(columns, rows)
        visible = np.stack(np.meshgrid(columns, rows), axis=-1).reshape(-1, 1, 2)
        plain = cv2.perspectiveTransform(visible, np.linalg.inv(align(pairs).homography))[:, 0]
        for title, places in zip(errors, (RigRegistration(turned.rig, 1e4).sources(columns, rows),
                                          plain), strict=True):
            errors[title] += np.linalg.norm(places - truth, axis=1).tolist()
    return {title: {'median_px': float(np.median(found)), 'max_px': max(found)}
            for title, found in errors.items()}
