"""Single key presses, where stdin is a terminal."""

import contextlib
import select
import sys
from collections.abc import Callable, Iterator

try:
    import termios
    import tty
except ImportError:  # Windows has no terminals of this kind
    termios = None


@contextlib.contextmanager
def key_presses() -> Iterator[Callable[[], str]]:
    """Yield a function that returns the key pressed since it was last called, or nothing.

    The terminal is put back in order whatever happens.
    """
    if termios is None or not sys.stdin.isatty():
        yield lambda: ''
        return
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    try:
        tty.setcbreak(descriptor)
        yield lambda: sys.stdin.read(1) if select.select([sys.stdin], [], [], 0)[0] else ''
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
