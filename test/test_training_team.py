"""One training in several processes: the same steps, one writer, and a stop that resumes."""

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from dig2dig_ros.cli import main
from dig2dig_ros.commands.train import configure, train
from dig2dig_ros.errors import InputError
from dig2dig_ros.prior import load_prior
from dig2dig_ros.prior.team import Team, run_team

CPU = torch.device('cpu')


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp('pictures')
    rows, columns = np.mgrid[0:64, 0:80]
    for index in range(4):
        picture = 120 + 90 * np.sin((index + 1) * columns / 9) * np.cos(rows / (5 + index))
        cv2.imwrite(str(place / f'{index}.png'), picture.astype(np.uint8))
    return place


def options(folder, output, steps=10, **changes):
    words = ['--images', str(folder), '--output', str(output), '--size', 'tiny', '--batch', '4',
             '--steps', str(steps), '--crop', '32', '--device', 'cpu', '--precision', 'fp32']
    return ['train', *words, *(word for name, value in changes.items()
                               for word in (f'--{name}', str(value)))]


def curve(output):
    return json.loads(output.with_suffix('.json').read_text())['loss_curve']


def test_a_batch_is_shared_without_gap_or_overlap():
    shares = [Team(rank, 3).share(12) for rank in range(3)]
    assert [number for share in shares for number in range(12)[share]] == list(range(12))
    with pytest.raises(InputError, match='--batch is 4; it must be a multiple of the 3'):
        Team(0, 3).share(4)


@pytest.fixture(scope='module')
def alone(folder, tmp_path_factory):
    """Ten steps of one process."""
    output = tmp_path_factory.mktemp('alone') / 'one.safetensors'
    assert main(options(folder, output)) == 0
    return output


def test_two_processes_take_the_steps_that_one_takes(folder, alone, tmp_path):
    """The same batches: float32 curves agree to a part in ten thousand."""
    two = tmp_path / 'two.safetensors'
    assert main(options(folder, two, devices=2)) == 0
    assert [steps for steps, _ in curve(alone)] == list(range(1, 11))
    np.testing.assert_allclose(curve(two), curve(alone), rtol=1e-4)
    assert len({loss for _, loss in curve(alone)}) == 10
    for first, second in zip(load_prior(alone, CPU).parameters(),
                             load_prior(two, CPU).parameters(), strict=True):
        torch.testing.assert_close(first, second, rtol=0, atol=1e-4)
    assert sorted(path.name for path in tmp_path.iterdir()) == ['two.json', 'two.safetensors']


def interrupted(arguments, team):
    """Train; the process that does not write gets a Ctrl-C in its fourth step."""
    agree = Team.agree
    steps = []

    def agree_or_stop(self, seconds):
        steps.append(seconds)
        if len(steps) == 4 and not self.leads:
            os.kill(os.getpid(), signal.SIGINT)
        return agree(self, seconds)

    Team.agree = agree_or_stop
    return train(arguments, team)


def test_an_interrupted_team_stops_after_one_step_and_goes_on_alone(folder, alone, tmp_path):
    output = tmp_path / 'broken.safetensors'
    parser = argparse.ArgumentParser()
    configure(parser)
    with pytest.raises(KeyboardInterrupt):
        run_team(2, interrupted, parser.parse_args(options(folder, output)[1:]))
    assert torch.load(output.with_suffix('.state'), weights_only=True)['steps_done'] in (4, 5)
    assert main([*options(folder, output), '--resume']) == 0
    np.testing.assert_allclose(curve(output), curve(alone), rtol=1e-4)


def meet_and_part(rank, folder):
    """Twice; write the names of the threads that are left when the team has parted."""
    for interrupt in (False, True):
        meeting = (folder / f'meeting-{interrupt}').as_uri()
        with contextlib.suppress(KeyboardInterrupt), Team(rank, 2).assembled(meeting) as team:
            work_together(team, interrupt)
        until = time.monotonic() + 30  # a joined thread may still be listed for an instant
        while (left := gloo_threads()) and time.monotonic() < until:
            time.sleep(0.01)
        (folder / f'left.{rank}.{interrupt}').write_text(' '.join(left))


def work_together(team, interrupt):
    network = team.join(torch.nn.Linear(2, 1))
    network(torch.ones(1, 2)).sum().backward()
    if interrupt:
        raise KeyboardInterrupt


def gloo_threads():
    names = []
    for task in Path('/proc/self/task').iterdir():
        with contextlib.suppress(OSError):  # it has just ended
            names.append((task / 'comm').read_text().strip())
    return [name for name in names if 'gloo' in name]


def test_a_team_leaves_no_thread_that_aborts_the_interpreters_end(tmp_path):
    torch.multiprocessing.start_processes(
        meet_and_part, (tmp_path,), nprocs=2, start_method='forkserver')
    left = {file.name: file.read_text() for file in tmp_path.glob('left.*')}
    assert left == {f'left.{rank}.{interrupt}': ''
                    for rank in range(2) for interrupt in (False, True)}


def test_torchrun_starts_the_team_as_well(folder, tmp_path):
    output = tmp_path / 'run.safetensors'
    command = [sys.executable, '-m', 'torch.distributed.run', '--standalone',
               '--nproc-per-node', '2', '-m', 'dig2dig_ros.cli', *options(folder, output, 2)]
    process = subprocess.run(command, capture_output=True, text=True, timeout=600,
                             env=os.environ | {'OMP_NUM_THREADS': '1'})
    assert process.returncode == 0, process.stderr
    card = json.loads(output.with_suffix('.json').read_text())
    assert (card['steps'], card['devices']) == (2, 2)


def test_what_cannot_be_shared_is_refused_in_one_line(folder, tmp_path, capsys):
    output = tmp_path / 'mine.safetensors'
    assert main(options(folder, output, devices=3)) == 2
    assert capsys.readouterr().err == (
        'dig2dig train: error: --batch is 4; it must be a multiple of the 3 processes\n')
    assert main(options(folder, output, devices=2, initial=output)) == 2
    assert capsys.readouterr().err.startswith(f'dig2dig train: error: {output}: no such file')
    assert main(options(folder, output, devices=0)) == 2
    assert '--devices is 0' in capsys.readouterr().err


def test_weights_are_written_for_whom_the_umask_allows(folder, tmp_path):
    output = tmp_path / 'mine.safetensors'
    before = os.umask(0o022)
    try:
        assert main(options(folder, output, steps=1)) == 0
    finally:
        os.umask(before)
    assert output.stat().st_mode & 0o777 == 0o644


def test_a_log_gets_no_progress_bar(folder, tmp_path, capfd):
    assert main(options(folder, tmp_path / 'mine.safetensors', steps=3)) == 0
    assert capfd.readouterr().err == ''
