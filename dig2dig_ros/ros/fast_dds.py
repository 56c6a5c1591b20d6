"""Shared memory that has room for images, where Fast DDS is used."""

import os
import sys
from pathlib import Path

PROFILE_VARIABLE = 'FASTRTPS_DEFAULT_PROFILES_FILE'


def use_image_profile() -> None:
    """Have this process use config/fastdds_shm.xml, unless the user has chosen a profile.

    Images are larger than Fast DDS's default shared memory, and most would be lost. Call it
    before rclpy.init; other middlewares take no notice of it.
    """
    profile = _profile()
    if profile:
        os.environ.setdefault(PROFILE_VARIABLE, str(profile))


def _profile() -> Path | None:
    """Find the profile in the checkout, the environment or a ROS workspace."""
    prefixes = [sys.prefix, *os.environ.get('AMENT_PREFIX_PATH', '').split(os.pathsep)]
    folders = [Path(__file__).parents[2], *(Path(prefix, 'share/dig2dig') for prefix in prefixes)]
    files = [folder / 'config/fastdds_shm.xml' for folder in folders]
    return next((file for file in files if file.is_file()), None)
