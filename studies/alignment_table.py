"""The table of docs/alignment.md from the figures of studies/alignment.py."""


def table(result: dict) -> str:
    """The document's table."""
    lines = ['| what | measured |', '|---|---|']
    for name, methods in result.get('put_back', {}).items():
        lines += [f'| one frame, {name}, {title}: known warp put back, against labels / own; '
                  f'share under 2 px; CPU time | {m["labels_median_px"]:.2f} / '
                  f'{m["own_median_px"]:.2f} px; {m["labels_under_2px"]:.0%} / '
                  f'{m["own_under_2px"]:.0%}; {m["cpu_ms"]:.0f} ms |'
                  for title, m in methods.items()]
    for count, m in result.get('pooled_night', {}).items():
        lines.append(f'| {count} night frames against {m["others"]} others of the rig: median, '
                     f'largest | '
                     f'{m["median_px"]:.2f}, {m["max_px"]:.2f} px (z at least {m["least_z"]:.0f}) '
                     '|')
    for name, methods in result.get('unaligned', {}).items():
        lines += [f'| one frame, unaligned/{name}, {title}: against hand-placed labels where both '
                  f'see, median in infrared px; share under 5 px | {m["median_px"]:.1f} px; '
                  f'{m["under_5px"]:.0%} of {m["pairs"]} |' for title, m in methods.items()]
    for name, m in result.get('believed', {}).items():
        lines.append(f'| one frame, unaligned/{name}: accepted; wrong accepted (mean over what '
                     f'both see above 1 % of the visible diagonal); the farthest off of the '
                     f'accepted | {m["accepted"]} of {m["pairs"]}; {m["wrong_accepted"]}; '
                     f'{m["worst_share"]:.2%} |')
    for name, m in result.get('refused', {}).items():
        lines.append(f'| {name}, one frame: wrong scenes accepted, right ones accepted | '
                     f'{m["wrong_accepted"]} of {m["wrong"]}, {m["right_accepted"]} of '
                     f'{m["right"]} |')
    if 'boards' in result:
        m = result['boards']
        lines.append(f'| real 120x160 thermal boards found: ours, flags of ROS\'s calibrator | '
                     f'{m["ours"]}, {m["ros_flags"]} of {m["views"]} |')
    if 'transfer_median_px' in result.get('real_board', {}):
        m = result['real_board']
        lines.append(f'| calibrated from them: infrared rms, held-out transfer | '
                     f'{m["infrared_rms_px"]:.2f}, {m["transfer_median_px"]:.2f} px |')
    for kind, m in result.get('rendered', {}).items():
        lines.append(f'| {m["views"]} rendered boards, {kind}: held-out transfer median, p95; '
                     f'rotation; baseline length | {m["transfer_median_px"]:.2f}, '
                     f'{m["transfer_p95_px"]:.2f} px; {m["rotation_deg"]:.3f} deg; '
                     f'{m["baseline_percent"]:.1f} % |')
    for title, m in result.get('lenses', {}).items():
        lines.append(f'| 8 frames of the rendered street through its lenses, {title}: error over '
                     f'the picture, median, largest | {m["median_px"]:.2f}, {m["max_px"]:.2f} px '
                     '|')
    if 'speed' in result:
        m = result['speed']
        lines += [f'| search, one frame of 640x480, CPU time | {m["search_ms"]:.0f} ms |',
              f'| registration.refine monitor at 640x480, CPU time a frame: mean, largest | '
              f'{m["monitor_mean_ms"]:.1f}, {m["monitor_max_ms"]:.1f} ms |',
              f'| map of a rig, of a homography: a frame of 640x480, CPU time (to build) | '
              f'{m["rig_ms"]:.2f} ({m["rig_build_ms"]:.0f}), {m["homography_ms"]:.2f} '
              f'({m["homography_build_ms"]:.0f}) ms |']
    return '\n'.join(lines)
