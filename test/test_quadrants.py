"""One frame alone: right ones are accepted, and refused those that no similarity fits."""

import cv2
import numpy as np
import pytest

from dig2dig_ros.alignment.align import align
from dig2dig_ros.alignment.quadrants import quadrants, shared_distance
from dig2dig_ros.alignment.search import similarity
from dig2dig_ros.synthetic.street import StreetScene

SIZE = (320, 256)
DIAGONAL = float(np.hypot(*SIZE))
CORNERS = np.float32([[0, 0], [SIZE[0] - 1, 0], [0, SIZE[1] - 1], [SIZE[0] - 1, SIZE[1] - 1]])
# Which way each of them goes, x and y: the right side nearer, the ground nearer, wider than high,
# sheared.
WARPS = {'right nearer': [[0, 1], [0, -1], [0, -1], [0, 1]],
         'ground nearer': [[1, 0], [-1, 0], [-1, 0], [1, 0]],
         'aspect': [[-1, 0], [1, 0], [-1, 0], [1, 0]],
         'shear': [[-1, 0], [-1, 0], [1, 0], [1, 0]]}


@pytest.fixture(scope='module')
def frames():
    """The same moment of three streets."""
    rendered = {seed: StreetScene(*SIZE, seed=seed).render(1.0) for seed in (0, 1, 3)}
    return {seed: (each.infrared, each.visible) for seed, each in rendered.items()}


def aligned(frame, away):
    """Align a frame whose infrared a 3 x 3 map moved: the result, and by how much it is off."""
    moved = cv2.warpPerspective(frame[0], away, SIZE, borderMode=cv2.BORDER_REFLECT)
    found = align([(moved, frame[1])])
    return found, shared_distance(found.homography, np.linalg.inv(away), SIZE, SIZE)


@pytest.mark.parametrize('seed', [0, 1, 3])
def test_a_right_frame_is_accepted(frames, seed):
    away = np.vstack([similarity(1.05, np.radians(2), (9, -7), SIZE, SIZE), [0, 0, 1]])
    found, off = aligned(frames[seed], away)
    assert found.accepted, found.reason
    assert off < 0.5
    assert found.halves_px < 1


@pytest.mark.parametrize(('seed', 'warp'), [(3, 'right nearer'), (0, 'aspect'), (1, 'shear'),
                                            (0, 'ground nearer'), (1, 'ground nearer')])
def test_a_wrong_frame_is_refused_by_its_quadrants_alone(frames, seed, warp):
    """Correlation and likeness are as of accepted frames; the map is 2 % of the diagonal off.

    With the ground nearer the halves differ by 1.3 % only; that they gain by it tells.
    """
    to = CORNERS + np.float32(WARPS[warp]) * np.float32(SIZE) * np.float32(0.065)
    found, off = aligned(frames[seed], cv2.getPerspectiveTransform(CORNERS, to))
    assert off > 0.02 * DIAGONAL
    assert found.z > 9
    assert found.ncc > 0.35
    assert not found.accepted
    assert 'two halves of the frame disagree' in found.reason


def test_each_half_reaches_both_ends_of_either_axis():
    """Infrared sees the right part of the visible picture: its middle is the middle of that."""
    shift = np.array([[1.0, 0, 8], [0, 1, 0], [0, 0, 1]])
    first, second = quadrants(shift, (16, 12), (16, 12), (16, 12))
    np.testing.assert_array_equal(first, ~second)
    # Columns 8 to 15 are seen: the middle lies between 11 and 12, of rows between 5 and 6.
    assert first[:6, :12].all()
    assert first[6:, 12:].all()
    assert not first[:6, 12:].any()
    assert not first[6:, :12].any()


def test_distance_is_taken_over_what_both_see():
    """Off by 6 px along x; and nothing in common."""
    shift = np.array([[1.0, 0, 6], [0, 1, 0], [0, 0, 1]])
    assert shared_distance(np.eye(3), shift, SIZE, SIZE) == pytest.approx(6.0)
    away = np.array([[1.0, 0, 1000], [0, 1, 0], [0, 0, 1]])
    assert shared_distance(np.eye(3), away, SIZE, SIZE) == pytest.approx(DIAGONAL)
