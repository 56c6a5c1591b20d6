"""What /diagnostics says of the fusion: true to what became of the last seconds."""

import pytest

from dig2dig_ros.ros.node.health import ERROR, OK, WARN, Recent, judge

IMAGES = {'images infrared': 100, 'images visible': 100}


def verdict(growth, span_s=5.0, silent=(), wanted=True, miss_ms=None):
    recent = Recent()
    recent.note(0.0, {})
    recent.note(span_s, growth)
    return judge(recent, silent, wanted, 'the reason', miss_ms)


@pytest.mark.parametrize(('growth', 'level', 'words'), [
    ({'pairs in': 100, 'fused': 100}, OK, 'fusing'),
    ({'pairs in': 100, 'fused': 40, 'pairs dropped: superseded': 60}, OK, 'fusing'),
    ({'pairs in': 100, 'fused': 40, 'pairs dropped: rate limit': 60}, OK, 'fusing'),
    ({'pairs in': 100, 'pairs dropped: temperature only': 100}, OK, 'measuring temperature'),
    ({}, WARN, 'both cameras deliver, but no images pair'),
    ({'images infrared': 2}, OK, 'waiting for images'),
    ({'pairs in': 34, 'pairs dropped: engine error': 34}, ERROR, 'every pair fails: the reason'),
    ({'pairs in': 34, 'pairs dropped: bad input': 34}, ERROR, 'every pair fails: the reason'),
    ({'pairs in': 99, 'fused': 95, 'pairs dropped: bad input': 3}, WARN,
     '3 of 98 pairs fail: the reason'),
    ({'pairs in': 1, 'pairs dropped: engine error': 1}, WARN, '1 of 1 pairs fail'),
    ({'pairs in': 50, 'pairs dropped: stale': 50}, WARN,
     'every pair is older than sync.max_age_s'),
    ({'pairs in': 50, 'fused': 20, 'pairs dropped: stale': 10}, WARN,
     '10 of 30 pairs are older than sync.max_age_s'),
    ({'pairs in': 50, 'pairs dropped: superseded': 49}, WARN,
     'no pair was finished in the last 5 s'),
])
def test_levels_follow_what_became_of_the_pairs(growth, level, words):
    found, text = verdict({**IMAGES, **growth})
    assert (found, text[:len(words)]) == (level, words)


def test_what_is_no_fault_is_none():
    unfused = {**IMAGES, 'pairs in': 50, 'pairs dropped: no subscriber': 50}
    assert verdict(unfused, wanted=False) == (OK, 'idle: nobody subscribes')
    assert verdict({**IMAGES, 'pairs in': 9}, span_s=2.0) == (OK, 'fusing')


def test_the_reason_why_nothing_pairs_and_who_is_silent_are_said():
    assert verdict(IMAGES, miss_ms=-80.0)[1].endswith(': the last one was 80.0 ms from the other '
                                                      'camera')
    assert verdict({}, silent=['visible']) == (WARN, 'no images from: visible')


def test_only_the_last_seconds_count():
    recent = Recent(window_s=5.0)
    for second in range(20):
        recent.note(float(second), {'fused': min(second, 10) * 15})
    assert recent.growth()['fused'] == 0
    assert recent.span_s == 5.0
    recent.note(20.0, {'fused': 153})
    assert recent.growth()['fused'] == 3
    recent.clear()
    assert recent.growth()['fused'] == 0
