"""Workers that die, refuse and fail: the rest completes, and each failure has its reason."""

import contextlib
import dataclasses
import errno
import os
import signal
import sys
from pathlib import Path

import pytest

from dig2dig_ros.errors import InputError
from dig2dig_ros.fleet.job import Bench, Item, Outcome, reason
from dig2dig_ros.fleet.journal import FOLDER, Journal, journal
from dig2dig_ros.fleet.options import RayOptions


@dataclasses.dataclass(frozen=True)
class Deadly:
    """Gives the square of a number; some numbers kill the worker, once or always."""

    folder: Path

    def open(self):
        def work(number):
            if number == 3 and not (self.folder / 'killed').exists():
                (self.folder / 'killed').touch()
                os.kill(os.getpid(), signal.SIGKILL)
            if number == 5:
                os.kill(os.getpid(), signal.SIGKILL)
            if number == 7:
                raise OSError(errno.ENOSPC, 'No space left on device', 'x.png')
            if number == 8:
                raise InputError('eight is refused')
            import torch
            return number ** 2, os.getpid(), torch.get_num_threads()
        return work


@dataclasses.dataclass(frozen=True)
class Unready:
    """Cannot be opened."""

    def open(self):
        raise InputError('no such checkpoint')


def test_the_rest_completes_whatever_a_worker_dies_of(tmp_path, ray_address):
    import ray
    # Workers cannot import a test's module.
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    from dig2dig_ros.fleet.crew import crew
    with crew(Deadly(tmp_path), RayOptions(ray_address, workers=2), 'cpu', items=12) as workers:
        def follow(outcome):
            return [Item(100, 100)] if outcome.key == 11 else []
        outcomes = {outcome.key: outcome for outcome in workers.work(
            (Item(number, number) for number in range(12)), follow)}
        again = list(workers.work([Item('last', 12)]))
    assert outcomes.keys() == {*range(12), 100}
    assert {key: outcome.value[0] for key, outcome in outcomes.items() if outcome.value} == {
        key: key ** 2 for key in (0, 1, 2, 3, 4, 6, 9, 10, 11, 100)}
    assert outcomes[5].error.startswith('its worker died each time')
    assert outcomes[7].error == 'x.png: No space left on device'
    assert outcomes[8].error == 'eight is refused'
    assert again[0].value[0] == 144
    assert {outcome.value[2] for outcome in outcomes.values() if outcome.value} == {1}
    assert os.getpid() not in {outcome.value[1] for outcome in outcomes.values() if outcome.value}


def test_what_cannot_start_is_refused(ray_address):
    import ray
    # Workers cannot import a test's module.
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    from dig2dig_ros.fleet.crew import crew
    for job, options, device, complaint in (
            (Unready(), RayOptions(ray_address, workers=1), 'cpu', 'no such checkpoint'),
            (Unready(), RayOptions(ray_address), 'cuda', 'the Ray cluster has no GPU'),
            (Unready(), RayOptions('127.0.0.1:1'), 'cpu', '--ray 127.0.0.1:1: ')):
        with pytest.raises(InputError, match=complaint), crew(job, options, device, 5):
            pass


def test_a_bench_opens_its_job_once_and_gives_reasons(tmp_path):
    bench = Bench(Deadly(tmp_path), threads=1)
    assert bench.open() is None
    assert bench.do(Item('a', 2)).value[0] == 4
    assert bench.do(Item('b', 8)) == Outcome('b', error='eight is refused')
    assert Bench(Unready(), 1).open() == 'no such checkpoint'
    assert Bench(Unready(), 1).do(Item('c', 1)).error == 'no such checkpoint'
    assert reason(ZeroDivisionError('by\nzero')).startswith('ZeroDivisionError: by zero (process')


WAY = {'settings': {'steps': 15}}


def test_a_journal_knows_what_was_done_in_the_same_way(tmp_path):
    with journal(tmp_path, 'fuse', WAY) as first:
        first.add('a', ['1', '2'], {'ms': 3.5})
        first.write()
        first.add('b', ['1'], {'ms': float('nan')})
    with contextlib.suppress(KeyboardInterrupt), journal(tmp_path, 'fuse', WAY) as second:
        assert second.get('a', ['1', '2']) == {'ms': 3.5}
        assert second.get('a', ['1', 'changed']) is None
        assert second.get('c', []) is None
        second.add('c', [], 1)
        raise KeyboardInterrupt
    third = Journal(tmp_path, 'fuse', WAY)
    assert third.done.keys() == {'a', 'b', 'c'}
    assert len(list((tmp_path / FOLDER).iterdir())) == 1, 'parts are put together'
    assert Journal(tmp_path, 'evaluate', WAY).done == {}
    assert Journal(tmp_path, 'fuse', {'settings': {'steps': 5}}).done == {}
    assert Journal(tmp_path, 'fuse', WAY).done == {}, 'the output has been written over'


def test_a_journal_on_a_full_disk_does_not_end_the_run(tmp_path, capsys):
    (tmp_path / FOLDER).write_text('in the way')
    with journal(tmp_path, 'fuse', WAY) as opened:
        opened.add('a', [], 1)
        opened.write()
        opened.add('b', [], 2)
        assert capsys.readouterr().err.count('cannot be noted') == 1
        (tmp_path / FOLDER).unlink()
    assert Journal(tmp_path, 'fuse', WAY).done.keys() == {'a', 'b'}


@pytest.mark.needs('upath')
def test_a_journal_lies_by_url_as_well():
    from dig2dig_ros.locations import location
    place = location('memory://journal/fused')
    with journal(place, 'fuse', WAY) as first:
        first.add('a', 's', 1)
    assert Journal(place, 'fuse', WAY).get('a', 's') == 1
