"""Where the synthetic cameras get their pictures: the rendered street, or a folder of pairs."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from dig2dig_ros.alignment.rig import CameraRig
from dig2dig_ros.errors import InputError
from dig2dig_ros.images import in_colour, in_grey, match_folders, read_image
from dig2dig_ros.synthetic.misalignment import ALIGNED, misaligned
from dig2dig_ros.synthetic.street import SceneFrame, StreetScene

FOLDER_NAMES = (('ir', 'vi'), ('infrared', 'visible'))


class ImageSource(Protocol):
    """Something that two cameras look at.

    Attributes:
        rig: the two cameras, where they are known.
    """

    rig: CameraRig | None

    def frame(self, index: int, time_s: float) -> SceneFrame:
        """Return what they see."""


class Street:
    """The rendered night street."""

    def __init__(self, width: int, height: int, seed: int,
                 infrared_homography: Sequence[float], baseline_m: float) -> None:
        self._scene = StreetScene(width, height, seed, infrared_homography, baseline_m)
        self.rig = self._scene.rig

    def frame(self, index: int, time_s: float) -> SceneFrame:
        """Render one moment."""
        return self._scene.render(time_s, index)


class Folder:
    """Real pairs, matched by stem, over and over."""

    rig: CameraRig | None = None

    def __init__(self, folder: Path, infrared_homography: Sequence[float]) -> None:
        """Find the pairs.

        :param folder: has the folders `ir` and `vi`, or `infrared` and `visible`.
        :param infrared_homography: see `misaligned`.
        :raises InputError: where it has not, or they hold no pairs.
        """
        names = next((names for names in FOLDER_NAMES
                      if all((folder / name).is_dir() for name in names)), None)
        if names is None:
            raise InputError(f'{folder} must have the folders ir and vi, or infrared and visible')
        self._infrared_homography = infrared_homography
        self._pairs, _ = match_folders([folder / name for name in names])

    def frame(self, index: int, time_s: float) -> SceneFrame:
        """Read one pair; grey visible images are made BGR, infrared keeps its depth."""
        _, paths = self._pairs[index % len(self._pairs)]
        infrared, visible = map(read_image, paths)
        infrared, visible = in_grey(infrared), in_colour(visible)
        if visible.dtype != np.uint8:
            visible = (visible >> 8).astype(np.uint8)
        return SceneFrame(misaligned(infrared, self._infrared_homography), visible, [])


def make_source(pairs: str, width: int, height: int, seed: int,
                infrared_homography: Sequence[float] = ALIGNED,
                baseline_m: float = 0.0) -> ImageSource:
    """Choose the source that the parameters ask for.

    :param baseline_m: see `StreetScene`.
    """
    if pairs:
        return Folder(Path(pairs), infrared_homography)
    return Street(width, height, seed, infrared_homography, baseline_m)
