"""Settings refuse what makes no sense, naming it and what is right."""

import pytest

from dig2dig_ros.engine.settings import FusionSettings
from dig2dig_ros.errors import InputError


@pytest.mark.parametrize(('setting', 'value', 'allowed'), [
    ('steps', 0, 'from 1 to 1000'),
    ('steps', 2.5, 'a whole number'),
    ('steps', True, 'a whole number'),
    ('interval', 16, r'from 1 to steps \(15\)'),
    ('temperature', 0.0, 'above 0'),
    ('temperature', float('nan'), 'a finite number'),
    ('strength', 1.5, 'from 0 to 1'),
    ('window', 4, 'odd'),
    ('power', 0.5, 'at least 1'),
    ('t_max', 1000, 'from 1 to 999'),
    ('draws', 65, 'from 0 to 64'),
    ('scale', 0.0, 'above 0'),
    ('mode', 'fast', 'sample, one-pass'),
    ('guidance', 'ddim', 'em, ddfm'),
    ('divergence', 'kl', 'l2, l1, ssim'),
    ('normalise', 1, 'true or false'),
    ('seed', -1, 'at least 0'),
])
def test_bad_value_is_named_with_what_is_allowed(setting, value, allowed):
    with pytest.raises(InputError, match=f'{setting} is .*{allowed}'):
        FusionSettings(**{'steps': 15, 'interval': 15} | {setting: value})
