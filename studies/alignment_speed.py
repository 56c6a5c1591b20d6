"""CPU times of the search, of the live monitor, and of the maps of rigs and homographies."""

import time
from collections.abc import Callable

import numpy as np

from dig2dig_ros.alignment.align import align, search
from dig2dig_ros.alignment.monitor import PERIOD, Monitor
from dig2dig_ros.alignment.pyramid import Pyramid
from dig2dig_ros.camera.registration import Registration
from dig2dig_ros.camera.rig_registration import RigRegistration
from dig2dig_ros.images import to_8_bit
from dig2dig_ros.synthetic.rig_view import street_rig
from dig2dig_ros.synthetic.street import StreetScene


def speed() -> dict[str, float]:
    """CPU times of the search, of the live monitor and of both maps, on the rendered street."""
    size = (640, 480)
    scene = StreetScene(*size, seed=3)
    moments = [scene.render(1.3 * index, index) for index in range(10)]
    pairs = [(to_8_bit(each.infrared), each.visible) for each in moments]
    pyramid = Pyramid(pairs[:1])
    result = {'search_ms': cpu_ms(lambda: search(pyramid), 5),
              'align_ms': cpu_ms(lambda: align(pairs[:1]), 5),
              'align_eight_ms': cpu_ms(lambda: align(pairs[:8]), 1)}
    monitor, times = Monitor(), []
    for step in range(40 * PERIOD):
        start = time.process_time()
        if monitor.due():
            monitor.look(*pairs[step // PERIOD % len(pairs)])
        times.append(1e3 * (time.process_time() - start))
    result |= {'monitor_mean_ms': float(np.mean(times[8 * PERIOD:])), 'monitor_max_ms': max(times)}
    rig = street_rig(*size, 0.06)
    makers = {'homography': lambda: Registration([1.01, 0.01, 3, -0.01, 1.01, 2, 0, 0, 1]),
              'rig': lambda: RigRegistration(rig, 10.0)}
    builds = {name: [] for name in makers}
    for _ in range(5):
        for name, maker in makers.items():
            made = maker()
            builds[name].append(cpu_ms(lambda each=made: each.apply(*pairs[0]), 1))
    result |= {f'{name}_build_ms': float(np.median(times)) for name, times in builds.items()}
    maps = {name: maker() for name, maker in makers.items()}
    for _ in range(3):  # in turn, so that neither has the better moment
        for name, registration in maps.items():
            took = cpu_ms(lambda each=registration: each.apply(*pairs[0]), 200)
            result[f'{name}_ms'] = min(took, result.get(f'{name}_ms', np.inf))
    return result


def cpu_ms(function: Callable[[], object], count: int) -> float:
    """Mean CPU time of a call."""
    start = time.process_time()
    for _ in range(count):
        function()
    return 1e3 * (time.process_time() - start) / count
