"""Where files lie: local paths, and fsspec URLs such as `s3://bucket/folder` in their place.

A URL becomes a `upath.UPath`, which has the methods of a `pathlib.Path`.
"""

import argparse
import contextlib
import os
from pathlib import Path
from urllib.parse import unquote, urlsplit

from dig2dig_ros.errors import InputError


class BadLocation(InputError, argparse.ArgumentTypeError):
    """A URL that cannot be opened; argparse shows its text as it is."""


def location(text: str) -> Path:
    """Read an option that names a file or folder.

    :returns: a local path, or a `UPath` for a URL of another scheme than file.
    :raises BadLocation: for a URL that fsspec cannot open, saying what is missing.
    """
    if '://' not in text:
        return Path(text)
    if text.startswith('file://'):
        return Path(unquote(urlsplit(text).path))
    try:
        from upath import UPath
    except ModuleNotFoundError:
        raise BadLocation(f'{text}: URLs need the package universal_pathlib; '
                          'pip install "dig2dig[cluster]" brings it') from None
    try:
        place = UPath(text)
        place.fs  # noqa: B018 - makes the file system, which may not be installed
    except (ImportError, ValueError) as error:
        raise BadLocation(f'{text}: {" ".join(str(error).split())}') from None
    return place


def output_file(text: str) -> Path:
    """Read an option that names a file to write, so that a bad one ends no hour of work.

    :returns: as `location` does; nothing is made yet.
    :raises BadLocation: where it is a folder, or its folder cannot be made or written.
    """
    path = location(text)
    if not is_remote(path):
        if path.is_dir():
            raise BadLocation(f'{text} is a folder; give a file')
        _require_writable(path.parent)
    return path


def output_folder(text: str) -> Path:
    """Read an option that names a folder to write into, as `output_file` does a file.

    :raises BadLocation: where it is a file, or cannot be made or written.
    """
    path = location(text)
    if not is_remote(path):
        _require_writable(path)
    return path


def _require_writable(folder: Path) -> None:
    there = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    if not there.is_dir():
        raise BadLocation(f'{there} is a file; a folder is needed')
    if not os.access(there, os.W_OK | os.X_OK):
        raise BadLocation(f'{there} is a folder that cannot be written')


def is_remote(path: Path) -> bool:
    """Tell a URL from a path of this machine."""
    return not isinstance(path, Path)


def make_folder(folder: Path) -> None:
    """Make a folder with its parents, where it is not there.

    :raises InputError: where that fails, saying why.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f'{folder}: cannot make this folder ({_why(error)})') from error


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file, which appears whole or not at all; its folder is made.

    Local files are written beside their place and moved there. A remote file system is trusted
    to do so itself, as object stores do.

    :raises InputError: where that fails, saying why.
    """
    make_folder(path.parent)
    try:
        if is_remote(path):
            path.write_bytes(data)
            return
        draft = path.with_name(f'.{path.name}.{os.getpid()}.draft')
        try:
            draft.write_bytes(data)
            os.replace(draft, path)
        finally:
            with contextlib.suppress(OSError):
                draft.unlink()
    except OSError as error:
        raise InputError(f'{path}: cannot be written ({_why(error)})') from error


def write_text(path: Path, text: str) -> None:
    """Write a text file in UTF-8, as `write_bytes` does.

    :raises InputError: where that fails, saying why.
    """
    write_bytes(path, text.encode())


def signatures(folder: Path) -> dict[str, str]:
    """What tells a changed file from an unchanged one, by file name; empty without a folder.

    One listing of the folder, however many files it has.
    """
    if is_remote(folder):
        try:
            entries = folder.fs.ls(folder.path, detail=True, refresh=True)
        except FileNotFoundError:
            return {}
        return {entry['name'].rstrip('/').rpartition('/')[2]: _remote_signature(entry)
                for entry in entries if entry['type'] == 'file'}
    if not folder.is_dir():
        return {}
    with os.scandir(folder) as entries:
        found = [(entry.name, entry.stat()) for entry in entries if entry.is_file()]
    return {name: f'{status.st_size} {status.st_mtime_ns}' for name, status in found}


def _remote_signature(entry: dict) -> str:
    marks = ('ETag', 'etag', 'LastModified', 'last_modified', 'mtime', 'modify', 'created')
    return f'{entry["size"]} {next((entry[mark] for mark in marks if entry.get(mark)), "")}'


def _why(error: OSError) -> str:
    return error.strerror or str(error)
