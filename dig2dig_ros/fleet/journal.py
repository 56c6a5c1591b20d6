"""Which items of a run are done, so that the next run skips them.

One process writes; files are added, never changed, as object stores want it.
"""

import json
import sys
import time
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dig2dig_ros.errors import InputError
from dig2dig_ros.locations import write_bytes

FOLDER = '.dig2dig'
WRITE_EVERY_S = 10.0


class Journal:
    """What is done of one kind of work in one folder, done in one way.

    Attributes:
        done: what each finished item gave, by key, with the signature of what went in.
    """

    def __init__(self, folder: Path, kind: str, way: Mapping[str, Any]):
        """Read what earlier runs did in the same way; forget what was done in another.

        :param folder: of the output.
        :param kind: of work, such as `fuse`.
        :param way: all that the output depends on beside its inputs: settings, prior, ...
        """
        self._folder = folder / FOLDER
        way_text = json.dumps(way, sort_keys=True, default=str)
        self._kind = kind
        self._prefix = f'{kind}-{zlib.crc32(way_text.encode()):08x}-'
        self._fresh: dict[str, dict] = {}
        self._written_at = time.monotonic()
        self._parts = 0
        self._complained = False
        self.done: dict[str, dict] = {}
        self._read()

    def get(self, key: str, signature: Any) -> Any:
        """What an item gave; None where it is not done, or its inputs have changed."""
        entry = self.done.get(key)
        return entry['value'] if entry and entry['signature'] == signature else None

    def add(self, key: str, signature: Any, value: Any) -> None:
        """Note that an item is done. It is on disk some seconds later.

        :param signature: JSON, of the inputs.
        :param value: JSON, not None.
        """
        self.done[key] = self._fresh[key] = {'signature': signature, 'value': value}
        if time.monotonic() - self._written_at > WRITE_EVERY_S:
            self.write()

    def write(self) -> None:
        """Put what is new on disk; where that is full, keep it for later and say so once."""
        self._written_at = time.monotonic()
        if not self._fresh:
            return
        lines = (json.dumps({'key': key, **entry}) for key, entry in self._fresh.items())
        name = f'{self._prefix}{time.time_ns():020d}-{self._parts}.jsonl'
        try:
            write_bytes(self._folder / name, '\n'.join(lines).encode())
        except InputError as error:
            if not self._complained:
                print(f'what is done cannot be noted for another run: {error}', file=sys.stderr)
            self._complained = True
            return
        self._parts += 1
        self._fresh.clear()

    def _read(self) -> None:
        if not self._folder.is_dir():
            return
        parts = []
        for path in sorted(self._folder.iterdir(), key=lambda path: path.name):
            if path.name.startswith(self._prefix):
                parts.append(path)
            elif path.name.startswith(f'{self._kind}-'):
                # The output is about to be written in another way than this says.
                path.unlink()
        for path in parts:
            for line in path.read_bytes().splitlines():
                entry = json.loads(line)
                self.done[entry.pop('key')] = entry
        if len(parts) > 1:
            self._fresh = dict(self.done)
            self.write()
            for path in parts if not self._fresh else ():
                path.unlink()


@contextmanager
def journal(folder: Path, kind: str, way: Mapping[str, Any]) -> Iterator[Journal]:
    """A journal that is on disk at the end, whatever ended the run, Ctrl-C too."""
    opened = Journal(folder, kind, way)
    try:
        yield opened
    finally:
        opened.write()
