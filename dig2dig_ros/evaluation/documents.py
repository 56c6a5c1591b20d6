"""What the evaluation commands write for other programs."""

import json
import math
from pathlib import Path

from dig2dig_ros.locations import write_text


def write_json(path: Path, document: dict) -> None:
    """Write strict JSON, making the folder: a figure that is not finite becomes null.

    :raises InputError: where it cannot be written.
    """
    write_text(path, json.dumps(_finite(document), indent=2, allow_nan=False) + '\n')


def _finite(value: object) -> object:
    if isinstance(value, dict):
        return {key: _finite(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
