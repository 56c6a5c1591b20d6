"""Names of a detector's classes."""

import ast
from pathlib import Path

from dig2dig_ros.errors import InputError

# The 80 object classes of COCO 2017 (cocodataset.org), in the order that detectors put them out.
COCO = tuple("""
person,bicycle,car,motorcycle,airplane,bus,train,truck,boat,traffic light,fire hydrant,stop sign,
parking meter,bench,bird,cat,dog,horse,sheep,cow,elephant,bear,zebra,giraffe,backpack,umbrella,
handbag,tie,suitcase,frisbee,skis,snowboard,sports ball,kite,baseball bat,baseball glove,
skateboard,surfboard,tennis racket,bottle,wine glass,cup,fork,knife,spoon,bowl,banana,apple,
sandwich,orange,broccoli,carrot,hot dog,pizza,donut,cake,chair,couch,potted plant,bed,
dining table,toilet,tv,laptop,mouse,remote,keyboard,cell phone,microwave,oven,toaster,sink,
refrigerator,book,clock,vase,scissors,teddy bear,hair drier,toothbrush
""".replace('\n', '').split(','))


def read_labels(path: Path) -> tuple[str, ...]:
    """Class names from a text file, one a line, the first is class 0.

    :raises InputError: where the file is missing, is no text, or names nothing.
    """
    try:
        names = tuple(line.strip() for line in path.read_text().splitlines() if line.strip())
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f'{path}: cannot be read as a text file of class names ({error})') \
            from error
    if not names:
        raise InputError(f'{path}: names no class; write one a line, class 0 first')
    return names


def labels_in_metadata(metadata: dict[str, str]) -> tuple[str, ...] | None:
    """Class names that an export of Ultralytics carries: `names`, a dictionary as Python text."""
    try:
        names = ast.literal_eval(metadata.get('names', ''))
        return tuple(str(names[number]) for number in range(len(names))) or None
    except (ValueError, SyntaxError, KeyError, TypeError):
        return None
