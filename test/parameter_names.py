"""Parameters as a YAML file nests them."""


def flat(tree, prefix=''):
    """Their full names, with dots, and their values."""
    for name, value in tree.items():
        if isinstance(value, dict):
            yield from flat(value, f'{prefix}{name}.')
        else:
            yield prefix + name, value
