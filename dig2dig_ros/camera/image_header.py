"""Sizes of compressed images, read without unpacking them."""

import struct
from collections.abc import Iterator

_PNG = b'\x89PNG\r\n\x1a\n'
_NO_FRAME = (0xc4, 0xc8, 0xcc)  # tables among the start-of-frame markers 0xc0..0xcf


def compressed_size(data: bytes) -> tuple[int, int] | None:
    """Read height and width of a JPEG or PNG, so that a decompression bomb is never unpacked.

    :returns: None where the data is neither, or is cut off: decoders fill the missing half of a
        JPEG with gray and call that a success. Zero padding after the end is fine, as drivers
        that send whole capture buffers do it.
    """
    if data.startswith(_PNG) and len(data) >= 24:
        width, height = struct.unpack('>II', data[16:24])
        return height, width
    if data.startswith(b'\xff\xd8') and data.rstrip(b'\0').endswith(b'\xff\xd9'):
        for marker, segment in _jpeg_segments(data):
            if 0xc0 <= marker <= 0xcf and marker not in _NO_FRAME and len(segment) >= 5:
                return struct.unpack('>HH', segment[1:5])
    return None


def _jpeg_segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 2
    while at + 4 <= len(data) and data[at] == 0xff:
        marker, length = data[at + 1], int.from_bytes(data[at + 2:at + 4], 'big')
        yield marker, data[at + 4:at + 2 + length]
        at += 2 + length
