"""Pixels of sensor_msgs/Image and sensor_msgs/CompressedImage to arrays and back, without ROS.

In arrays colour is BGR, as in OpenCV. No bit depth is ever reduced here: 16-bit and float images
come out as such, and `thermal.GainControl` maps them to 8 bits.
"""

import dataclasses
from typing import Any

import cv2
import numpy as np

from dig2dig_ros.camera.image_header import compressed_size
from dig2dig_ros.errors import InputError

MAX_PIXELS = 2**26
"""Larger images are refused: they are a wrong header, or more than a fusion could hold."""


@dataclasses.dataclass(frozen=True)
class Encoding:
    """How one encoding lies in memory.

    Attributes:
        dtype: of one sample.
        channels: samples per pixel in a row.
        to_array: cv2 code that makes BGR of it; None where the samples are usable as they are.
        from_gray: cv2 code that makes it of a gray image; None where it is gray itself.
        from_bgr: cv2 code that makes it of a BGR image; None where it is BGR itself.
        written: whether `encode` can write it.
        grid: width and height must be multiples of these.
        rows: rows of data per image row (1.5 with a half-height chroma plane below).
    """

    dtype: str
    channels: int
    to_array: int | None = None
    from_gray: int | None = None
    from_bgr: int | None = None
    written: bool = False
    grid: tuple[int, int] = (1, 1)
    rows: float = 1.0


def _gray(dtype: str) -> Encoding:
    return Encoding(dtype, 1, from_bgr=cv2.COLOR_BGR2GRAY, written=True)


def _bgr(dtype: str) -> Encoding:
    return Encoding(dtype, 3, from_gray=cv2.COLOR_GRAY2BGR, written=True)


def _rgb(dtype: str) -> Encoding:
    return Encoding(dtype, 3, cv2.COLOR_RGB2BGR, cv2.COLOR_GRAY2RGB, cv2.COLOR_BGR2RGB, True)


_BGRA = Encoding('u1', 4, cv2.COLOR_BGRA2BGR, cv2.COLOR_GRAY2BGRA, cv2.COLOR_BGR2BGRA, True)
_RGBA = Encoding('u1', 4, cv2.COLOR_RGBA2BGR, cv2.COLOR_GRAY2RGBA, cv2.COLOR_BGR2RGBA, True)
_UYVY = Encoding('u1', 2, cv2.COLOR_YUV2BGR_UYVY, grid=(2, 1))
_YUYV = Encoding('u1', 2, cv2.COLOR_YUV2BGR_YUY2, grid=(2, 1))
# ROS names a mosaic by its top-left pixels, as OpenCV's long names do; OpenCV's short names
# (BayerBG for rggb) start one row and one column further in.
_BAYER = {
    'rggb': cv2.COLOR_BayerRGGB2BGR,
    'bggr': cv2.COLOR_BayerBGGR2BGR,
    'gbrg': cv2.COLOR_BayerGBRG2BGR,
    'grbg': cv2.COLOR_BayerGRBG2BGR,
}

ENCODINGS: dict[str, Encoding] = {
    'mono8': _gray('u1'),
    'mono16': _gray('u2'),
    '8UC1': _gray('u1'),
    '16UC1': _gray('u2'),
    '32FC1': _gray('f4'),
    'bgr8': _bgr('u1'),
    'bgr16': _bgr('u2'),
    'rgb8': _rgb('u1'),
    'rgb16': _rgb('u2'),
    '8UC3': _bgr('u1'),
    'bgra8': _BGRA,
    'rgba8': _RGBA,
    '8UC4': _BGRA,
    'uyvy': _UYVY,
    'yuv422': _UYVY,
    'yuyv': _YUYV,
    'yuv422_yuy2': _YUYV,
    'nv12': Encoding('u1', 1, cv2.COLOR_YUV2BGR_NV12, grid=(2, 2), rows=1.5),
    'nv21': Encoding('u1', 1, cv2.COLOR_YUV2BGR_NV21, grid=(2, 2), rows=1.5),
    **{f'bayer_{order}{8 * size}': Encoding(f'u{size}', 1, code)
       for size in (1, 2) for order, code in _BAYER.items()},
}


def decode(data: bytes | bytearray | memoryview | np.ndarray, height: int, width: int, step: int,
           encoding: str, is_bigendian: bool | int = False) -> np.ndarray:
    """Read the pixels of a sensor_msgs/Image.

    :param data: the message's data, any buffer of bytes.
    :param step: bytes from one row to the next, padding included.
    :returns: H x W or H x W x 3 BGR; uint8, uint16 or float32. It shares memory with `data`
        where the samples are usable as they are: gray and BGR of the machine's byte order.
    :raises InputError: where the message contradicts itself or the encoding is not known.
    """
    layout = _layout(encoding, ENCODINGS)
    _require_size(height, width)
    for name, size, multiple in zip(('width', 'height'), (width, height), layout.grid,
                                    strict=True):
        if size % multiple:
            raise InputError(f'{name} of a {encoding} image is {size}; it must be even')
    samples = _samples(data, round(height * layout.rows), width, step, encoding, layout)
    if layout.dtype != 'u1' and is_bigendian:
        samples = samples.view(samples.dtype.newbyteorder('>')).astype(samples.dtype)
    if layout.to_array is None:
        return samples
    return cv2.cvtColor(samples, layout.to_array)


def decode_compressed(data: bytes | bytearray | memoryview | np.ndarray,
                      format: str = '') -> np.ndarray:
    """Read a sensor_msgs/CompressedImage, JPEG or PNG (told by its content).

    :param format: the message's: `ORIGINAL; CODEC compressed [PIXELS]`, or just the codec; a
        Bayer original that was compressed as a mosaic is made colour.
    :returns: as `decode`; a PNG of 16 bits stays uint16, alpha is dropped.
    :raises InputError: where it is no complete JPEG or PNG, too large, or compressedDepth.
    """
    if 'compressedDepth' in format:
        raise InputError(f'format is "{format}": compressedDepth is not supported; use the '
                         'compressed (jpeg, png) or the raw topic')
    buffer = np.frombuffer(data, np.uint8)
    size = compressed_size(buffer.tobytes())
    if size is None:
        raise InputError(f'compressed image of {buffer.size} bytes (format "{format}") is no '
                         'complete JPEG or PNG')
    _require_size(*size)
    try:
        image = cv2.imdecode(buffer, cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        raise InputError(f'compressed image cannot be decoded: {error.err}') from error
    if image is None:
        raise InputError(f'compressed image of {buffer.size} bytes is damaged')
    if image.ndim == 3:
        return image if image.shape[2] == 3 else np.ascontiguousarray(image[:, :, :3])
    original, _, codec = format.partition(';')
    if original.startswith('bayer_') and original in ENCODINGS and 'bgr' not in codec:
        return cv2.cvtColor(image, ENCODINGS[original].to_array)
    return image


def read_pixels(message: Any) -> np.ndarray:
    """Read a sensor_msgs/Image or CompressedImage, of rclpy or of rosbags.

    :returns: as `decode`.
    :raises InputError: where it is malformed.
    """
    if hasattr(message, 'format'):
        return decode_compressed(message.data, message.format)
    return decode(message.data, message.height, message.width, message.step, message.encoding,
                  message.is_bigendian)


def encode(image: np.ndarray, encoding: str) -> np.ndarray:
    """Make the pixels of a sensor_msgs/Image in the machine's byte order.

    :param image: H x W or H x W x 3 BGR.
    :returns: a C-contiguous array whose bytes are the message's data and whose first row is its
        step; `image` itself where nothing has to be done.
    :raises InputError: where the encoding cannot be written or has another depth than the image:
        what range a change of depth should map is not known here.
    """
    layout = _layout(encoding, {name: row for name, row in ENCODINGS.items() if row.written})
    if image.dtype != layout.dtype:
        raise InputError(f'a {image.dtype} image cannot be written as {encoding}; it takes '
                         f'{np.dtype(layout.dtype)}')
    code = layout.from_gray if image.ndim == 2 else layout.from_bgr
    return np.ascontiguousarray(image) if code is None else cv2.cvtColor(image, code)


def _layout(encoding: str, table: dict[str, Encoding]) -> Encoding:
    try:
        return table[encoding]
    except KeyError:
        raise InputError(f'encoding is "{encoding}"; it must be one of {", ".join(table)}'
                         ) from None


def _require_size(height: int, width: int) -> None:
    if height <= 0 or width <= 0:
        raise InputError(f'image is {width} x {height} px; it must have pixels')
    if height * width > MAX_PIXELS:
        raise InputError(f'image is {width} x {height} px; it must have at most {MAX_PIXELS} '
                         'pixels')


def _samples(data, rows: int, width: int, step: int, encoding: str,
             layout: Encoding) -> np.ndarray:
    """View the data as rows x W or rows x W x channels, of the machine's byte order."""
    buffer = np.frombuffer(data, np.uint8)
    dtype = np.dtype(layout.dtype)
    row_bytes = width * layout.channels * dtype.itemsize
    if step < row_bytes:
        raise InputError(f'step is {step} bytes; {width} pixels of {encoding} take {row_bytes}')
    least = step * (rows - 1) + row_bytes
    if buffer.size < least:
        raise InputError(f'data has {buffer.size} bytes; {rows} rows of {step} bytes take {least}')
    shape, strides = (rows, width), (step, layout.channels * dtype.itemsize)
    if layout.channels > 1:
        shape, strides = (*shape, layout.channels), (*strides, dtype.itemsize)
    return np.require(np.ndarray(shape, dtype, buffer, strides=strides), requirements='A')
