"""The fusion node's parameters."""

from dig2dig_ros.camera.preparation import camera_options
from dig2dig_ros.camera.temperature import TemperatureSettings
from dig2dig_ros.option import options
from dig2dig_ros.overlay import KINDS
from dig2dig_ros.ros.parameter_table import Parameter, parameter
from dig2dig_ros.settings import OPTIONS, PRESETS

# What a setting of the engine says that is left to `engine.preset`.
# A latency budget that follows the cameras.
AUTO_BUDGET = -1.0
FROM_PRESET = 'preset'

PARAMETERS = (
    # What pairs.
    Parameter('sync.policy', 'nearest',
              'nearest: each image with the nearest in time of the other camera; approximate: '
              "message_filters' ApproximateTimeSynchronizer, where it is installed",
              choices=('nearest', 'approximate'), changes='configure'),
    Parameter('sync.by', 'stamp',
              'pair by header stamp, or by arrival for cameras without a common clock',
              choices=('stamp', 'arrival'), changes='configure'),
    Parameter('sync.slop_s', 0.02, 'largest time difference in a pair, inclusive, in seconds',
              bounds=(0.0, 10.0)),
    Parameter('sync.offset_s', 0.0,
              'added to infrared stamps before pairing, in seconds (a constant clock offset or '
              'exposure delay)', bounds=(-10.0, 10.0)),
    Parameter('sync.max_wait_s', 0.05,
              'how long a pair waits for a nearer partner, in seconds', bounds=(0.0, 10.0)),
    Parameter('sync.depth', 16,
              'images of each camera that wait for a partner at most; more where one camera '
              'arrives later than the other by many frames', bounds=(1, 1000)),
    Parameter('sync.max_age_s', 0.0,
              'a pair whose visible stamp is older than this when its turn comes is dropped as '
              'stale, in seconds of the node clock; 0: never', bounds=(0.0, 60.0)),
    # What comes in.
    Parameter('input.transport', 'raw',
              'raw subscribes sensor_msgs/Image, compressed sensor_msgs/CompressedImage on '
              '<topic>/compressed', choices=('raw', 'compressed'), changes='configure'),
    Parameter('input.conversion', 'own',
              'own table of encodings, or cv_bridge where it loads',
              choices=('own', 'cv_bridge'), changes='configure'),
    # Infrared to 8 bits and to degrees, and onto the visible image.
    *map(parameter, sorted(
        [*camera_options(), *options(TemperatureSettings, 'thermal')],
        key=lambda option: not option.name.startswith('thermal.'))),
    # The engine.
    Parameter('engine.preset', 'live',
              'where the engine.* settings that are left at `preset` come from; '
              + '; '.join(f'{name}: {preset.description}' for name, preset in PRESETS.items()),
              choices=tuple(PRESETS)),
    *(parameter(option, name=f'engine.{option.name}', default=FROM_PRESET, word=FROM_PRESET)
      for option in OPTIONS),
    Parameter('engine.latency_budget_ms', 0.0,
              'the engine picks the longest schedule that fits; 0: the one that is set; -1: auto, '
              'what holds the rate of the cameras',
              bounds=(AUTO_BUDGET, 60_000.0), changes='configure'),
    Parameter('engine.device', 'auto', 'auto, cpu, cuda or cuda:N', changes='configure'),
    Parameter('engine.checkpoint', '',
              'prior: tiny, small or a weights file; empty: small',
              changes='configure'),
    Parameter('engine.warm_up_size', [640, 512],
              'width and height fused once at configure, so that the first frame is not slow',
              bounds=(1, 8192), length=2, changes='configure'),
    # What goes out.
    Parameter('output.encoding', 'bgr8', 'of fused/image', choices=('bgr8', 'rgb8', 'mono8')),
    Parameter('output.compressed', 'none', 'also publish fused/image/compressed',
              choices=('none', 'jpeg', 'png'), changes='configure'),
    Parameter('output.jpeg_quality', 90, 'of fused/image/compressed', bounds=(1, 100)),
    Parameter('output.overlay', 'weights',
              'what fused/overlay shows; weights: which camera each pixel is from, orange for '
              'infrared and blue for visible; hot: what is hot, glowing over the visible image; '
              'checker: squares of both cameras in turn, to see whether they are aligned',
              choices=KINDS),
    Parameter('output.max_fps', 0.0,
              'pairs per second that are fused at most, the others are dropped before any work; '
              '0: all', bounds=(0.0, 1000.0)),
    # How it runs.
    Parameter('queue', 'latest',
              'latest: the newest pair, older ones are superseded; every: all pairs in order',
              choices=('latest', 'every'), changes='configure'),
    Parameter('queue_limit', 256, 'pairs kept at most with queue every', bounds=(1, 100_000),
              changes='configure'),
    Parameter('on_silent', 'passthrough',
              'when one camera is silent: passthrough the other, hold (repeat the last fused '
              'image) or stop', choices=('passthrough', 'hold', 'stop')),
    Parameter('silent_timeout_s', 1.0, 'a camera is silent after this, in seconds',
              bounds=(0.05, 60.0)),
    Parameter('lazy', True, 'no inference while nobody subscribes to an output'),
    Parameter('hardware_id', 'dig2dig',
              'of the diagnostics, such as the name of the rig; nodes of several rigs are told '
              'apart by it', changes='start'),
    Parameter('autostart', True, 'configure and activate at start', changes='start'),
)
