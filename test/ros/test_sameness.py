"""One recording, fused live, by fuse-bag and by fuse from its frames: the same pixels.

Each frame is another scene, so that the node's stream carries nothing over from frame to frame
and does what the engine does alone; the gain control carries its range over in all three.
"""

import sys

import cv2
import numpy as np
import pytest
from live import pixels, stamp

from dig2dig_ros.bag import messages
from dig2dig_ros.bag.storage import create_bag, open_bag
from dig2dig_ros.camera.encodings import read_pixels
from dig2dig_ros.camera.preparation import camera_options
from dig2dig_ros.cli import main
from dig2dig_ros.topics import CAMERAS, FUSED_IMAGE, IMAGES, recorded

NODE = [sys.executable, '-m', 'dig2dig_ros.ros.node.fusion_node', '--ros-args']
REPLAY = [sys.executable, '-m', 'dig2dig_ros.cli', 'replay']
HEIGHT, WIDTH = 64, 96
PERIOD_NS = 200_000_000
STAMPS = [1_000_000_000 + number * PERIOD_NS for number in range(4)]
NODE_PARAMETERS = [
    f'engine.warm_up_size:=[{WIDTH}, {HEIGHT}]', 'engine.device:=cpu', 'engine.checkpoint:=tiny',
    'queue:=every', 'lazy:=false', 'silent_timeout_s:=60.0',
    *(f'qos_overrides./{camera}/image_raw.subscription.{policy}'
      for camera in CAMERAS for policy in ('depth:=20', 'reliability:=reliable')),
    'qos_overrides./fused/image.publisher.depth:=20']
ENGINE_OPTIONS = ['--preset', 'live', '--device', 'cpu', '--checkpoint', 'tiny']
CASES = {
    'raw 16 bits': (np.uint16, {}),
    'raw 16 bits, tuned percentiles': (np.uint16, {
        'thermal.low_percentile': 10.0, 'thermal.high_percentile': 80.0,
        'thermal.smoothing': 0.5}),
    'radiometric, telemetry, homography, black-hot': (np.uint16, {
        'thermal.agc': 'range', 'thermal.minimum': 8000.0, 'thermal.maximum': 12000.0,
        'thermal.crop_rows': 2, 'thermal.polarity': 'black-hot',
        'registration.homography': [1.9, 0.02, 4.0, -0.02, 2.1, -3.0, 0.0, 0.0, 1.0]}),
    '8 bits of a camera of half the resolution': (np.uint8, {}),
}


def frames(dtype):
    """Four scenes: infrared of half the size, warmer each time, and visible in colour."""
    noise = np.random.default_rng(0)
    for number in range(len(STAMPS)):
        infrared = cv2.GaussianBlur(noise.normal(0, 1, (HEIGHT // 2, WIDTH // 2)), (0, 0), 3)
        infrared = infrared / np.abs(infrared).max()
        if dtype == np.uint16:
            infrared = 9500 + 700 * number + 1500 * infrared
        else:
            infrared = 120 + 110 * infrared
        visible = cv2.resize(noise.integers(0, 256, (8, 12, 3), np.uint8), (WIDTH, HEIGHT))
        yield infrared.astype(dtype), visible


def write(folder, dtype):
    """Write the frames as a bag, and as two folders of PNG."""
    with create_bag(folder / 'bag', 'mcap') as writer:
        topics = [messages.add_topic(writer, recorded(IMAGES[camera]), messages.IMAGE)
                  for camera in CAMERAS]
        for stamp_ns, pair in zip(STAMPS, frames(dtype), strict=True):
            header = messages.header(stamp_ns, 'frame')
            encodings = ('mono16' if dtype == np.uint16 else 'mono8', 'bgr8')
            for camera, topic, image, encoding in zip(CAMERAS, topics, pair, encodings,
                                                      strict=True):
                messages.write(writer, topic, stamp_ns,
                               messages.image_message(image, encoding, header))
                (folder / camera).mkdir(exist_ok=True)
                cv2.imwrite(str(folder / camera / f'{stamp_ns}.png'), image)


def options(parameters):
    """Give the parameters as the command line has them."""
    words = []
    for name, value in parameters.items():
        values = value if isinstance(value, list) else [value]
        words += ['--' + name.rpartition('.')[2].replace('_', '-'), *map(str, values)]
    return words


def fused_from_the_bag(folder, parameters):
    assert main(['fuse-bag', str(folder / 'bag'), str(folder / 'fused_bag'), *ENGINE_OPTIONS,
                 *options(parameters)]) == 0
    with open_bag(folder / 'fused_bag') as reader:
        connections = [row for row in reader.connections if row.topic == recorded(FUSED_IMAGE)]
        return [read_pixels(reader.deserialize(data, row.msgtype))
                for row, _, data in reader.messages(connections)]


def fused_from_files(folder, parameters):
    assert main(['fuse', '--infrared', str(folder / 'infrared'), '--visible',
                 str(folder / 'visible'), '--output', str(folder / 'fused'), *ENGINE_OPTIONS,
                 *options(parameters)]) == 0
    return [cv2.imread(str(folder / 'fused' / f'{stamp_ns}.png')) for stamp_ns in STAMPS]


@pytest.fixture(scope='module')
def live(live_module):
    live_module.listen(FUSED_IMAGE, qos=50)
    arguments = [word for text in NODE_PARAMETERS for word in ('-p', text)]
    live_module.start(*NODE, *arguments)
    live_module.wait_until_active()
    live_module.spin_until(lambda: live_module.node.count_publishers('/fused/image'), 'the node')
    return live_module


def fused_live(live, folder, parameters):
    values = {option.name: option.default for option in camera_options()} | parameters
    assert live.set_parameters(atomically=True, **{
        name.replace('.', '__'): value for name, value in values.items()}) == ''
    live.clear()
    live.start(*REPLAY, str(folder / 'bag'), '--wait', '120')
    live.spin_until(lambda: len(live.heard[FUSED_IMAGE]) == len(STAMPS), 'all fused images')
    assert [stamp(message) for message in live.heard[FUSED_IMAGE]] == STAMPS
    return [pixels(message) for message in live.heard[FUSED_IMAGE]]


@pytest.mark.parametrize('case', CASES)
def test_one_recording_gives_one_picture_in_three_ways(live, tmp_path, case):
    dtype, parameters = CASES[case]
    write(tmp_path, dtype)
    from_bag = fused_from_the_bag(tmp_path, parameters)
    from_files = fused_from_files(tmp_path, parameters)
    from_node = fused_live(live, tmp_path, parameters)
    for one, two, three in zip(from_bag, from_files, from_node, strict=True):
        np.testing.assert_array_equal(one, two)
        np.testing.assert_array_equal(one, three)
        assert one.std() > 20
