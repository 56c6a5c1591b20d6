"""registration.source tf: the node with the real tf2 and a static broadcaster, over DDS."""

import itertools
import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest
from live import SECOND_NS, image_message, pixels
from sensor_msgs.msg import CameraInfo

pytestmark = pytest.mark.needs('tf2_ros')

NAME = 'fusion_node: alignment'
WIDTH, HEIGHT, FOCAL_PX = 64, 48, 200.0
BASELINE_M, DISTANCE_M = 0.1, 4.0  # a parallax of 200 * 0.1 / 4 = 5 px
OPTICAL = [-0.5, 0.5, -0.5, 0.5]  # REP 103: z ahead, x right, in a body with x ahead and z up
UPSIDE_DOWN = [0.5, 0.5, 0.5, 0.5]  # the same, then turned by 180 degrees about z
QUARTER, BACK = [0, 0, 0.5 ** 0.5, 0.5 ** 0.5], [0, 0, -(0.5 ** 0.5), 0.5 ** 0.5]
RAMP = np.tile(np.arange(3, 3 + 3 * WIDTH, 3, dtype=np.uint8), (HEIGHT, 1))


def tree(visible_optical=OPTICAL):
    """Two cameras looking ahead on a mast that is turned to the left; infrared is the left one.

    What is ahead of the robot is -y of the mast, and what is left of it is x of the mast.
    """
    return [['base_link', 'mast', [1, 2, 3], QUARTER],
            ['mast', 'visible_link', [0, 0, 0.2], BACK],
            ['mast', 'infrared_link', [BASELINE_M, 0, 0.2], BACK],
            ['visible_link', 'visible_optical', [0, 0, 0], visible_optical],
            ['infrared_link', 'infrared_optical', [0, 0, 0], OPTICAL]]


@pytest.fixture
def rig(live, tmp_path):
    """The bench with two cameras that publish a ramp and black, and their camera_info."""
    return Cameras(live, tmp_path / 'frames.json')


class Cameras:
    """Publishes pairs, and says what the fused image shows."""

    def __init__(self, live, path):
        self.live, self.path = live, path
        self._stamps = itertools.count(1)
        self.frames = {'infrared': 'infrared_optical', 'visible': 'visible_optical'}
        live.listen('fused/image')

    def start(self, *parameters):
        node = self.live.start_stand_in(parameters=[
            'registration.source:=tf', f'registration.distance_m:={DISTANCE_M}', *parameters])
        self.live.wait_until_active()
        return node

    def broadcast(self, transforms):
        """Have transforms on /tf_static; replace those broadcast before."""
        started = self.path.exists()
        part = self.path.with_suffix('.part')
        part.write_text(json.dumps(transforms))
        os.replace(part, self.path)
        if not started:
            self.live.start(sys.executable, str(Path(__file__).with_name('static_frames.py')),
                            str(self.path))

    def publish(self):
        stamp_ns = next(self._stamps) * SECOND_NS
        for camera, frame in self.frames.items():
            info = CameraInfo(width=WIDTH, height=HEIGHT, distortion_model='plumb_bob',
                              d=[0.0] * 5, k=[FOCAL_PX, 0.0, (WIDTH - 1) / 2, 0.0, FOCAL_PX,
                                              (HEIGHT - 1) / 2, 0.0, 0.0, 1.0])
            info.header.frame_id = frame
            self.live.publish(f'{camera}/camera_info', info)
        black = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
        self.live.publish_pair(
            stamp_ns, image_message(RAMP, 'mono8', stamp_ns, self.frames['infrared']),
            image_message(black, 'bgr8', stamp_ns, self.frames['visible']))

    def shows(self, columns):
        """Whether infrared of these columns (-1: none) lies on the fused image's columns."""
        if not self.live.heard['fused/image']:
            return False
        expected = np.where(columns < 0, 0, RAMP[0][columns] // 2)
        row = pixels(self.live.heard['fused/image'][-1])[HEIGHT // 2, :, 0]
        return np.abs(row.astype(int) - expected).max() <= 1

    def until(self, condition, what):
        self.live.spin_until(lambda: self.publish() or condition(), what)

    def until_shown(self, columns, what):
        self.live.clear()
        self.until(lambda: self.shows(columns), what)

    def until_refused(self, node, reason, columns):
        """Wait until log and diagnostics name a reason; the map is then as it was."""
        self.until(lambda: reason in self.live.messages.get(NAME, '')
                   and reason in node.log, reason)
        assert self.live.levels[NAME] == 1
        self.until_shown(columns, 'the map as it was')


def shifted(by):
    """Infrared columns that lie on the visible ones: `by` further to the right."""
    columns = np.arange(WIDTH) + by
    return np.where(columns < WIDTH, columns, -1)


def test_the_map_of_a_chain_of_static_transforms(rig):
    rig.broadcast(tree())
    node = rig.start()
    rig.until_shown(shifted(5), 'the map by hand')
    assert 'the map stays' not in node.log
    assert 'aligned at 4 m' in node.log
    assert rig.live.set_parameters(registration__distance_m=2.0) == ''
    rig.until_shown(shifted(10), 'the map of another distance')
    # The visible camera is mounted anew, upside down: its rightmost column is its leftmost.
    rig.broadcast(tree(UPSIDE_DOWN))
    rig.until_shown(shifted(10)[::-1], 'the map of changed transforms')
    assert 'the map stays' not in node.log


def test_transforms_that_are_missing_late_or_of_no_use(rig):
    node = rig.start()
    plain = np.arange(WIDTH)
    rig.until_refused(node, "no transform from 'infrared_optical' to 'visible_optical'", plain)
    rig.broadcast(tree())
    rig.until_shown(shifted(5), 'the map of late transforms')
    rig.until(lambda: rig.live.levels[NAME] == 0, 'the end of the warning')
    for frame, reason in (('lost', '"lost"'), ('visible_link', '90 degrees apart')):
        rig.frames['visible'] = frame
        rig.until_refused(node, reason, shifted(5))
    rig.frames['visible'] = 'visible_optical'
    rig.until_shown(shifted(5), 'the map')
