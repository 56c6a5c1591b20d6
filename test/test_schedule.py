"""DIG-N schedules and the constants of the noise schedule."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dig2dig_ros.engine.schedule import Schedule, dig_timesteps, signal_and_noise
from dig2dig_ros.errors import InputError
from dig2dig_ros.settings import FusionSettings


def test_alpha_bar_is_guided_diffusions_linear_schedule():
    assert signal_and_noise(0)[0] ** 2 == pytest.approx(1 - 1e-4)
    # Product of (1 - beta_0)(1 - beta_1), betas 1e-4 and 1e-4 + (0.02 - 1e-4) / 999.
    assert signal_and_noise(1)[0] ** 2 == pytest.approx((1 - 1e-4) * (1 - 1.1991992e-4), abs=1e-10)
    assert signal_and_noise(999)[0] ** 2 == pytest.approx(4.036e-5, rel=1e-3)


@pytest.mark.parametrize(('coarse_from', 'draws', 'coarse'), [
    (400, 0, 2), (450, 0, 2), (451, 0, 1), (1000, 0, 0), (400, 1, 0)])
def test_levels_from_a_timestep_on_are_coarse_but_not_noised_ones(coarse_from, draws, coarse):
    settings = FusionSettings(mode='one-pass', levels=4, t_max=800, coarse_from=coarse_from,
                              draws=draws)
    assert Schedule.of(settings).levels == (800, 450, 200, 50)
    assert Schedule.of(settings).coarse == coarse


def test_power_law_gives_large_strides_at_high_noise():
    assert dig_timesteps(5, 800, 1.0) == (800, 600, 400, 200, 0)
    assert dig_timesteps(5, 800, 2.0) == (800, 450, 200, 50, 0)


def test_timesteps_never_repeat_where_rounding_would():
    assert dig_timesteps(6, 10, 3.0) == (10, 5, 3, 2, 1, 0)


@given(st.integers(1, 200), st.integers(1, 999), st.floats(1, 8))
def test_any_schedule_falls_strictly_from_t_max_to_zero(steps, t_max, power):
    if steps > t_max + 1:
        with pytest.raises(InputError, match='steps'):
            dig_timesteps(steps, t_max, power)
        return
    timesteps = dig_timesteps(steps, t_max, power)
    assert len(timesteps) == steps
    assert timesteps[0] == t_max
    assert steps == 1 or timesteps[-1] == 0
    assert all(a > b for a, b in zip(timesteps, timesteps[1:], strict=False))


def test_levels_are_the_timesteps_of_the_refreshes():
    schedule = Schedule.of(FusionSettings(steps=15, interval=6))
    assert schedule.levels == tuple(schedule.timesteps[i] for i in (0, 6, 12))


def test_one_pass_has_levels_and_no_sampling():
    schedule = Schedule.of(FusionSettings(mode='one-pass', levels=3, t_max=300, power=2.0))
    assert schedule.timesteps == ()
    assert schedule.levels == (300, 133, 33)
