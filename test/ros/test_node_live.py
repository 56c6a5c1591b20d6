"""The node as a process over real DDS: what comes in and goes out."""

import itertools

import numpy as np
import pytest
from live import SECOND_NS, pixels, stamp
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

HEIGHT, WIDTH = 16, 24
OUTPUTS = ('fused/image', 'fused/weights/infrared', 'fused/weights/visible')
STAMPS = itertools.count(5)


@pytest.fixture(scope='module')
def live(live_module):
    live_module.listen(*OUTPUTS)
    live_module.listen('fused/camera_info', message_type=CameraInfo)
    live_module.start_stand_in(parameters=[
        'silent_timeout_s:=60.0', 'thermal.agc:=range', 'thermal.maximum:=255.0',
        'output.compressed:=png'])
    live_module.wait_until_active()
    live_module.warm_up(*OUTPUTS)
    return live_module


def next_stamp_ns():
    return next(STAMPS) * SECOND_NS


def fuse(live, infrared=None, visible=None):
    """Publish a pair and return the fused image's message."""
    live.clear()
    stamp_ns = next_stamp_ns()
    for message in (infrared, visible):
        if message is not None:
            message.header.stamp.sec, message.header.stamp.nanosec = divmod(stamp_ns, SECOND_NS)
    live.publish_pair(stamp_ns, infrared, visible)
    live.spin_until(lambda: heard(live, 'fused/image', stamp_ns), 'a fused image')
    return heard(live, 'fused/image', stamp_ns)


def heard(live, name, stamp_ns):
    """Return what came with a stamp; images of the test before may still be on their way."""
    return next((message for message in live.heard[name] if stamp(message) == stamp_ns), None)


def weight_map(live, fused, camera):
    """Return the weights that belong to a fused image."""
    name = f'fused/weights/{camera}'
    live.spin_until(lambda: heard(live, name, stamp(fused)), name)
    return heard(live, name, stamp(fused))


def raw(data, encoding, step, height=HEIGHT, width=WIDTH, is_bigendian=0):
    message = Image(height=height, width=width, encoding=encoding, step=step,
                    is_bigendian=is_bigendian)
    message.data.frombytes(bytes(data))
    return message


def test_a_pair_gives_the_image_and_the_weights(live):
    fused = fuse(live)
    assert fused.header.frame_id == 'visible_frame'
    assert (fused.encoding, fused.width, fused.height, fused.step) == ('bgr8', 24, 16, 72)
    assert np.all(pixels(fused) == 75)
    weights = [weight_map(live, fused, camera) for camera in ('infrared', 'visible')]
    assert all(message.header == fused.header for message in weights)
    assert all(message.encoding == '32FC1' for message in weights)
    assert np.all(sum(pixels(message) for message in weights) == 1)


def test_camera_info_follows_with_the_header_of_the_image(live):
    info = CameraInfo(width=WIDTH, height=HEIGHT, k=[float(i) for i in range(9)])
    live.clear()

    def followed():
        # Heard best effort, and apart from the images: again until it has come.
        live.publish('visible/camera_info', info)
        live.publish_pair(next_stamp_ns())
        return live.heard['fused/camera_info']

    live.spin_until(followed, 'camera_info')
    made = live.heard['fused/camera_info'][0]
    live.spin_until(lambda: heard(live, 'fused/image', stamp(made)), 'the image of camera_info')
    assert made.header.frame_id == 'visible_frame'
    assert (made.width, made.height, list(made.k)) == (WIDTH, HEIGHT, list(range(9)))


GREY = {
    'mono8': raw([100] * 16 * 24, 'mono8', 24),
    '8UC1': raw([100] * 16 * 24, '8UC1', 24),
    'padded step': raw(([100] * 24 + [7] * 8) * 16, 'mono8', 32),
    'mono16': raw([100, 0] * 16 * 24, 'mono16', 48),
    '16UC1 big-endian': raw([0, 100] * 16 * 24, '16UC1', 48, is_bigendian=1),
    '32FC1': raw(np.full(16 * 24, 100, '<f4').tobytes(), '32FC1', 96),
    '32FC1 big-endian': raw(np.full(16 * 24, 100, '>f4').tobytes(), '32FC1', 96,
                            is_bigendian=1),
}
COLOUR = {
    'bgr8': raw([30, 50, 70] * 16 * 24, 'bgr8', 72),
    'rgb8': raw([70, 50, 30] * 16 * 24, 'rgb8', 72),
    'bgra8': raw([30, 50, 70, 255] * 16 * 24, 'bgra8', 96),
    'rgba8': raw([70, 50, 30, 255] * 16 * 24, 'rgba8', 96),
    '8UC3': raw([30, 50, 70] * 16 * 24, '8UC3', 72),
}
NEUTRAL = {
    'mono8': raw([60] * 16 * 24, 'mono8', 24),
    # Of the YUV kinds 16 + 219 / 255 * 60 is a luma of 60.
    'yuv422': raw([128, 68] * 16 * 24, 'yuv422', 48),
    'yuv422_yuy2': raw([68, 128] * 16 * 24, 'yuv422_yuy2', 48),
    **{name: raw([60] * 16 * 24, name, 24)
       for name in ('bayer_rggb8', 'bayer_bggr8', 'bayer_gbrg8', 'bayer_grbg8')},
}


@pytest.mark.parametrize('name', GREY)
def test_infrared_encodings(live, name):
    assert np.all(pixels(fuse(live, infrared=GREY[name])) == (100 + 50) // 2)


@pytest.mark.parametrize('name', COLOUR)
def test_colour_encodings(live, name):
    assert np.all(pixels(fuse(live, visible=COLOUR[name])) == [65, 75, 85])


@pytest.mark.parametrize('name', NEUTRAL)
def test_neutral_encodings(live, name):
    fused = pixels(fuse(live, visible=NEUTRAL[name])).astype(int)
    assert np.all(np.abs(fused - (100 + 60) // 2) <= 1)


@pytest.mark.parametrize(('encoding', 'expected'), [('rgb8', [85, 75, 65]), ('mono8', 77)])
def test_output_encoding_can_be_changed_live(live, encoding, expected):
    assert live.set_parameters(output__encoding=encoding) == ''
    fused = fuse(live, visible=COLOUR['bgr8'])
    assert live.set_parameters(output__encoding='bgr8') == ''
    assert fused.encoding == encoding
    channels = np.asarray(fused.data).reshape(16, 24, -1).squeeze()
    assert np.all(np.abs(channels.astype(int) - expected) <= 1)


def test_sizes_can_change_and_differ(live):
    big = raw([50] * 3 * 40 * 60, 'bgr8', 180, height=40, width=60)
    fused = fuse(live, visible=big)
    assert (fused.width, fused.height) == (60, 40)
    assert np.all(pixels(fused) == 75)
    assert fuse(live).width == WIDTH


def test_outside_the_infrared_view_its_weight_is_nought(live):
    shift = [1.0, 0.0, 8.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]
    assert live.set_parameters(registration__homography=shift) == ''
    weights = pixels(weight_map(live, fuse(live), 'infrared'))
    identity = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]
    assert live.set_parameters(registration__homography=identity) == ''
    assert np.all(weights[:, :8] == 0)
    assert np.all(weights[:, 8:] == 0.5)


MALFORMED = {
    'short data': raw([50] * 100, 'bgr8', 72),
    'wrong step': raw([50] * 16 * 72, 'bgr8', 10),
    'unknown encoding': raw([50] * 16 * 72, 'rgb5', 72),
    'no size': raw([], 'bgr8', 0, height=0, width=0),
    'huge size': raw([50] * 100, 'bgr8', 3 * 10**6, height=10**6, width=10**6),
}


@pytest.mark.parametrize('name', MALFORMED)
def test_malformed_images_are_counted_and_survived(live, name):
    reason = 'pairs dropped: bad input'
    before = live.count(reason)
    stamp_ns = next_stamp_ns()
    message = MALFORMED[name]
    message.header.stamp.sec = stamp_ns // SECOND_NS
    live.publish_pair(stamp_ns, visible=message)
    live.spin_until(lambda: live.count(reason) == before + 1, 'the count of bad input')
    assert 'visible image' in live.diagnostics['last error']
    assert np.all(pixels(fuse(live)) == 75)


def test_images_without_stamp_pair_by_arrival(live):
    live.clear()
    before = live.count('images without stamp')
    # Between the two of a pair a loaded machine may let more time go by than they may differ.
    live.spin_until(lambda: live.publish_pair(0) or heard(live, 'fused/image', 0), 'a fused image')
    live.spin_until(lambda: live.count('images without stamp') >= before + 2, 'the count')


def test_compressed_output_holds_the_same_picture(live):
    live.listen('fused/image/compressed', message_type=CompressedImage)
    live.spin_until(lambda: live.node.count_publishers('/fused/image/compressed'), 'the topic')
    live.spin_until(lambda: live.publish_pair(next_stamp_ns())
                    or live.heard['fused/image/compressed'], 'a compressed image')
    message = live.heard['fused/image/compressed'][-1]
    assert message.format == 'bgr8; png compressed bgr8'
    assert np.all(pixels(message) == 75)


def test_every_pair_is_accounted_for(live):
    def settled():
        lost = sum(int(value) for key, value in live.diagnostics.items()
                   if key.startswith('pairs dropped'))
        return live.count('pairs in') == live.count('fused') + lost > 0
    fuse(live)
    live.spin_until(settled, 'pairs in = fused + dropped')
    assert live.count('fused') > len(GREY) + len(COLOUR) + len(NEUTRAL)
