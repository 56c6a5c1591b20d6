"""Run the studies and put their tables and figures into docs/results.md.

    python studies/regenerate.py DATA

DATA has dev_pairs/{MSRS,RoadScene,VIFB}/{ir,vi}, mff/{a,b}, mef/{under,over}, sequences and
detector. The text of docs/results.md is written by hand; what stands between its markers is
replaced. Finished cells are kept under --work, so an interrupted run goes on where it was.
"""

import argparse
import csv
import json
import shutil
import sys
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from dig2dig_ros.cli import main as dig2dig
from dig2dig_ros.evaluation.documents import write_json
from dig2dig_ros.evaluation.evaluate import Scores, mean_scores
from dig2dig_ros.evaluation.metrics import luminance
from dig2dig_ros.evaluation.pages import fill, markdown_table
from dig2dig_ros.evaluation.study import choose
from dig2dig_ros.evaluation.tables import markdown
from dig2dig_ros.images import images_by_stem, match_folders, read_image, write_image

HERE = Path(__file__).resolve().parent
DOCS = HERE.parent / 'docs'
DEV_SETS = ('MSRS', 'RoadScene', 'VIFB')
# Scenes of the grids: so few that all of it takes minutes on two free cores.
SUBSET = {'MSRS': 2, 'RoadScene': 3, 'VIFB': 3}
MORE = {'MSRS': 6, 'RoadScene': 8, 'VIFB': 8}  # for the grid that costs least
STUDIES = ('table3', 'table4', 'table5', 'guidance')
FIGURES = ('figure5', 'figure5_low')
QUALITY = ('PSNR', 'SSIM', 'MSE', 'CC', 'Nabf', 'Qabf', 'VIF', 'SCD', 'SD', 'EN', 'SF', 'AG', 'EI',
           'MI')
LIVE = ('flicker', 'PSNR', 'SSIM', 'CC', 'Nabf', 'Qabf', 'VIF', 'SCD')
SEQUENCES = {'smoke': 'm3svd_0117_1605', 'crowd': 'm3svd_0115_1834', 'stairs': 'm3svd_0111_1716'}
SEQUENCE_FRAMES = 12


def main() -> int:
    """Run everything that is not there yet and rewrite the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('data', type=Path, metavar='DATA')
    parser.add_argument('--work', type=Path, default=Path('out/studies'), metavar='DIR')
    parser.add_argument('--device', default='auto')
    arguments = parser.parse_args()
    work, data = arguments.work.resolve(), arguments.data.resolve()
    page = DOCS / 'results.md'

    def study(name: str, grid: str, sources: list[str], *options: str) -> Path:
        print(f'== {name}', flush=True)
        run(['study', str(HERE / f'{grid}.yaml'), '--output', str(work / name), '--device',
             arguments.device, *sources, *options])
        return work / name

    def write(name: str, content: str) -> None:
        page.write_text(fill(page.read_text(), name, content))

    everything = link_pairs(data, work / 'all_pairs', dict.fromkeys(DEV_SETS))
    shipped = study('all', 'all', everything)
    write('all', markdown(means(HERE / 'peers.csv', QUALITY)
                          | means(shipped / 'table.csv', QUALITY), 'mean of 67', QUALITY))
    write('detect', people(data, everything, shipped, work))
    few = link_pairs(data, work / 'pairs', SUBSET)
    for name in STUDIES:
        write(name, table(study(name, name, few)))
    more = link_pairs(data, work / 'more_pairs', MORE)
    write('levels', table(study('levels', 'levels', more)))
    for name in FIGURES:
        shutil.copy(study(name, name, few) / 'curves.png', DOCS / 'images' / f'{name}.png')
    for name, sides in (('mff', 'ab'), ('mef', ('under', 'over'))):
        folders = [str(data / name / side) for side in sides]
        write(name, table(study(name, 'general', ['--sources', *folders], '--limit', '6')))
    for name, sequence in SEQUENCES.items():
        frames = link_frames(data / 'sequences' / sequence, work / f'frames_{name}')
        places = {how: study(f'video_{name}_{how}', 'video', frames, *options)
                  for how, options in (('stream', ['--video']), ('alone', []))}
        fused = [f'--fused={cell}, {how}={place / cell}'
                 for cell in ('default', 'one-pass') for how, place in places.items()]
        run(['evaluate', '--video', *frames, *fused, '--csv', str(work / f'video_{name}.csv')])
        write(f'video {name}', markdown(means(work / f'video_{name}.csv', LIVE), name, LIVE))
    return 0


def run(arguments: list[str]) -> None:
    """Run one dig2dig command; it has said what was wrong where it fails."""
    if dig2dig(arguments):
        raise SystemExit(f'dig2dig {arguments[0]} failed')


def kept(path: Path, make: Callable[[], dict]) -> dict:
    """What `make` makes, from the file if it was made before; keys are text, as in JSON."""
    if not path.exists():
        write_json(path, make())
    return json.loads(path.read_text())


def pair_options(infrared: Path, visible: Path) -> list[str]:
    """Name an infrared and a visible folder on the command line."""
    return ['--infrared', str(infrared), '--visible', str(visible)]


def link_pairs(data: Path, folder: Path, counts: dict[str, int | None]) -> list[str]:
    """Link so many pairs of every set, evenly spaced, under the stem SET_STEM.

    :returns: the options that name the two folders.
    """
    shutil.rmtree(folder, ignore_errors=True)
    places = [folder / 'infrared', folder / 'visible']
    for place in places:
        place.mkdir(parents=True)
    for name, count in counts.items():
        pairs, _ = match_folders([data / 'dev_pairs' / name / side for side in ('ir', 'vi')])
        for stem, files in choose(pairs, count, video=False):
            for place, file in zip(places, files, strict=True):
                (place / f'{name}_{stem}{file.suffix}').symlink_to(file)
    return pair_options(*places)


def link_frames(sequence: Path, folder: Path) -> list[str]:
    """Link the first frames of a sequence.

    :returns: the options that name the two folders.
    """
    shutil.rmtree(folder, ignore_errors=True)
    places = [folder / 'infrared', folder / 'visible']
    for place in places:
        place.mkdir(parents=True)
    pairs, _ = match_folders([sequence / side for side in ('ir', 'vi')])
    for _, files in choose(pairs, SEQUENCE_FRAMES, video=True):
        for place, file in zip(places, files, strict=True):
            (place / file.name).symlink_to(file)
    return pair_options(*places)


def means(path: Path, metrics: Sequence[str]) -> dict[str, Scores]:
    """Mean of each method in a CSV that has a line for every image."""
    rows = defaultdict(list)
    with path.open(newline='') as file:
        for row in csv.DictReader(file):
            rows[row['method']].append({name: float(row[name]) for name in metrics})
    return {method: mean_scores(scores) for method, scores in rows.items()}


def table(folder: Path, metrics: Sequence[str] = (*QUALITY, 'network_calls')) -> str:
    """Mean of each cell of a study, as Markdown."""
    return markdown(means(folder / 'table.csv', metrics), 'cell', metrics)


def people(data: Path, sources: list[str], shipped: Path, work: Path) -> str:
    """What the detector finds in the sources and in the images of a study, as Markdown."""
    grey = {'visible': work / 'all_pairs/visible', 'one-pass': shipped / 'one-pass'}
    views = {view: shipped / view for view in ('DIG-15', 'one-pass')}
    for view, folder in grey.items():
        views[f'{view}, as grey image'] = place = work / f'grey_{view}'
        for stem, path in images_by_stem(folder).items():
            write_image(place / f'{stem}.png', luminance(read_image(path)).astype(np.uint8))
    output = work / 'people.json'
    fused = [f'--fused={view}={folder}' for view, folder in views.items()]
    run(['detect-check', '--model', str(data / 'detector/FastestDet.onnx'), *sources, *fused,
         '--json', str(output)])
    return markdown_table(('view', 'people', 'mean confidence', 'images with people'), (
        (view, str(found['found']), f'{found["mean_confidence"]:.3f}',
         str(found['images_with_people']))
        for view, found in json.loads(output.read_text())['people'].items()))


if __name__ == '__main__':
    sys.exit(main())
