"""Scenes of `dig2dig fuse`: files in, fused image and weight maps out. Serial runs use it, too."""

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from dig2dig_ros.camera.preparation import Preparation
from dig2dig_ros.engine import FusionEngine, FusionResult
from dig2dig_ros.errors import InputError
from dig2dig_ros.fleet.engines import EngineChoice
from dig2dig_ros.images import read_image, to_8_bit, write_image
from dig2dig_ros.overlay import weight_overlay


class Scene(NamedTuple):
    """Files of one scene, and where its fused image goes.

    Attributes:
        memory: of the preparation before this scene, see `Preparation.memory`; None: of the
            scenes that the same `SceneFuser` fused before.
        alone: nothing carries over to this scene or from it, or so its folder began.
    """

    stem: str
    files: Sequence[Path]
    output: Path
    memory: Mapping[str, Any] | None = None
    alone: bool = False


class SceneFuser:
    """Fuses scenes with one engine.

    Attributes:
        names: of the K sources.
        preparation: of infrared and visible; None for other sources.
    """

    def __init__(self, engine: FusionEngine, names: Sequence[str],
                 camera: Mapping[str, Any] | None, weights_folder: Path | None,
                 pairs: int = 0):
        """Take an engine.

        :param names: of the K sources.
        :param camera: settings of `Preparation`, for infrared and visible, which then are
            prepared as a node does; None: other sources, each by itself.
        :param weights_folder: for the weight maps; None for none.
        :param pairs: how many scenes there will be, of one rig; 0: not all are seen here.
        """
        self._engine, self.names, self._weights_folder = engine, names, weights_folder
        self.preparation = None if camera is None else Preparation(camera)
        if self.preparation:
            self.preparation.expect(pairs)

    def fuse(self, scene: Scene) -> tuple[dict, list[np.ndarray], FusionResult]:
        """Fuse and write one scene.

        :returns: what the JSON report says of it; its prepared sources; the result.
        :raises InputError: where a file cannot be read, fused or written.
        """
        images, valid = self._prepare(scene)
        result = self._engine.fuse(images, valid)
        # The image last: where it is, all is.
        if self._weights_folder:
            self._write_weights(scene.stem, result)
        write_image(scene.output, result.image)
        entry = {'stem': scene.stem, 'output': str(scene.output), 'ms': result.timing.total_ms,
                 'network_calls': result.timing.network_calls}
        return entry, images, result

    def _prepare(
            self, scene: Scene) -> tuple[list[np.ndarray], list[np.ndarray | None] | None]:
        images = [read_image(file) for file in scene.files]
        if self.preparation is None:
            return [to_8_bit(image) for image in images], None
        if scene.alone:
            self.preparation.reset()
        elif scene.memory is not None:
            self.preparation.recall(scene.memory)
        infrared, visible, valid, _ = self.preparation.prepare_images(*images)
        if scene.alone and self.preparation.remembers:
            raise InputError('deeper than 8 bits, unlike the first images of the folder, so its '
                             'gain depends on those before; give --smoothing 0, or no --ray')
        return [infrared, visible], [valid, None]

    def _write_weights(self, stem: str, result: FusionResult) -> None:
        for name, weight in zip(self.names, result.weights, strict=True):
            levels = (weight * 65535).round().astype(np.uint16)
            write_image(self._weights_folder / f'{stem}_{name}.png', levels)
        write_image(self._weights_folder / f'{stem}_overlay.png',
                    weight_overlay(result.image, result.weights))


@dataclasses.dataclass(frozen=True)
class SceneJob:
    """Fuses scenes on a worker; an item is a `Scene`."""

    choice: EngineChoice
    names: Sequence[str]
    camera: Mapping[str, Any] | None
    weights_folder: Path | None

    def open(self) -> Callable[[Scene], dict]:
        """Load the engine."""
        fuser = SceneFuser(self.choice.load(), self.names, self.camera, self.weights_folder)
        return lambda scene: fuser.fuse(scene)[0]


def with_memory(scenes: Sequence[Scene], camera: Mapping[str, Any] | None,
                progress: Callable[[Iterable], Iterable] = iter) -> list[Scene]:
    """Give each scene the gain control's state that a serial run has before it.

    8-bit images need none, so a folder that begins with them is read no further. Raw ones are all
    read and followed here, which takes milliseconds a scene.

    :param camera: settings of `Preparation`; None where nothing carries over.
    :param progress: wraps the loop over all, as tqdm does.
    """
    if camera is None:
        return list(scenes)
    preparation = Preparation(camera)
    preparation.expect(0)
    if not _begins_raw(preparation, scenes):
        return [scene._replace(alone=True) for scene in scenes]
    preparation.reset()
    told = []
    for scene in progress(scenes):
        told.append(scene._replace(memory=preparation.memory))
        _follow(preparation, scene)
    return told


def _begins_raw(preparation: Preparation, scenes: Sequence[Scene]) -> bool:
    return any(_follow(preparation, scene) for scene in scenes) and preparation.remembers


def _follow(preparation: Preparation, scene: Scene) -> bool:
    """Prepare a scene for its effect on the next one; False where it cannot be read."""
    try:
        preparation.prepare_images(*(read_image(file) for file in scene.files))
    except InputError:
        return False
    return True
