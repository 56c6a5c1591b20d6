"""The option of a setting, which several commands have."""

import argparse

from dig2dig_ros.option import Option


def add_option(group: argparse._ArgumentGroup, option: Option) -> None:
    """Add the option of a setting, `--low-percentile` for `thermal.low_percentile`.

    Only what is given is in the parsed arguments, under the setting's full name.
    """
    if option.kind is bool:
        kind = {'action': argparse.BooleanOptionalAction}
    else:
        metavar = None if option.choices else option.kind.__name__.upper()
        kind = {'type': option.kind, 'choices': option.choices, 'metavar': metavar,
                'nargs': option.length}
    text = option.help if option.default is None else f'{option.help} (default: {option.default})'
    flag = '--' + option.name.rpartition('.')[2].replace('_', '-')
    added = group.add_argument(flag, dest=option.name, help=text.replace('%', '%%'), **kind)
    added.default = argparse.SUPPRESS
