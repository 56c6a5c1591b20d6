"""Tables and plot of the architecture study."""

from pathlib import Path

import matplotlib
from candidates import CANDIDATES, EXTRA, Run, Sketch

from dig2dig_ros.evaluation.pages import markdown_table

matplotlib.use('Agg')  # before pyplot: no display is needed
from matplotlib import pyplot as plt

PRECISIONS = 'bf16', 'int8'
# By camera and time of day: the two ends of the ladder.
BY_KIND = '400', '73'


def tables(timed: dict, quality: dict) -> str:
    """Times of all candidates, then what the trained ones came to, as Markdown."""
    return '\n\n'.join((time_table(timed), level_table(quality), kind_table(quality)))


def time_table(timed: dict) -> str:
    """Milliseconds of processor time with one thread, and with two."""
    one, two = (timed[threads] for threads in '12')
    rows = []
    for name, candidate in CANDIDATES.items():
        sketched = candidate if isinstance(candidate, Sketch) else Sketch(candidate)
        form = sketched.form
        work = [one[name][precision]['processor'] for precision in PRECISIONS]
        rows.append((
            name, _dashed(form.widths), _dashed(form.blocks),
            f'{sketched.patch}, {sketched.patch * form.stem}',
            '3 x 3' if form.kernel == 3 else f'depthwise {form.kernel}',
            *(f'{ms:.1f}' for ms in work),
            f'{work[1] / one["small"]["int8"]["processor"]:.2f}',
            f'{work[0] / one["tiny"]["bf16"]["processor"]:.2f}',
            *(f'{two[name][precision]["processor"]:.1f}' if name in two else '–'
              for precision in PRECISIONS)))
    return markdown_table(
        ('candidate', 'widths', 'blocks', 'patch, stem', 'kernel', 'bf16', 'int8',
         'int8 to small', 'bf16 to tiny', 'two threads: bf16', 'int8'), rows)


def level_table(quality: dict) -> str:
    """Denoising in dB by level, the mean over all held-out images."""
    levels = list(next(iter(quality.values()))['denoising_psnr_db']['all'])
    rows = []
    for key, entry in quality.items():
        found = entry['denoising_psnr_db']['all']
        rows.append((key, str(entry.get('processor_s', '–')),
                     *(f'{found[level]:.1f}' for level in levels)))
    return markdown_table(
        ('trained', 'processor s', *(f't = {level}' for level in levels)), rows)


def kind_table(quality: dict) -> str:
    """Denoising in dB by camera and time of day, at two levels."""
    kinds = [kind for kind in next(iter(quality.values()))['denoising_psnr_db'] if kind != 'all']
    rows = []
    for key, entry in quality.items():
        found = entry['denoising_psnr_db']
        rows.append((key, *(' / '.join(f'{found[kind][level]:.1f}' for level in BY_KIND)
                            for kind in kinds)))
    return markdown_table((f'dB at t = {" / ".join(BY_KIND)}', *kinds), rows)


def plot(path: Path, timed: dict, quality: dict, steps: int) -> None:
    """Denoising against time at three levels of the ladder, and the losses of the training.

    :param steps: of the trainings shown on the left.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.2), constrained_layout=True)
    one = timed['1']
    names = [name for name in CANDIDATES if Run(name, steps).key in quality]
    for level, marker in (('400', 'o'), ('204', 's'), ('73', '^')):
        for name in names:
            decibels = quality[Run(name, steps).key]['denoising_psnr_db']['all'][level]
            left.plot(_best(one[name]), decibels, marker, color=f'C{names.index(name)}',
                      label=name if level == '400' else None)
        last = quality[Run(names[0], steps).key]['denoising_psnr_db']['all'][level]
        left.annotate(f't = {level}', (_best(one[names[0]]), last), fontsize=8,
                      textcoords='offset points', xytext=(8, 0))
    left.set_xlabel('ms of a call, two images of 640x512, one thread, the faster precision')
    left.set_ylabel(f'denoising PSNR after {steps} steps, dB')
    left.legend(frameon=False, fontsize=8, loc='center', bbox_to_anchor=(0.81, 0.62))
    for run in EXTRA:
        if run.key in quality and not run.taught:
            curve = quality[run.key]['loss_curve']
            right.plot(*zip(*curve, strict=True), label=run.name)
    right.set_ylim(0.1, 0.6)
    right.set_xlabel('steps')
    right.set_ylabel('training loss, running mean')
    right.legend(frameon=False, fontsize=8)
    for axis in (left, right):
        axis.spines[['top', 'right']].set_visible(False)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _best(times: dict) -> float:
    return min(times[precision]['processor'] for precision in PRECISIONS)


def _dashed(counts: tuple[int, ...]) -> str:
    return ', '.join(map(str, counts))
