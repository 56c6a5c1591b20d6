"""Options: what they take, in which type, and the words for what they do not."""

import dataclasses

import pytest

from dig2dig_ros.errors import InputError
from dig2dig_ros.option import Option, option, options

WORD = {'default': 'preset', 'word': 'preset'}


@dataclasses.dataclass
class Lens:
    """Some settings."""

    focus_m: float = option(2.0, 'distance', bounds=(0.1, 100.0), unit='metres')
    centre: tuple[float, ...] = option((1.0, 2.0), 'column and row', bounds=(-5.0, 5.0))
    coating: str = option('blue', 'colour', choices=('blue', 'red'))


def test_the_fields_of_a_dataclass_are_options():
    focus, centre, coating = options(Lens, 'lens')
    assert focus == Option('lens.focus_m', 2.0, 'distance', (0.1, 100.0), unit='metres')
    assert centre == Option('lens.centre', [1.0, 2.0], 'column and row', (-5.0, 5.0), length=2)
    assert coating == Option('lens.coating', 'blue', 'colour', choices=('blue', 'red'))
    assert [one.type_name for one in (focus, centre, coating)] == ['float', '2 floats', 'string']
    assert focus.allowed == 'a float from 0.1 to 100 metres'


@pytest.mark.parametrize(('kind', 'given', 'expected'), [
    (int, 'preset', 'preset'), (int, 8, 8), (int, '8', 8), (float, '1.5', 1.5), (float, 2, 2.0),
    (bool, 'True', True), (bool, 'false', False), (bool, True, True)])
def test_a_word_and_text_are_taken_where_a_word_is_the_default(kind, given, expected):
    value = Option('o', help='x', kind=kind, **WORD).validated(given)
    assert value == expected
    assert type(value) is type(expected)


@pytest.mark.parametrize(('kind', 'given', 'words'), [
    (int, '8.5', 'an int from 1 to 9 in steps of 2, or preset'), (int, '4', 'steps of 2'),
    (float, 'nan', 'a float'), (float, 'none', "o is 'none'; it must be a float"),
    (bool, 'yes', 'a bool, or preset'), (int, None, 'o is None')])
def test_what_the_text_spells_is_validated(kind, given, words):
    bounds, step = ((1, 9), 2) if kind is int else (None, 1)
    with pytest.raises(InputError) as refused:
        Option('o', help='x', kind=kind, bounds=bounds, step=step, **WORD).validated(given)
    assert words in str(refused.value)


def test_text_is_no_number_without_a_word():
    with pytest.raises(InputError, match="o is '8'; it must be an int"):
        Option('o', 5, 'x').validated('8')


def test_none_is_good_where_it_is_the_default():
    assert Option('o', None, 'x', kind=int).validated(None) is None
    with pytest.raises(InputError):
        Option('o', 5, 'x').validated(None)
