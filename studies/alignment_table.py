"""The table of docs/alignment.md from the figures of studies/alignment.py."""

from collections.abc import Iterator

from dig2dig_ros.evaluation.pages import markdown_table

# Part of studies/alignment.json, what its rows say, and their figures. {0} and {1} are the names
# under which the figures stand in that part, such as that of a set and of a method.
ROWS = (
    ('put_back', 'one frame, {0}, {1}: known warp put back, against labels / own; share under '
     '2 px; CPU time', '{labels_median_px:.2f} / {own_median_px:.2f} px; {labels_under_2px:.0%} / '
     '{own_under_2px:.0%}; {cpu_ms:.0f} ms'),
    ('pooled_night', '{0} night frames against {others} others of the rig: median, largest',
     '{median_px:.2f}, {max_px:.2f} px (z at least {least_z:.0f})'),
    ('unaligned', 'one frame, unaligned/{0}, {1}: against hand-placed labels where both see, '
     'median in infrared px; share under 5 px', '{median_px:.1f} px; {under_5px:.0%} of {pairs}'),
    ('believed', 'one frame, unaligned/{0}: accepted; wrong accepted (mean over what both see '
     'above 1 % of the visible diagonal); the farthest off of the accepted',
     '{accepted} of {pairs}; {wrong_accepted}; {worst_share:.2%}'),
    ('refused', '{0}, one frame: wrong scenes accepted, right ones accepted',
     '{wrong_accepted} of {wrong}, {right_accepted} of {right}'),
    ('single', 'one frame of RoadScene, VIFB, MSRS, {0}: right ones accepted, wrong ones (by '
     'halves within 1.5 % alone); the farthest off',
     '{right_accepted} of {right} ({right_plainly}); {wrong_accepted} of {wrong} '
     '({wrong_plainly}); {worst_share:.1%}'),
    ('boards', "real 120x160 thermal boards found: ours, flags of ROS's calibrator",
     '{ours}, {ros_flags} of {views}'),
    ('real_board', 'calibrated from them: infrared rms, held-out transfer',
     '{infrared_rms_px:.2f}, {transfer_median_px:.2f} px'),
    ('rendered', '{views} rendered boards, {0}: held-out transfer median, p95; rotation; baseline '
     'length', '{transfer_median_px:.2f}, {transfer_p95_px:.2f} px; {rotation_deg:.3f} deg; '
     '{baseline_percent:.1f} %'),
    ('lenses', '8 frames of the rendered street through its lenses, {0}: error over the picture, '
     'median, largest', '{median_px:.2f}, {max_px:.2f} px'),
    ('speed', 'search, one frame of 640x480, CPU time', '{search_ms:.0f} ms'),
    ('speed', 'dig2dig align, 1 frame of 640x480, and 8, CPU time',
     '{align_ms:.0f}, {align_eight_ms:.0f} ms'),
    ('speed', 'registration.refine monitor at 640x480, CPU time a frame: mean, largest',
     '{monitor_mean_ms:.1f}, {monitor_max_ms:.1f} ms'),
    ('speed', 'map of a rig, of a homography: a frame of 640x480, CPU time (to build)',
     '{rig_ms:.2f} ({rig_build_ms:.0f}), {homography_ms:.2f} ({homography_build_ms:.0f}) ms'))


def table(result: dict) -> str:
    """The document's table, without the parts that have not been measured."""
    rows = [(what.format(*names, **figures), measured.format(**figures))
            for part, what, measured in ROWS
            for names, figures in entries(result.get(part, {}))]
    return markdown_table(('what', 'measured'), rows + [
        drift_row(kind + name, conditions)
        for kind, part in (('', 'drift'), ('kept apart: ', 'held_out'))
        for name, conditions in result.get(part, {}).items()])


def entries(part: dict, names: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], dict]]:
    """Every mapping of figures in a part, with the names under which it stands."""
    for name, value in part.items():
        if isinstance(value, dict):
            yield from entries(value, (*names, name))
    if part and not any(isinstance(value, dict) for value in part.values()):
        yield names, part


def drift_row(name: str, conditions: dict) -> tuple[str, str]:
    """What the monitor says of a set: a row."""
    parts = []
    for title, m in conditions.items():
        if title.startswith(('knocked', 'turned')):
            parts.append(f'{title}: {m["warned"]}')
        else:
            too = m['warned_ever_where_align_says_so']
            parts.append(f'{title}: {m["warned_ever"]}' + f' ({too} where align says so too)'
                         * bool(too))
    plain = conditions['as it is']
    what = f'refine monitor, {name}: warnings of {plain["cases"]} ({plain["known"]} measured)'
    if 'cpu_ms' not in plain:
        return what, '; '.join(parts)
    return f'{what}; CPU time a frame', f'{"; ".join(parts)}; {plain["cpu_ms"]:.1f} ms'
