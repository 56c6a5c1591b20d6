"""The node with the real engine, and with compressed cameras, over real DDS."""

import sys
from array import array

import cv2
import numpy as np
import pytest
from live import SECOND_NS, image_message, pixels, stamp
from sensor_msgs.msg import CompressedImage

HEIGHT, WIDTH = 64, 96


@pytest.fixture
def live(live):
    live.listen('fused/image', 'fused/weights/infrared', 'fused/weights/visible')
    return live


def scene():
    """A warm square in infrared, stripes in visible."""
    infrared = np.full((HEIGHT, WIDTH), 30, np.uint8)
    infrared[20:44, 12:36] = 230
    visible = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
    visible[:, 52::8] = visible[:, 53::8] = 200
    return infrared, visible


def compressed(image, seconds, codec):
    message = CompressedImage(format=codec)
    message.header.stamp.sec = seconds
    message.data = array('B', cv2.imencode('.' + codec, image)[1].tobytes())
    return message


def fused_at(live, seconds, publish):
    """Publish until the fused image of a stamp comes, and return it with its weights."""
    def found(name):
        return [m for m in live.heard[name] if stamp(m) == seconds * SECOND_NS]
    live.spin_until(lambda: publish() or all(found(name) for name in live.heard), 'all outputs')
    return [pixels(found(name)[-1]) for name in live.heard]


def test_the_engine_fuses_live_and_changes_live(live):
    node = live.start_stand_in('--real-engine', parameters=[
        f'engine.warm_up_size:=[{WIDTH}, {HEIGHT}]', 'engine.device:=cpu'])
    live.wait_until_active()
    infrared, visible = scene()

    def publish(seconds):
        live.publish_pair(seconds * SECOND_NS,
                          image_message(infrared, 'mono8', seconds * SECOND_NS),
                          image_message(visible, 'bgr8', seconds * SECOND_NS))

    running = {}
    for seconds, mode in ((1, 'one-pass'), (2, 'sample')):
        assert live.set_parameters(atomically=True, engine__mode=mode, engine__steps=4) == ''
        image, first, second = fused_at(live, seconds, lambda s=seconds: publish(s))
        assert np.allclose(first + second, 1, atol=1e-5)
        grey = image.mean(axis=2)
        # Bands hold its outline, not what is flat within.
        assert grey[24:40, 12:15].mean() > grey[24:40, 8:12].mean() + 60, 'the warm square'
        assert grey[:, 60:].std() > 15, 'the stripes'
        assert first[28:36, 14:34].mean() > first[8:56, 60:90].mean(), 'the weights'
        live.spin_until(lambda s=seconds: live.count('fused') >= s, 'diagnostics')
        running[mode] = live.diagnostics['running']
    assert 'one-pass' in running['one-pass']
    live.spin_until(lambda: 'DIG-4' in live.diagnostics['running'], 'the new mode')
    assert live.diagnostics['device'] == 'cpu'
    assert live.diagnostics['preset'] == 'live with mode sample, steps 4'
    # What was set by hand stays, all else follows the preset.
    assert live.set_parameters(engine__preset='paper', engine__mode='preset') == ''
    assert (live.get_parameter('engine.steps'), live.get_parameter('engine.t_max')) == (
        4, 'preset')
    fused_at(live, 3, lambda: publish(3))
    live.spin_until(lambda: 'DIG-4, S = 4, em' in live.diagnostics['running'], 'the preset')
    assert live.diagnostics['preset'] == 'paper with steps 4'
    assert 'mode sample, steps 4, interval 4, guidance em' in live.diagnostics['settings']
    assert 'the engine has preset paper with steps 4: mode sample' in node.log


@pytest.mark.parametrize('codec', ['png', 'jpg'])
def test_compressed_cameras(live, codec):
    live.start_stand_in(parameters=['input.transport:=compressed'])
    live.wait_until_active()

    def publish():
        live.publish('infrared/image_raw/compressed',
                     compressed(np.full((16, 24), 100, np.uint8), 3, codec))
        live.publish('visible/image_raw/compressed',
                     compressed(np.full((16, 24, 3), 50, np.uint8), 3, codec))

    image, _, _ = fused_at(live, 3, publish)
    assert image.shape == (16, 24, 3)
    assert np.all(np.abs(image.astype(int) - 75) <= 1)


def test_cameras_without_a_common_clock_pair_by_arrival(live):
    live.start_stand_in(parameters=['sync.by:=arrival', 'sync.slop_s:=5.0'])
    live.wait_until_active()
    grey, colour = np.full((16, 24), 100, np.uint8), np.full((16, 24, 3), 50, np.uint8)
    image, _, _ = fused_at(live, 7000, lambda: live.publish_pair(
        0, image_message(grey, 'mono8', 5), image_message(colour, 'bgr8', 7000 * SECOND_NS)))
    assert np.all(image == 75)


def test_without_torch_the_node_says_how_to_install_it(live, tmp_path, monkeypatch):
    (tmp_path / 'torch.py').write_text(
        'raise ModuleNotFoundError("No module named \'torch\'", name="torch")')
    monkeypatch.setenv('PYTHONPATH', str(tmp_path), prepend=':')
    node = live.start(sys.executable, '-m', 'dig2dig_ros.ros.node.fusion_node')
    live.spin_until(lambda: live.levels.get('fusion_node: fusion') == 2, 'the failure')
    assert f'torch is not installed in this Python; install it with: {sys.executable} -m pip ' \
        'install torch' in live.messages['fusion_node: fusion']
    assert 'Traceback' not in node.log
    assert live.state() == 'unconfigured'
