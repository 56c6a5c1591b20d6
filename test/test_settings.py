"""Settings refuse what makes no sense, naming it and what is right; presets are bases of them."""

import argparse
import dataclasses
import subprocess
import sys

import pytest

from dig2dig_ros.commands.engine_options import add_engine_options, settings_from
from dig2dig_ros.errors import InputError
from dig2dig_ros.settings import OPTIONS, PRESETS, FusionSettings


@pytest.mark.parametrize(('setting', 'value', 'allowed'), [
    ('steps', 0, 'an int from 1 to 1000'),
    ('steps', 2.5, 'an int from'),
    ('steps', True, 'an int from'),
    ('interval', 16, r'from 1 to steps \(15\)'),
    ('interval', -1, 'from 0 to 1000'),
    ('temperature', 0.0, 'from 0.0001 to 10000'),
    ('temperature', float('nan'), 'a float from'),
    ('strength', 1.5, 'from 0 to 1'),
    ('window', 4, 'from 1 to 255 pixels in steps of 2'),
    ('power', 0.5, 'from 1 to 100'),
    ('t_max', 1000, 'from 1 to 999'),
    ('levels', 536, r'from 1 to t_max \(535\)'),
    ('draws', 65, 'from 0 to 64'),
    ('scale', 0.0, 'from 0.05 to 1'),
    ('mode', 'fast', 'sample, one-pass'),
    ('guidance', 'ddim', 'em, ddfm'),
    ('divergence', 'kl', 'l2, l1, ssim'),
    ('reference', 'both', 'visible, infrared, none'),
    ('normalise', 1, 'a bool'),
    ('seed', -1, 'from 0 to 2147483647'),
])
def test_bad_value_is_named_with_what_is_allowed(setting, value, allowed):
    with pytest.raises(InputError, match=f'{setting} is .*{allowed}'):
        FusionSettings(**{setting: value})


@pytest.mark.parametrize(('given', 'interval'), [
    ({}, 15), ({'steps': 5}, 5), ({'steps': 25}, 15), ({'steps': 5, 'interval': 0}, 5),
    ({'steps': 5, 'interval': None}, 5), ({'steps': 25, 'interval': 20}, 20),
])
def test_s_has_one_default(given, interval):
    assert FusionSettings(**given).interval == interval
    assert FusionSettings(**given) == FusionSettings(**{**given, 'interval': interval})


def test_a_whole_number_is_good_for_a_float():
    assert FusionSettings(temperature=1) == FusionSettings(temperature=1.0)
    assert type(FusionSettings(temperature=1).temperature) is float


def test_more_steps_than_timesteps_are_refused_where_they_are_run():
    with pytest.raises(InputError, match=r'steps is 15; it must be from 1 to t_max \+ 1 \(11\)'):
        FusionSettings(t_max=10)
    assert FusionSettings(mode='one-pass', t_max=10).steps == 15


def test_the_paper_is_the_method_as_printed():
    assert FusionSettings.preset('paper') == FusionSettings(
        mode='sample', steps=15, interval=10, t_max=999, divergence='l2', temperature=1.0,
        normalise=False, draws=1, guidance='em', sampler='ddpm', window=1, weighting='dig',
        reference='none')


def test_live_depends_on_the_device():
    assert FusionSettings.preset('live', 'cpu').mode == 'one-pass'
    for device in ('cuda', 'cuda:1'):
        live = FusionSettings.preset('live', device)
        assert (live.mode, live.steps, live.interval) == ('sample', 15, 15)


def test_single_settings_go_before_a_preset():
    changed = FusionSettings.preset('paper', steps=25, draws=2)
    assert changed == dataclasses.replace(FusionSettings.preset('paper'), steps=25, draws=2)
    assert FusionSettings.preset('live', 'cpu', mode='sample').mode == 'sample'


@pytest.mark.parametrize(('given', 'interval'), [
    ({'steps': 5}, 5), ({'steps': 25}, 10), ({'interval': 0}, 15), ({'interval': 3}, 3)])
def test_a_presets_interval_is_limited_to_the_steps(given, interval):
    assert FusionSettings.preset('paper', **given).interval == interval


def test_what_a_preset_is_given_is_validated():
    with pytest.raises(InputError, match='preset is .papier.; it must be one of paper, symmetric'):
        FusionSettings.preset('papier')
    with pytest.raises(InputError, match='interval is 9; it must be from 1 to steps'):
        FusionSettings.preset('paper', steps=5, interval=9)
    with pytest.raises(InputError, match='steps is 0'):
        FusionSettings.preset('paper', steps=0)


@pytest.mark.parametrize('name', PRESETS)
def test_presets_hold_what_a_running_node_can_change(name):
    values = PRESETS[name].on('cpu').keys() | PRESETS[name].on('cuda').keys()
    assert values <= {option.name for option in OPTIONS if option.changes == 'live'}
    for device in ('cpu', 'cuda'):
        FusionSettings.preset(name, device)


def options(*arguments):
    parser = argparse.ArgumentParser()
    add_engine_options(parser)
    return settings_from(parser.parse_args(arguments))


def test_options_spell_every_setting():
    assert options() == FusionSettings()
    changed = {'mode': 'one-pass', 'steps': 20, 'interval': 4, 'guidance': 'plain',
               'weighting': 'uniform', 'divergence': 'l1', 'strength': 0.5, 'temperature': 0.7,
               'base_temperature': 3.0, 'normalise': False, 'window': 3, 'power': 1.5,
               't_max': 500, 'levels': 2, 'sampler': 'ddpm', 'draws': 2, 'reference': 'visible',
               'precision': 'fp32', 'scale': 0.5, 'seed': 7}
    given = [word for name, value in changed.items() if name != 'normalise'
             for word in (f'--{name.replace("_", "-")}', str(value))]
    made = options(*given, '--no-normalise')
    assert dataclasses.asdict(made).items() >= changed.items()


def test_options_go_before_the_preset():
    assert options('--preset', 'paper') == FusionSettings.preset('paper')
    assert options('--preset', 'paper', '--steps', '25', '--normalise') == FusionSettings.preset(
        'paper', steps=25, normalise=True)
    assert options('--preset', 'live', '--device', 'cpu').mode == 'one-pass'
    assert options('--preset', 'live', '--device', 'cuda').mode == 'sample'


def test_settings_and_options_need_no_torch():
    code = ('import sys, dig2dig_ros.settings, dig2dig_ros.commands.engine_options;'
            'assert not {"torch", "rclpy"} & set(sys.modules)')
    subprocess.run([sys.executable, '-c', code], check=True)
