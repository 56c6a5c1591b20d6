"""The pairing policy against brute force, golden lists and the ways in which stamps go wrong."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dig2dig_ros.camera.pairing import NearestPairer

MS = 1_000_000
NEVER = 10**15
stamps = st.lists(st.integers(1, 400), unique=True, max_size=24).map(sorted)


def brute_force(infrared, visible, slop):
    """Pair stamps by the definition: the closest pair first, then either side of it."""
    candidates = [(abs(i - v), i, v) for i in infrared for v in visible if abs(i - v) <= slop]
    if not candidates:
        return []
    _, i, v = min(candidates)
    return (brute_force([s for s in infrared if s < i], [s for s in visible if s < v], slop)
            + [(i, v)]
            + brute_force([s for s in infrared if s > i], [s for s in visible if s > v], slop))


def in_stamp_order(infrared, visible):
    return sorted([(s, 'infrared') for s in infrared] + [(s, 'visible') for s in visible])


def feed(pairer, arrivals, unit=1):
    """Feed (stamp, stream) rows, arriving when stamped; messages are the stamps themselves."""
    pairs = []
    for stamp, stream in arrivals:
        pairs += pairer.add(stream, stamp * unit, stamp, stamp * unit)
    return [(pair.infrared, pair.visible) for pair in pairs]


def feed_all(pairer, arrivals):
    pairs = feed(pairer, arrivals)
    return pairs + [(pair.infrared, pair.visible) for pair in pairer.drain()]


@given(stamps, stamps, st.integers(0, 60), st.randoms())
def test_equals_brute_force_whatever_the_order_of_arrival(infrared, visible, slop, order):
    pairer = NearestPairer(slop, max_wait_ns=NEVER, depth=100, regularity=0)
    arrivals, queues = [], [[(s, 'infrared') for s in infrared], [(s, 'visible') for s in visible]]
    while any(queues):
        arrivals.append(order.choice([queue for queue in queues if queue]).pop(0))
    assert feed_all(pairer, arrivals) == brute_force(infrared, visible, slop)


@given(st.lists(st.integers(80, 100), max_size=30), st.lists(st.integers(80, 100), max_size=30),
       st.integers(1, 100), st.integers(0, 60))
def test_learned_regularity_changes_nothing_while_streams_keep_to_it(first, second, phase, slop):
    infrared = [1000 + sum(first[:n]) for n in range(len(first))]
    visible = [1000 + phase + sum(second[:n]) for n in range(len(second))]
    pairer = NearestPairer(slop, max_wait_ns=NEVER, depth=100)
    assert feed_all(pairer, in_stamp_order(infrared, visible)) == brute_force(
        infrared, visible, slop)


@given(st.lists(st.tuples(st.sampled_from(['infrared', 'visible']), st.integers(0, 300),
                          st.integers(0, 50)), max_size=60),
       st.integers(0, 40), st.integers(1, 4), st.integers(0, 100), st.integers(-50, 50))
def test_any_input_keeps_the_promises(rows, slop, depth, max_wait, offset):
    pairer = NearestPairer(slop, offset, max_wait, depth)
    now, pairs = 0, []
    for number, (stream, stamp, pause) in enumerate(rows):
        now += pause
        for pair in pairer.add(stream, stamp, (number, stamp), now) + pairer.flush(now):
            assert pair.skew_ns == pair.infrared[1] + offset - pair.visible[1]
            assert abs(pair.skew_ns) <= slop
            pairs.append(pair)
    pairs += pairer.drain()
    assert pairer.paired == len(pairs)
    assert 2 * len(pairs) + sum(pairer.dropped.values()) == len(rows), 'every message counts once'
    for index in (0, 1):
        numbers = [pair[index][0] for pair in pairs]
        assert numbers == sorted(set(numbers)), 'one-to-one and in order'


def test_equal_stamps_are_a_pair_at_once():
    pairer = NearestPairer(40 * MS)
    assert pairer.add('infrared', 5 * MS, 'i', 0) == []
    assert pairer.add('visible', 5 * MS, 'v', 0) == [('i', 'v', 0)]


def test_slop_is_inclusive_and_zero_slop_pairs_equal_stamps():
    assert feed_all(NearestPairer(10), [(100, 'infrared'), (110, 'visible')]) == [(100, 110)]
    assert feed_all(NearestPairer(10), [(100, 'infrared'), (111, 'visible')]) == []
    assert feed_all(NearestPairer(0), [(100, 'infrared'), (100, 'visible')]) == [(100, 100)]


def test_offset_is_added_to_infrared_stamps():
    pairer = NearestPairer(10, offset_ns=-200)
    pairer.add('visible', 1000, 'v', 0)
    assert pairer.add('infrared', 1203, 'i', 0) + pairer.drain() == [('i', 'v', 3)]


def test_first_within_slop_does_not_beat_an_exact_match():
    arrivals = in_stamp_order([1, 34, 67, 100], [100])
    assert feed_all(NearestPairer(40), arrivals) == [(100, 100)]


def test_visible_at_60_hz_and_infrared_at_15_hz():
    visible = [1000 + n * 1000 // 60 for n in range(16)]
    infrared = [1000 + n * 1000 // 15 for n in range(4)]
    pairer = NearestPairer(40 * MS)
    arrivals = in_stamp_order(infrared, visible)
    assert feed(pairer, arrivals, MS) == [(1000, 1000), (1066, 1066), (1133, 1133), (1200, 1200)]
    assert pairer.dropped == {'unpaired': 9}  # three more wait, for an infrared that may come


def test_jitter_pairs_each_frame_with_its_own():
    infrared, visible = [1000, 1036, 1064, 1101, 1134], [1005, 1030, 1070, 1099, 1140]
    assert feed_all(NearestPairer(20), in_stamp_order(infrared, visible)) == [
        (1000, 1005), (1036, 1030), (1064, 1070), (1101, 1099), (1134, 1140)]


def test_frames_half_a_period_apart_are_not_lost_to_jitter():
    infrared, visible = [1000, 1019, 1060], [1010, 1027, 1068]
    assert feed_all(NearestPairer(20), in_stamp_order(infrared, visible)) == [
        (1000, 1010), (1019, 1027), (1060, 1068)]


def test_a_lost_frame_leaves_its_partner_unpaired():
    infrared = [1000, 1033, 1100]
    visible = [1000, 1033, 1066, 1100]
    pairer = NearestPairer(20)
    assert feed(pairer, in_stamp_order(infrared, visible)) == [
        (1000, 1000), (1033, 1033), (1100, 1100)]
    assert pairer.dropped == {'unpaired': 1}


def test_steady_cameras_need_not_wait_for_the_next_frame():
    """Infrared 12 ms before visible, at 30 Hz: certain on arrival once the rate is known."""
    pairer = NearestPairer(20 * MS, max_wait_ns=NEVER)
    at_once = []
    for frame in range(10):
        pairer.add('infrared', (1000 + 33 * frame) * MS, frame, 0)
        pairs = pairer.add('visible', (1012 + 33 * frame) * MS, frame, 0)
        at_once.append([pair.visible for pair in pairs])
    assert at_once == [[], [], [], [], [4], [5], [6], [7], [8], [9]]


def test_wait_is_bounded_when_the_lagging_stream_stops():
    pairer = NearestPairer(40 * MS, max_wait_ns=20 * MS)
    pairer.add('infrared', 100 * MS, 'i', 0)
    assert pairer.add('visible', 130 * MS, 'v', 1 * MS) == []
    assert pairer.flush(20 * MS) == []
    assert pairer.flush(21 * MS) == [('i', 'v', -30 * MS)]


@pytest.mark.parametrize('skew', [0, 3])
def test_looped_bag_gives_every_pair_in_every_pass(skew):
    pairer = NearestPairer(10)
    infrared = [5000 + 33 * n for n in range(150)]
    arrivals = in_stamp_order(infrared, [stamp + skew for stamp in infrared])
    passes = [len(feed(pairer, arrivals)) for _ in range(3)] + [len(pairer.drain())]
    assert passes == [150, 150, 150, 0]
    assert pairer.dropped == {}
    assert pairer.resets == 2


def test_a_message_from_before_the_loop_costs_no_new_pair():
    pairer = NearestPairer(10)
    feed(pairer, [(5000, 'infrared'), (5000, 'visible')])
    late_visible = [(100, 'infrared'), (5033, 'visible'), (100, 'visible'), (133, 'infrared'),
                    (133, 'visible')]
    assert feed(pairer, late_visible) == [(100, 100), (133, 133)]
    assert pairer.dropped == {'reset': 1}


def test_a_clock_set_back_on_one_camera_only_does_not_silence_the_other():
    pairer = NearestPairer(10, depth=4)
    feed(pairer, in_stamp_order(range(5000, 5300, 30), range(5000, 5300, 30)))
    feed(pairer, [(1000, 'infrared')])
    later = range(5300, 5900, 30)
    assert len(feed(pairer, in_stamp_order(later, later))) >= len(later) - 5


def test_small_regression_is_late_and_equal_stamp_is_a_duplicate():
    pairer = NearestPairer(10)
    feed(pairer, [(100, 'infrared'), (100, 'infrared'), (95, 'infrared')])
    assert pairer.dropped == {'duplicate': 1, 'out_of_order': 1}


def test_unset_stamps_are_never_paired():
    pairer = NearestPairer(10)
    assert feed(pairer, [(0, 'infrared'), (0, 'visible'), (0, 'visible')]) == []
    assert pairer.dropped == {'zero_stamp': 3}


def test_a_silent_camera_costs_bounded_memory_and_is_counted():
    pairer = NearestPairer(10, depth=8)
    assert feed(pairer, [(1000 + 33 * n, 'visible') for n in range(100)]) == []
    assert pairer.dropped == {'overflow': 92}
    assert feed(pairer, [(1000 + 33 * n, 'infrared') for n in range(92, 100)]) == [
        (1000 + 33 * n, 1000 + 33 * n) for n in range(92, 100)]


def test_a_full_queue_gives_its_undecided_pair_rather_than_losing_it():
    pairer = NearestPairer(30, max_wait_ns=NEVER, depth=2)
    assert feed(pairer, [(100, 'infrared'), (120, 'visible'), (150, 'visible')]) == []
    assert feed(pairer, [(180, 'visible')]) == [(100, 120)]


def test_cameras_without_a_common_clock_are_told_by_the_last_miss():
    pairer = NearestPairer(20 * MS)
    assert pairer.last_miss_ns is None
    for frame in range(5):
        pairer.add('visible', (1_700_000_000_000 + 33 * frame) * MS, frame, 0)
        assert pairer.add('infrared', (1_000 + 33 * frame) * MS, frame, 0) == []
    assert pairer.last_miss_ns == (1_132 - 1_700_000_000_000) * MS
    assert pairer.dropped == {'unpaired': 5}


def test_reset_forgets_and_counts():
    pairer = NearestPairer(10)
    pairer.add('infrared', 100, 'i', 0)
    pairer.reset()
    assert pairer.add('visible', 100, 'v', 0) == []
    assert pairer.dropped == {'reset': 1}


def test_a_minute_of_jittered_cameras_pairs_almost_every_frame():
    noise = random.Random(0)
    infrared = [(1000 + 33.3 * n + noise.gauss(0, 2)) for n in range(1800)]
    visible = [(1006 + 33.3 * n + noise.gauss(0, 2)) for n in range(1800)]
    pairer = NearestPairer(20_000)
    arrivals = in_stamp_order([int(s * 1000) for s in infrared], [int(s * 1000) for s in visible])
    assert len(feed_all(pairer, arrivals)) == 1800
