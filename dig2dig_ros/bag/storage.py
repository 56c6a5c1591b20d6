"""Opens rosbag2 recordings for reading and writing (sqlite3 and mcap), without ROS."""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from rosbags.highlevel import AnyReader, AnyReaderError
from rosbags.interfaces import Connection, MessageDefinitionFormat
from rosbags.rosbag2 import StoragePlugin, Writer, WriterError
from rosbags.typesys import Stores, get_typestore

from dig2dig_ros.bag.cut_off import CutOffRecording, is_cut_off
from dig2dig_ros.errors import InputError

TYPES = get_typestore(Stores.ROS2_JAZZY)


@contextmanager
def open_bag(path: Path) -> Iterator[AnyReader]:
    """Open a recording: its folder, or one .mcap or .db3 file.

    After a power loss there is no metadata.yaml, and the last file has no end: what is whole is
    read, with a warning that says how much.

    :raises InputError: where it is missing or no readable rosbag2.
    """
    try:
        reader = AnyReader(_paths(path), default_typestore=TYPES)
        if not reader.is2:
            raise InputError(f'{path} is a ROS 1 bag; convert it with rosbags-convert')
        reader.open()
    except FileNotFoundError:
        raise InputError(f'{path} is no rosbag2; give a folder with a metadata.yaml, or an .mcap '
                         'or .db3 file') from None
    except AnyReaderError as error:
        hint = ('; `sqlite3 FILE .recover` may save what is there' if 'malformed' in str(error)
                else '')
        raise InputError(f'{path} cannot be read as a rosbag2: {error}{hint}') from error
    try:
        yield reader
    finally:
        reader.close()


def _paths(path: Path) -> list:
    """What to open: the folder, or its files where it has no metadata.yaml."""
    if not path.is_dir() or (path / 'metadata.yaml').exists():
        files = [path]
    else:
        files = sorted(file for file in path.iterdir() if file.suffix in ('.mcap', '.db3'))
    return [CutOffRecording(file) if file.suffix == '.mcap' and file.is_file()
            and is_cut_off(file) else file for file in files] or [path]


@contextmanager
def create_bag(path: Path, storage: str) -> Iterator[Writer]:
    """Make a recording. What was written stays after Ctrl-C; after an error nothing does.

    :param storage: `sqlite3` or `mcap`.
    :raises InputError: where the path exists or cannot be made, or the disk is full.
    """
    try:
        writer = Writer(path, version=8, storage_plugin=StoragePlugin[storage.upper()])
        writer.open()
    except WriterError:
        raise InputError(f'{path} exists; give a new folder for the bag') from None
    except OSError as error:
        raise InputError(f'{path} cannot be made: {error.strerror}') from error
    try:
        yield writer
        writer.close()
    except KeyboardInterrupt:
        writer.close()
        raise
    except BaseException as error:
        size = sum(file.stat().st_size for file in path.iterdir())
        with suppress(OSError, sqlite3.Error):
            writer.abort()
        shutil.rmtree(path)
        if isinstance(error, OSError | sqlite3.Error):
            raise InputError(f'{path}: {getattr(error, "strerror", None) or error}, after '
                             f'{size / 1e6:.1f} MB; nothing of it is left') from error
        raise


def storage_of(path: Path) -> str:
    """Tell how a recording is stored."""
    files = path.iterdir() if path.is_dir() else [path]
    return 'mcap' if any('.mcap' in file.suffixes for file in files) else 'sqlite3'


def copy_connection(writer: Writer, reader: AnyReader, source: Connection) -> Connection | None:
    """Declare a topic of one recording in another, so that its messages can be copied raw.

    :returns: None where the definition of its type is nowhere to be had: recordings from before
        Iron hold none, and then those of the user's own types are unknown.
    """
    definition, digest = source.msgdef.data, source.digest
    if source.msgdef.format == MessageDefinitionFormat.NONE or not digest:
        if source.msgtype not in reader.typestore.fielddefs:
            return None
        definition, _ = reader.typestore.generate_msgdef(source.msgtype, ros_version=2)
        digest = reader.typestore.hash_rihs01(source.msgtype)
    return writer.add_connection(
        source.topic, source.msgtype, msgdef=definition, rihs01=digest,
        serialization_format=source.ext.serialization_format,
        offered_qos_profiles=source.ext.offered_qos_profiles)
