"""`dig2dig benchmark`: the report's keys, and what it counts."""

import json

import pytest

from dig2dig_ros.cli import main

SMALL = ['benchmark', '--size', '64x48', '--frames', '3', '--device', 'cpu']


@pytest.mark.parametrize(('options', 'calls'), [
    (['--steps', '15', '--interval', '15'], 17),
    (['--steps', '15', '--interval', '5'], 21),
    (['--steps', '5'], 7),
    (['--mode', 'one-pass'], 2),
])
def test_report_has_the_contracts_keys(tmp_path, options, calls):
    assert main([*SMALL, *options, '--json', str(tmp_path / 'b.json')]) == 0
    report = json.loads((tmp_path / 'b.json').read_text())
    assert report['network_calls'] == calls
    assert report['fps'] > 0
    assert set(report['latency_ms']) == {'p50', 'p90', 'p99'}
    assert set(report['stages_ms']) == {'upload', 'dig', 'sampling', 'download'}
    assert report['peak_memory_mb'] > 50
    assert report['size'] == '64x48'
    assert report['prior'].startswith('compact-')
    assert {'device', 'precision', 'steps', 'interval'} <= set(report)


def test_stream_saves_network_calls(tmp_path, capsys):
    assert main([*SMALL, '--stream', '--json', str(tmp_path / 'b.json')]) == 0
    assert json.loads((tmp_path / 'b.json').read_text())['network_calls'] < 17
    assert 'network calls a frame' in capsys.readouterr().out


@pytest.mark.parametrize(('options', 'complaint'), [
    (['--size', '640'], "size is '640'"),
    (['--size', '99999x99999'], 'at most 67108864 pixels'),
    (['--frames', '0'], '--frames is 0'),
    (['--stream', '--latency-budget-ms', 'nan'], 'must be at least 0'),
    (['--stream', '--latency-budget-ms', '-1'], 'must be at least 0'),
    (['--latency-budget-ms', '50'], 'add --stream'),
])
def test_bad_options_are_refused(capsys, options, complaint):
    assert main([*SMALL, *options]) == 2
    assert complaint in capsys.readouterr().err
