"""Degrees out of counts, their extremes, and the alarm."""

import numpy as np
import pytest

from dig2dig_ros.camera.temperature import Reading, Thermometer


def thermometer(**values):
    return Thermometer({f'thermal.{name}': value for name, value in values.items()})


def centikelvin(*degrees):
    return np.array([degrees], np.float32) * 100 + 27315


@pytest.mark.parametrize(('settings', 'numbers', 'expected'), [
    # Centikelvin: 300.00 K.
    ({'scale': 0.01}, 30000, 26.85),
    ({'scale': 0.01, 'unit': 'kelvin'}, 30000, 300.0),
    # FLIR's TLinear, 0.04 K a count.
    ({'scale': 0.04, 'unit': 'kelvin'}, 7500, 300.0),
    # A driver that sends degrees Celsius.
    ({'scale': 1.0, 'offset': 273.15}, 36.5, 36.5),
    # Optris: deci-degrees Celsius above -100: (n - 1000) / 10.
    ({'scale': 0.1, 'offset': 173.15}, 1365, 36.5),
])
def test_counts_become_degrees(settings, numbers, expected):
    picture = thermometer(**settings).measure(np.full((2, 3), numbers, np.float32), None)
    assert picture.dtype == np.float32
    np.testing.assert_allclose(picture, expected, atol=0.01)


def test_where_infrared_has_no_pixel_there_is_no_temperature():
    made = thermometer(scale=0.01)
    numbers = np.vstack([centikelvin(20, 99, 30), centikelvin(10, 40, np.nan)])
    valid = np.array([[True, False, True], [True, True, True]])
    picture = made.measure(numbers, valid)
    np.testing.assert_array_equal(np.isnan(picture), [[False, True, False], [False, False, True]])
    assert made.reading == pytest.approx(Reading(10, 25, 40, 1, 1), abs=0.01)
    made.measure(centikelvin(50, 60, 70), np.zeros((1, 3), bool))
    assert made.reading.maximum == pytest.approx(40, abs=0.01), 'nothing was seen'


def test_the_alarm_is_held_with_its_peak_until_it_is_taken_back():
    made = thermometer(scale=0.01, alarm=80.0)
    assert made.watches
    for hottest, peak in ((79, None), (81, 81), (95, 95), (85, 95), (20, 95)):
        made.measure(centikelvin(15, hottest), None)
        assert (made.peak and round(made.peak.maximum)) == peak
    made.clear_alarm()
    made.measure(centikelvin(15, 20), None)
    assert made.peak is None
    made.measure(centikelvin(90, 20), None)
    assert (made.peak.row, made.peak.column) == (0, 0)
    made.apply({'thermal.scale': 0.01, 'thermal.alarm': 80.0, 'engine.steps': 3})
    assert made.peak is not None, 'nothing of its own changed'
    made.apply({'thermal.scale': 0.01, 'thermal.alarm': 99.0})
    assert made.peak is None


def test_a_camera_that_is_not_radiometric_has_no_alarm():
    made = thermometer(alarm=1.0)
    assert not made.radiometric
    assert not made.watches
