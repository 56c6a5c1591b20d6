"""MCAP recordings that a power loss cut off: read as far as they are whole.

The format (https://mcap.dev/spec) is a magic, records of an opcode, a length and that many bytes,
and the magic again; the last records are an index that is not needed to read what comes before.
"""

import io
import logging
import os
import struct
from pathlib import Path, PurePath

_MAGIC = b'\x89MCAP0\r\n'
_HEADER = struct.Struct('<BQ')  # opcode, length
_DATA_END, _FOOTER = 0x0f, 0x02
_END = (_HEADER.pack(_DATA_END, 4) + bytes(4)
        + _HEADER.pack(_FOOTER, 20) + bytes(20) + _MAGIC)
"""An end without index and checksum, which is a valid one."""


class CutOffRecording:
    """The path of a recording without its end, which reads as if it had one.

    Has what rosbags wants of a path (its `RPath`). Nothing is copied or written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._size = whole_bytes(path)

    @property
    def stem(self) -> str:
        """Name without suffix."""
        return self._path.stem

    @property
    def suffix(self) -> str:
        """`.mcap`."""
        return self._path.suffix

    def exists(self) -> bool:
        """Tell whether the file is there."""
        return self._path.exists()

    def is_dir(self) -> bool:
        """A file is no folder."""
        return False

    def stat(self, *, follow_symlinks: bool = True) -> os.stat_result:
        """Describe the file."""
        return self._path.stat(follow_symlinks=follow_symlinks)

    def open(self, *args, **kwargs) -> io.BufferedReader:
        """Open the whole records and an end behind them, to be read in binary."""
        return io.BufferedReader(_WithEnd(open(self._path, 'rb'), self._size))

    def __truediv__(self, key: str | PurePath) -> Path:
        return self._path / key

    def __str__(self) -> str:
        return str(self._path)


class _WithEnd(io.RawIOBase):
    """The first bytes of a file, and `_END` behind them."""

    def __init__(self, file: io.BufferedReader, size: int) -> None:
        self._file = file
        self._size = size
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._at,
                 os.SEEK_END: self._size + len(_END)}[whence]
        self._at = start + offset
        return self._at

    def readinto(self, buffer) -> int:
        if self._at < self._size:
            self._file.seek(self._at)
            data = self._file.read(min(len(buffer), self._size - self._at))
        else:
            data = _END[self._at - self._size:][:len(buffer)]
        buffer[:len(data)] = data
        self._at += len(data)
        return len(data)

    def close(self) -> None:
        self._file.close()
        super().close()


def is_cut_off(path: Path) -> bool:
    """Tell whether a file begins as an MCAP and does not end as one."""
    with open(path, 'rb') as file:
        begins = file.read(len(_MAGIC)) == _MAGIC
        file.seek(max(path.stat().st_size - len(_MAGIC), 0))
        return begins and (path.stat().st_size < 2 * len(_MAGIC) or file.read() != _MAGIC)


def whole_bytes(path: Path) -> int:
    """Count the bytes up to the end of the last whole record of data."""
    total = path.stat().st_size
    end = len(_MAGIC)
    with open(path, 'rb') as file:
        while end + _HEADER.size <= total:
            file.seek(end)
            opcode, length = _HEADER.unpack(file.read(_HEADER.size))
            if opcode in (0, _DATA_END, _FOOTER) or end + _HEADER.size + length > total:
                break
            end += _HEADER.size + length
    logging.getLogger(__name__).warning(
        '%s was cut off while it was recorded; %.1f of its %.1f MB are whole and are read',
        path, end / 1e6, total / 1e6)
    return end
