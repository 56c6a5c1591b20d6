"""Views of a board by a rig of known lenses, rendered once for all tests."""

import dataclasses
import functools

import cv2
import numpy as np

from dig2dig_ros.synthetic.boards import Board, poses, render, sample_rig

BOARD = Board('chessboard', (6, 4), 0.055)


@functools.cache
def lepton_rig():
    """A 160x120 thermal camera and, as fewer pixels do, a visible one of 640x360."""
    rig = sample_rig('lepton')
    halved = np.array([[0.5, 1, 0.5], [1, 0.5, 0.5], [1, 1, 1]]) * rig.visible.matrix
    return dataclasses.replace(rig, visible=dataclasses.replace(
        rig.visible, size=(640, 360), matrix=halved - [[0, 0, 0.25], [0, 0, 0.25], [0, 0, 0]]))


@functools.cache
def lepton_views(count=14):
    """Infrared uint16 and visible BGR uint8 of so many views."""
    rig = lepton_rig()
    return [render(rig, BOARD, pose, index)
            for index, pose in enumerate(poses(rig, BOARD, count, fill=0.5))]


def recorded(folder, views):
    """Write views to files; returns the scenes and the options of the command."""
    scenes = []
    for index, pair in enumerate(views):
        files = tuple(folder / camera / f'{index:02}.png' for camera in ('infrared', 'visible'))
        for file, image in zip(files, pair, strict=True):
            file.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(file), image)
        scenes.append((f'{index:02}', files))
    return scenes, ['--infrared', str(folder / 'infrared'), '--visible', str(folder / 'visible')]
