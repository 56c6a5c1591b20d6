"""Fusing folders of pairs for `dig2dig evaluate`."""

import argparse
from collections.abc import Mapping
from pathlib import Path

from tqdm import tqdm

from dig2dig_ros.commands.engine_options import settings_from
from dig2dig_ros.engine import FusionEngine
from dig2dig_ros.errors import InputError
from dig2dig_ros.evaluation.noise import CameraNoise
from dig2dig_ros.images import match_folders, read_image, to_8_bit, write_image


def fuse_folders(arguments: argparse.Namespace, folders: Mapping[str, Path], output: Path,
                 noise: CameraNoise | None) -> dict[str, str]:
    """Fuse what all folders have, by the engine's options, as `dig2dig fuse` does.

    :param noise: added to infrared and visible first.
    :returns: why a scene could not be fused, by stem.
    :raises InputError: where none could.
    """
    matched, _ = match_folders(list(folders.values()))
    engine = FusionEngine.load(arguments.checkpoint, arguments.device, settings_from(arguments))
    failed = {}
    for stem, paths in tqdm(matched, desc='fusing', unit='image', disable=None):
        try:
            images = [to_8_bit(read_image(path)) for path in paths]
            if noise:
                images = list(noise.apply(stem, *images))
            write_image(output / f'{stem}.png', engine.fuse(images).image)
        except InputError as error:
            failed[stem] = str(error)
    if len(failed) == len(matched):
        raise InputError(f'no scene could be fused; {matched[0][0]}: {failed[matched[0][0]]}')
    return failed
