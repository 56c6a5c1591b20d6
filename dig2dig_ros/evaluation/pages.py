"""Tables in Markdown, and the marked places of the documentation's pages that hold them."""

import re
from collections.abc import Iterable, Sequence


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Any table in Markdown; a bar in a cell is escaped."""
    lines = [head, ['---'] * len(head), *rows]
    return '\n'.join('| ' + ' | '.join(cell.replace('|', '\\|') for cell in line) + ' |'
                     for line in lines)


def fill(page: str, name: str, content: str) -> str:
    """Replace what stands between `<!-- name -->` and `<!-- /name -->` in the text of a page.

    :raises ValueError: where the page does not have that place once.
    """
    pattern = rf'(<!-- {re.escape(name)} -->\n).*?(<!-- /{re.escape(name)} -->)'
    filled, count = re.subn(
        pattern, lambda match: f'{match[1]}{content}\n{match[2]}', page, flags=re.DOTALL)
    if count != 1:
        raise ValueError(f'the page has {count} times the place {name}')
    return filled
