"""Shared memory that has room for images, where Fast DDS is used."""

import os
import shutil
import sys
from pathlib import Path
from xml.etree import ElementTree

FAST_DDS_2 = 'FASTRTPS_DEFAULT_PROFILES_FILE'
"""Names the profile up to Jazzy; from Kilted on it is deprecated, with a warning."""
FAST_DDS_3 = 'FASTDDS_DEFAULT_PROFILES_FILE'
"""Names the profile from Kilted on; Jazzy takes no notice of it."""
SHARED_MEMORY = Path('/dev/shm')
_MEGABYTE = 2**20
_BESIDE_THE_SEGMENT = 2 * _MEGABYTE
"""Port files, and 5 % of the segment for its bookkeeping (seen: 18.2e6 bytes for 16 MB)."""


def use_image_profile() -> str:
    """Have this process use config/fastdds_shm.xml, unless the user has chosen a profile.

    Images are larger than Fast DDS's default shared memory, and most would be lost. Call it
    before rclpy.init; other middlewares take no notice of it.

    :returns: why images may be lost on this machine all the same; empty where all is well.
    """
    variable = profile_variable()
    chosen = os.environ.get(FAST_DDS_2) or os.environ.get(FAST_DDS_3)
    profile = _profile()
    if not os.environ.get('RMW_IMPLEMENTATION', 'rmw_fastrtps').startswith('rmw_fastrtps'):
        return ''
    if chosen:
        # Whichever name the user knows: this Fast DDS reads one of them.
        os.environ.setdefault(variable, chosen)
        return ''
    if profile is None:
        return ''
    problem = shared_memory_problem(profile)
    if not problem:
        os.environ[variable] = str(profile)
    return problem


def profile_variable() -> str:
    """The environment variable that the Fast DDS of this ROS reads."""
    is_3 = any(Path(prefix, 'share/fastdds').is_dir() for prefix in _prefixes())
    return FAST_DDS_3 if is_3 else FAST_DDS_2


def shared_memory_problem(profile: Path, folder: Path = SHARED_MEMORY) -> str:
    """Tell whether the segment of a profile does not fit into what is free."""
    size = ElementTree.parse(profile).find('.//{*}segment_size')
    needed = round(1.05 * int(size.text)) + _BESIDE_THE_SEGMENT
    free = shutil.disk_usage(folder).free if folder.is_dir() else 0
    if free >= needed:
        return ''
    return (f'{folder} has {free / _MEGABYTE:.0f} MB free and shared memory for images takes '
            f'{needed / _MEGABYTE:.0f} MB a process: without it large images are lost; in a '
            'container use --ipc=host or a larger --shm-size; `fastdds shm clean` takes away what '
            'killed processes have left (docs/middleware.md)')


def _prefixes() -> list[str]:
    ament = os.environ.get('AMENT_PREFIX_PATH', '')
    return [sys.prefix, *(prefix for prefix in ament.split(os.pathsep) if prefix)]


def _profile() -> Path | None:
    """Find the profile in the checkout, the environment or a ROS workspace."""
    folders = [Path(__file__).parents[2],
               *(Path(prefix, 'share/dig2dig') for prefix in _prefixes())]
    files = [folder / 'config/fastdds_shm.xml' for folder in folders]
    return next((file for file in files if file.is_file()), None)
