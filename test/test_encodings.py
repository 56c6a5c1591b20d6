"""Every encoding, byte order, padding and odd size; and refusal of everything malformed."""

import array
import struct
import zlib

import cv2
import numpy as np
import pytest

from dig2dig_ros.camera import encodings
from dig2dig_ros.camera.encodings import ENCODINGS, decode, decode_compressed, encode
from dig2dig_ros.errors import InputError

SIZES = [(4, 6), (5, 7), (1, 1), (3, 2)]
PLAIN = [name for name, layout in ENCODINGS.items() if layout.to_array is None]
WRITTEN = [name for name, layout in ENCODINGS.items() if layout.written]
BGR = np.array([10, 120, 230], np.uint8)


def noise(shape, dtype):
    values = np.random.default_rng(0).integers(0, 60_000, shape)
    return (values % 251).astype('u1') if dtype == 'u1' else values.astype(dtype)


def message_of(samples, padding=0, big_endian=False):
    """Lay samples out as a message: data, height, width, step."""
    height, width = samples.shape[:2]
    rows = np.ascontiguousarray(samples.astype(samples.dtype.newbyteorder('>'))
                                if big_endian else samples).view(np.uint8).reshape(height, -1)
    padded = np.pad(rows, ((0, 0), (0, padding)), constant_values=255)
    return array.array('B', padded.tobytes()), height, width, padded.shape[1]


@pytest.mark.parametrize('size', SIZES)
@pytest.mark.parametrize('padding', [0, 1, 12])
@pytest.mark.parametrize('big_endian', [False, True])
@pytest.mark.parametrize('name', PLAIN)
def test_samples_come_out_as_they_went_in(name, big_endian, padding, size):
    layout = ENCODINGS[name]
    samples = noise(size if layout.channels == 1 else (*size, layout.channels), layout.dtype)
    decoded = decode(*message_of(samples, padding, big_endian), name, big_endian)
    np.testing.assert_array_equal(decoded, samples)
    assert decoded.dtype == samples.dtype


@pytest.mark.parametrize('name', PLAIN)
def test_reading_shares_memory_with_the_message(name):
    layout = ENCODINGS[name]
    data, *header = message_of(noise((4, 6, layout.channels), layout.dtype), padding=8)
    assert np.shares_memory(decode(data, *header, name), np.frombuffer(data, np.uint8))


def test_bytes_of_a_serialised_message_can_be_read():
    assert decode(bytes(range(6)), 2, 3, 3, 'mono8').tolist() == [[0, 1, 2], [3, 4, 5]]


@pytest.mark.parametrize('size', SIZES)
@pytest.mark.parametrize(('name', 'order'), [
    ('rgb8', [2, 1, 0]), ('rgb16', [2, 1, 0]), ('bgra8', [0, 1, 2, 2]), ('8UC4', [0, 1, 2, 2]),
    ('rgba8', [2, 1, 0, 2])])
def test_channel_order(name, order, size):
    bgr = noise((*size, 3), ENCODINGS[name].dtype)
    decoded = decode(*message_of(bgr[:, :, order], padding=3), name)
    np.testing.assert_array_equal(decoded, bgr)


@pytest.mark.parametrize(('name', 'places'), [
    ('yuv422', (1, 0, 2)), ('uyvy', (1, 0, 2)), ('yuv422_yuy2', (0, 1, 3)), ('yuyv', (0, 1, 3))])
def test_packed_yuv(name, places):
    """Two pixels share a U and a V; places are those of the first Y, of U and of V."""
    y, v, u = cv2.cvtColor(BGR.reshape(1, 1, 3), cv2.COLOR_BGR2YCrCb).ravel()
    macropixel = np.empty(4, np.uint8)
    first_y, at_u, at_v = places
    macropixel[[first_y, first_y + 2]] = 16 + int(y) * 219 // 255
    macropixel[at_u] = 128 + (int(u) - 128) * 224 // 255
    macropixel[at_v] = 128 + (int(v) - 128) * 224 // 255
    decoded = decode(*message_of(np.tile(macropixel, (3, 2)).reshape(3, 4, 2), padding=4), name)
    np.testing.assert_allclose(decoded, np.broadcast_to(BGR, (3, 4, 3)), atol=8)


@pytest.mark.parametrize(('name', 'chroma_order'), [('nv12', [0, 1]), ('nv21', [1, 0])])
def test_semi_planar_yuv(name, chroma_order):
    planes = cv2.cvtColor(np.full((4, 6, 3), BGR), cv2.COLOR_BGR2YUV_I420)
    u, v = planes[4:].reshape(2, -1)
    chroma = np.stack([u, v], axis=-1)[:, chroma_order].reshape(2, 6)
    data, _, width, step = message_of(np.vstack([planes[:4], chroma]), padding=2)
    decoded = decode(data, 4, width, step, name)
    np.testing.assert_allclose(decoded, np.broadcast_to(BGR, (4, 6, 3)), atol=4)


@pytest.mark.parametrize('depth', [8, 16])
@pytest.mark.parametrize('order', ['rggb', 'bggr', 'gbrg', 'grbg'])
@pytest.mark.parametrize('size', [(6, 8), (7, 9)])
def test_bayer_names_the_top_left_pixels(order, depth, size):
    """A mosaic of one flat colour, built from the name, gives that colour back everywhere."""
    colour = {'b': 20, 'g': 90, 'r': 200}
    tile = np.array([colour[letter] for letter in order]).reshape(2, 2)
    scale = 1 if depth == 8 else 256
    mosaic = np.tile(tile, (5, 5))[:size[0], :size[1]].astype(f'u{depth // 8}') * scale
    decoded = decode(*message_of(mosaic, padding=2), f'bayer_{order}{depth}')
    np.testing.assert_array_equal(
        decoded, np.broadcast_to(np.array([20, 90, 200]) * scale, (*size, 3)))


def test_16_bits_are_never_truncated():
    full = np.array([[0, 255, 256, 65535]], np.uint16)
    for name in ('mono16', '16UC1'):
        assert decode(*message_of(full), name).tolist() == full.tolist()
        with pytest.raises(InputError, match='uint16 image cannot be written as mono8'):
            encode(full, 'mono8')


@pytest.mark.parametrize('size', SIZES)
@pytest.mark.parametrize('name', WRITTEN)
@pytest.mark.parametrize('channels', [1, 3])
def test_written_images_read_back(name, channels, size):
    layout = ENCODINGS[name]
    image = noise(size if channels == 1 else (*size, 3), layout.dtype)
    written = encode(image, name)
    assert written.flags.c_contiguous
    read = decode(written.tobytes(), *size, written.strides[0], name)
    if layout.channels > 1:
        expected = image if channels == 3 else np.stack([image] * 3, axis=-1)
    else:
        expected = image if channels == 1 else cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    np.testing.assert_array_equal(read, expected)


def test_writing_what_is_ready_copies_nothing():
    image = noise((4, 6, 3), 'u1')
    assert encode(image, 'bgr8') is image
    assert encode(image[:, 1:], 'bgr8').flags.c_contiguous


@pytest.mark.parametrize(('changed', 'message'), [
    ({'encoding': 'jpeg'}, r'encoding is "jpeg"; it must be one of mono8, mono16, 8UC1'),
    ({'height': 0}, r'4 x 0 px'),
    ({'width': -4}, r'-4 x 3 px'),
    ({'width': 100_000, 'height': 100_000}, r'100000 x 100000 px; it must have at most'),
    ({'step': 0}, r'step is 0 bytes; 4 pixels of mono16 take 8'),
    ({'step': 7}, r'step is 7 bytes'),
    ({'height': 4}, r'data has 24 bytes; 4 rows of 8 bytes take 32'),
    ({'data': b''}, r'data has 0 bytes'),
    ({'encoding': 'yuv422', 'width': 3}, r'width of a yuv422 image is 3; it must be even'),
    ({'encoding': 'nv12', 'height': 3}, r'height of a nv12 image is 3; it must be even'),
])
def test_malformed_messages_are_refused_by_name(changed, message):
    good = {'data': bytes(24), 'height': 3, 'width': 4, 'step': 8, 'encoding': 'mono16'}
    assert decode(**good).shape == (3, 4)
    with pytest.raises(InputError, match=message):
        decode(**{**good, **changed})


def test_missing_padding_after_the_last_row_is_no_error():
    assert decode(bytes(range(7)), 2, 3, 4, 'mono8').tolist() == [[0, 1, 2], [4, 5, 6]]


def test_only_writable_encodings_are_offered():
    with pytest.raises(InputError, match='encoding is "nv12"; it must be one of') as refusal:
        encode(np.zeros((2, 2), np.uint8), 'nv12')
    assert 'bayer' not in str(refusal.value)


@pytest.mark.parametrize('image', [
    noise((5, 7), 'u1'), noise((5, 7), 'u2'), noise((5, 7, 3), 'u1'), noise((5, 7, 3), 'u2')])
def test_png_keeps_depth_and_colour(image):
    np.testing.assert_array_equal(
        decode_compressed(cv2.imencode('.png', image)[1], 'png'), image)


def test_png_alpha_is_dropped():
    image = noise((5, 7, 4), 'u1')
    decoded = decode_compressed(cv2.imencode('.png', image)[1].tobytes(), 'rgba8; png compressed')
    np.testing.assert_array_equal(decoded, image[:, :, :3])


def test_jpeg_with_capture_buffer_padding():
    image = np.full((16, 24, 3), BGR)
    data = cv2.imencode('.jpg', image)[1].tobytes() + bytes(100)
    np.testing.assert_allclose(
        decode_compressed(data, 'bgr8; jpeg compressed bgr8'), image, atol=3)


def test_a_mosaic_compressed_as_such_is_made_colour():
    mosaic = np.tile(np.array([[200, 90], [90, 20]], np.uint8), (4, 4))
    data = cv2.imencode('.png', mosaic)[1]
    decoded = decode_compressed(data, 'bayer_rggb8; png compressed ')
    np.testing.assert_array_equal(decoded, np.broadcast_to([20, 90, 200], (8, 8, 3)))


def _png_of_size(width, height):
    header = struct.pack('>II', width, height) + bytes([8, 0, 0, 0, 0])
    chunk = b'IHDR' + header
    return (b'\x89PNG\r\n\x1a\n' + struct.pack('>I', 13) + chunk
            + struct.pack('>I', zlib.crc32(chunk)))


JPEG = cv2.imencode('.jpg', np.zeros((16, 24), np.uint8))[1].tobytes()


@pytest.mark.parametrize(('data', 'message'), [
    (b'', 'of 0 bytes .* is no complete JPEG or PNG'),
    (b'GIF89a' + bytes(50), 'is no complete JPEG or PNG'),
    (JPEG[:-10], 'is no complete JPEG or PNG'),
    (JPEG[:2] + b'\xff\xd9', 'is no complete JPEG or PNG'),
    (_png_of_size(8, 8), 'damaged|cannot be decoded'),
    (_png_of_size(50_000, 50_000), '50000 x 50000 px; it must have at most'),
    (_png_of_size(0, 5), '0 x 5 px'),
])
def test_damaged_compressed_images_are_refused(data, message):
    with pytest.raises(InputError, match=message):
        decode_compressed(data, 'jpeg')


def test_compressed_depth_is_refused_by_name():
    with pytest.raises(InputError, match='compressedDepth is not supported'):
        decode_compressed(JPEG, '16UC1; compressedDepth png')


def test_cv_bridge_agrees():
    pytest.importorskip('cv_bridge', reason='cv_bridge comes with a ROS installation only')
    try:
        from cv_bridge import CvBridge
        bridge = CvBridge()
    except Exception as error:
        pytest.skip(f'cv_bridge does not load here: {error}')
    from sensor_msgs.msg import Image
    for name in ('mono8', 'mono16', 'rgb8', 'bgr8', 'rgba8', 'bgra8', 'bayer_rggb8',
                 'bayer_bggr8', 'bayer_gbrg8', 'bayer_grbg8', 'yuv422', 'yuv422_yuy2'):
        layout = encodings.ENCODINGS[name]
        samples = noise((8, 10) if layout.channels == 1 else (8, 10, layout.channels),
                        layout.dtype)
        data, height, width, step = message_of(samples)
        message = Image(height=height, width=width, step=step, encoding=name, data=data)
        wanted = {'mono8': 'mono8', 'mono16': 'mono16'}.get(name, 'bgr8')
        np.testing.assert_array_equal(decode(data, height, width, step, name),
                                      bridge.imgmsg_to_cv2(message, wanted), err_msg=name)
