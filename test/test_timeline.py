"""When recorded messages are due: spacing, rate and pause."""

from dig2dig_ros.bag.timeline import Timeline

START_NS = 7_000_000_000


def test_original_spacing_from_the_first_message():
    timeline = Timeline(START_NS, now_ns=100)
    assert timeline.due_ns(START_NS) == 100
    assert timeline.due_ns(START_NS + 33) == 133
    assert timeline.recorded_ns(120) == START_NS + 20


def test_rate_scales_the_spacing():
    timeline = Timeline(START_NS, now_ns=100, rate=2.0)
    assert timeline.due_ns(START_NS + 50) == 125
    assert timeline.recorded_ns(125) == START_NS + 50


def test_a_pause_shifts_what_is_to_come():
    timeline = Timeline(START_NS, now_ns=100)
    timeline.toggle_pause(110)
    assert timeline.paused
    assert timeline.recorded_ns(190) == START_NS + 10
    timeline.toggle_pause(200)
    assert not timeline.paused
    assert timeline.recorded_ns(205) == START_NS + 15
    assert timeline.due_ns(START_NS + 33) == 223


def test_a_pause_can_begin_at_any_time_of_the_clock():
    timeline = Timeline(START_NS, now_ns=-10)
    timeline.toggle_pause(0)
    assert timeline.recorded_ns(190) == START_NS + 10
