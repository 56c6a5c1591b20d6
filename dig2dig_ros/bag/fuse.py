"""Fuses the two cameras of a recording into a new one that holds inputs and outputs."""

import dataclasses
import itertools
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from rosbags.highlevel import AnyReader, AnyReaderError
from rosbags.interfaces import Connection
from rosbags.rosbag2 import Writer
from tqdm import tqdm

from dig2dig_ros.bag import messages
from dig2dig_ros.bag.recorded_rig import recorded_rig
from dig2dig_ros.bag.storage import copy_connection, create_bag, open_bag, storage_of
from dig2dig_ros.camera.pairing import NearestPairer, Pair
from dig2dig_ros.camera.preparation import Preparation
from dig2dig_ros.camera.stamps import stamp_ns
from dig2dig_ros.errors import InputError
from dig2dig_ros.images import in_colour
from dig2dig_ros.topics import CAMERAS, FUSED_IMAGE, WEIGHTS, recorded

FUSED_TOPIC = recorded(FUSED_IMAGE)
WEIGHT_TOPICS = tuple(recorded(WEIGHTS[camera]) for camera in CAMERAS)
_NEVER_NS = 2**62
_DEPTH = 64  # a recorder writes the two cameras seconds apart where one of them stalls


class Fused(Protocol):
    """What is used of a fusion's result."""

    image: np.ndarray
    weights: np.ndarray


Fuse = Callable[[Sequence[np.ndarray], Sequence[np.ndarray | None]], Fused]
"""Takes uint8 sources, and where each is valid (None: everywhere)."""


@dataclasses.dataclass(frozen=True)
class Rig:
    """How the two cameras of a recording go together.

    Attributes:
        topics: of infrared and of visible; sensor_msgs/Image or CompressedImage.
        slop_ns: largest time difference in a pair, inclusive.
        offset_ns: added to infrared stamps.
        preparation: of its pairs, fresh.
    """

    topics: tuple[str, str]
    slop_ns: int
    offset_ns: int
    preparation: Preparation

    def pairer(self) -> NearestPairer:
        """Make one for a recording, whose messages come at any pace."""
        return NearestPairer(self.slop_ns, self.offset_ns, max_wait_ns=_NEVER_NS, depth=_DEPTH,
                             regularity=0)

    def look_at(self, reader: AnyReader) -> None:
        """Take from a recording what `registration.source` wants of it, before its first pair.

        :raises InputError: naming what the recording lacks.
        """
        settings = self.preparation.settings['registration']
        if settings.source != 'file':
            self.preparation.offer(recorded_rig(reader, self.topics, settings))


@dataclasses.dataclass
class FusionReport:
    """What became of a recording.

    Attributes:
        fused: pairs written.
        failed: what could not be read or fused, one line each.
        dropped: images that were in no pair, by reason; see `NearestPairer`.
        last_miss_ns: how far apart the last two were that did not make a pair, if any.
        not_copied: topics left out because the definition of their type is unknown.
    """

    fused: int = 0
    failed: list[str] = dataclasses.field(default_factory=list)
    dropped: Counter[str] = dataclasses.field(default_factory=Counter)
    last_miss_ns: int | None = None
    not_copied: list[str] = dataclasses.field(default_factory=list)


class Recorded(NamedTuple):
    """An image message and the time at which it was recorded."""

    message: Any
    timestamp_ns: int


def fuse_bag(
        source: Path, target: Path, rig: Rig, fuse: Fuse,
        on_jump: Callable[[], None] = lambda: None, with_weights: bool = True) -> FusionReport:
    """Copy a recording and add the fusion of every pair, none left out for speed.

    The fused image (bgr8) and the weights (32FC1) bear the header of the visible image; all
    other messages are copied byte for byte.

    :param on_jump: called before the first pair after the stamps jumped back.
    :raises InputError: where a topic is missing, taken, or the target cannot be made; a pair
        that cannot be fused is reported, not raised.
    """
    with open_bag(source) as reader:
        cameras = camera_connections(reader, rig.topics)
        require_free(reader, source)
        rig.look_at(reader)
        with create_bag(target, storage_of(source)) as writer:
            return BagFusion(reader, writer, cameras, rig, fuse, with_weights).run(on_jump)


class BagFusion:
    """One run of `fuse_bag`."""

    def __init__(self, reader: AnyReader, writer: Writer, cameras: dict[int, str], rig: Rig,
                 fuse: Fuse, with_weights: bool) -> None:
        self._reader = reader
        self._writer = writer
        self._cameras = cameras
        self._rig = rig
        self._fuse = fuse
        self._fused = messages.add_topic(writer, FUSED_TOPIC, messages.IMAGE)
        self._weights = [messages.add_topic(writer, topic, messages.IMAGE)
                         for topic in WEIGHT_TOPICS if with_weights]
        self._pair_bytes = 0
        self.report = FusionReport()

    def run(self, on_jump: Callable[[], None]) -> FusionReport:
        pairer = self._rig.pairer()
        with tqdm(total=self._expected(), desc='fusing', unit='pair', disable=None) as bar:
            resets = 0
            for pair in self._pairs(pairer):
                if pairer.resets > resets:
                    resets = pairer.resets
                    self._rig.preparation.reset()
                    on_jump()
                self._fuse_pair(pair)
                if self.report.fused == 1:
                    self._require_room()
                bar.update()
        self.report.dropped = pairer.dropped
        self.report.last_miss_ns = pairer.last_miss_ns
        return self.report

    def _require_room(self) -> None:
        """Give up at the first pair, not after hours, where the disk is too small.

        :raises InputError: naming what is needed.
        """
        needed = self._expected() * self._pair_bytes + sum(
            file.stat().st_size for path in self._reader.paths
            for file in (path.iterdir() if path.is_dir() else [path]))
        free = shutil.disk_usage(self._writer.path).free
        if needed > free:
            raise InputError(f'{self._writer.path}: about {needed / 1e6:.0f} MB are needed and '
                             f'{free / 1e6:.0f} MB are free; --no-weights takes fewer')

    def _expected(self) -> int:
        counts: Counter[str] = Counter()
        for connection in self._reader.connections:
            if connection.id in self._cameras:
                counts[self._cameras[connection.id]] += connection.msgcount
        return min(counts.values())

    def _pairs(self, pairer: NearestPairer) -> Iterator[Pair]:
        """Copy every message, and pair the images among them."""
        copies = self._declare_copies()
        for source, timestamp_ns, data in self._reader.messages():
            if copies[source.id] is not None:
                self._writer.write(copies[source.id], timestamp_ns, data)
            if source.id in self._cameras:
                yield from self._add(pairer, source, timestamp_ns, data)
        yield from pairer.drain()

    def _declare_copies(self) -> dict[int, Connection | None]:
        """Declare the connections of the recording; None for one that cannot be copied."""
        copies = {source.id: copy_connection(self._writer, self._reader, source)
                  for source in self._reader.connections}
        self.report.not_copied = sorted({
            f'{source.topic} ({source.msgtype})' for source in self._reader.connections
            if copies[source.id] is None})
        return copies

    def _add(self, pairer: NearestPairer, source: Connection, timestamp_ns: int,
             data: bytes) -> list[Pair]:
        try:
            message = read_message(self._reader, source, data)
        except AnyReaderError as error:
            self.report.failed.append(f'{source.topic} at {timestamp_ns} ns: {error}')
            return []
        return pairer.add(self._cameras[source.id], key_ns(message, timestamp_ns),
                          Recorded(message, timestamp_ns), timestamp_ns)

    def _fuse_pair(self, pair: Pair) -> None:
        visible = pair.visible.message
        timestamp_ns = max(pair.infrared.timestamp_ns, pair.visible.timestamp_ns)
        try:
            sources = self._rig.preparation.prepare(pair.infrared.message, visible)
            result = self._fuse([sources.infrared, sources.visible], [sources.valid, None])
            outputs = [(self._fused, in_colour(result.image), 'bgr8'), *zip(
                self._weights, result.weights, itertools.repeat('32FC1'), strict=False)]
            header = messages.header(stamp_ns(visible), visible.header.frame_id)
            self._pair_bytes = sum(image.nbytes for _, image, _ in outputs)
            for connection, image, encoding in outputs:
                messages.write(self._writer, connection, timestamp_ns,
                               messages.image_message(image, encoding, header))
        except InputError as error:
            self.report.failed.append(f'pair at {stamp_ns(visible)} ns: {error}')
            return
        if self._rig.preparation.problem:
            raise InputError(f'camera_info: {self._rig.preparation.problem}')
        self.report.fused += 1


def read_message(reader: AnyReader, source: Connection, data: bytes) -> Any:
    """Read a message.

    :raises AnyReaderError: where it is malformed.
    """
    # A bytearray, so that the arrays that share its memory are writable: torch warns else.
    return reader.deserialize(bytearray(data), source.msgtype)


def key_ns(message: Any, timestamp_ns: int) -> int:
    """Stamp to pair by: a driver that sets none leaves only the time of arrival."""
    return stamp_ns(message) or timestamp_ns


def camera_connections(reader: AnyReader, topics: tuple[str, str]) -> dict[int, str]:
    """Camera of each connection, by the connection's number."""
    found = {connection.id: camera for connection in reader.connections
             for camera, topic in zip(CAMERAS, topics, strict=True)
             if connection.topic == topic and connection.msgtype in messages.IMAGE_TYPES}
    for camera, topic in zip(CAMERAS, topics, strict=True):
        if camera not in found.values():
            images = sorted({connection.topic for connection in reader.connections
                             if connection.msgtype in messages.IMAGE_TYPES})
            raise InputError(f'the bag has no images on {topic} ({camera}); it has them on '
                             f'{", ".join(images) or "no topic"}')
    return found


def require_free(reader: AnyReader, source: Path) -> None:
    taken = {FUSED_TOPIC, *WEIGHT_TOPICS} & {
        connection.topic for connection in reader.connections}
    if taken:
        raise InputError(f'{source} holds {", ".join(sorted(taken))} already; fuse the recording '
                         'without them')
