"""dig2dig align and calibrate listening to live topics, over DDS."""

import itertools
import json
import sys

import numpy as np
from live import SECOND_NS, image_message

from dig2dig_ros.alignment.align import corner_distance
from dig2dig_ros.ros.live_scenes import LiveCameras
from dig2dig_ros.synthetic.boards import Board, poses, render, sample_rig
from dig2dig_ros.synthetic.street import StreetScene

SIZE = (320, 256)
TOPICS = ('infrared/image_raw', 'visible/image_raw')
KNOCK = (1.0, 0.0, 5.0, 0.0, 1.0, 3.0, 0.0, 0.0, 1.0)
DIG2DIG = [sys.executable, '-m', 'dig2dig_ros.cli']


def publisher(live, pairs):
    """Return what publishes pairs, each ten times, over and over, and is never done."""
    stamps = itertools.count(1)

    def publish():
        number = next(stamps)
        pair = pairs[number // 10 % len(pairs)]
        for topic, image, encoding in zip(TOPICS, pair, ('mono16', 'bgr8'), strict=True):
            live.publish(topic, image_message(image, encoding, number * SECOND_NS // 10))
        return False

    return publish


def test_align_pools_differing_live_frames(live, tmp_path):
    scene = StreetScene(*SIZE, seed=3, infrared_homography=KNOCK)
    moments = [scene.render(2.3 * index, index) for index in range(8)]
    figures = tmp_path / 'f.json'
    publish = publisher(live, [(each.infrared, each.visible) for each in moments])
    process = live.start(*DIG2DIG, 'align', '--live', '--frames', '3', '--time-limit', '150',
                         '--json', str(figures))
    live.spin_until(lambda: publish() or process.process.poll() is not None, 'the end')
    assert process.process.returncode == 0, process.log
    document = json.loads(figures.read_text())
    truth = np.linalg.inv(np.reshape(KNOCK, (3, 3)))
    assert corner_distance(np.array(document['homography']), truth, SIZE) < 1.5
    assert document['frames'] == 3


def test_calibrate_takes_only_views_with_a_board(live, tmp_path):
    rig, board = sample_rig('lepton'), Board('chessboard', (6, 4), 0.055)
    views = [render(rig, board, pose, index)
             for index, pose in enumerate(poses(rig, board, 2, fill=0.5))]
    bare = [(np.full_like(views[0][0], 7300), visible) for _, visible in views]
    publish = publisher(live, [*bare, *views])
    process = live.start(
        *DIG2DIG, 'calibrate', '--live', '--frames', '2', '--time-limit', '150', '--target',
        'chessboard', '--size', '6x4', '--square', '0.055', '--output', str(tmp_path / 'rig'))
    live.spin_until(lambda: publish() or process.process.poll() is not None, 'the end')
    # Two views are too few, and both cameras have the board in them.
    assert process.process.returncode == 2, process.log
    assert 'in 2 of 2 views (infrared in 2, visible in 2), 6 are the least' in process.log
    assert not (tmp_path / 'rig').exists()


def test_silent_topics_are_told_in_a_line(live, tmp_path):
    process = live.start(*DIG2DIG, 'align', '--live', '--time-limit', '0.5', '--output',
                         str(tmp_path / 'rig.yaml'))
    live.spin_until(lambda: process.process.poll() is not None, 'the end')
    assert process.process.returncode == 2, process.log
    assert ('error: in 0.5 s no image came on /infrared/image_raw (infrared) and '
            '/visible/image_raw (visible)') in process.log
    assert 'Traceback' not in process.log
    assert not (tmp_path / 'rig.yaml').exists()


def test_what_came_and_did_not_do_is_told(live):
    grey = np.full((16, 24), 100, np.uint8)

    def said(*images, taken=0):
        cameras = LiveCameras(live.node, TOPICS, 20_000_000, 0)
        for camera, stamp_ns, encoding in images:
            message = image_message(grey, 'mono8', stamp_ns)
            message.encoding = encoding
            cameras.receive(camera, message)
        return cameras.came(taken, 3)

    both = ('infrared', SECOND_NS, 'mono8'), ('visible', SECOND_NS, 'mono8')
    assert said(both[0]) == 'no image came on visible/image_raw (visible); see `ros2 topic list`'
    assert 'paired, the last one missed by 500.0 ms' in said(
        both[0], ('visible', SECOND_NS * 3 // 2, 'mono8'), ('infrared', 2 * SECOND_NS, 'mono8'))
    assert 'encoding is "odd"' in said(both[0], ('visible', SECOND_NS, 'odd'))
    assert said(*both, taken=1).startswith('came 1 of 3 differing pairs of use')
