"""input.conversion: cv_bridge, by stand-ins that behave as the ones that were met."""

import numpy as np
import pytest
from sensor_msgs.msg import Image

from dig2dig_ros.errors import InputError
from dig2dig_ros.ros.messages import make_reader

WORKS = """
import numpy as np
class CvBridge:
    def imgmsg_to_cv2(self, message, wanted):
        pixels = np.frombuffer(message.data, np.uint8).reshape(message.height, message.width, -1)
        return pixels[..., ::-1] if wanted == 'bgr8' else pixels[..., 0]
"""
# Debian's, compiled for NumPy 1, under NumPy 2; and vision_opencv's Python part by itself.
CRASHES = 'import os\nclass CvBridge:\n    def imgmsg_to_cv2(self, message, wanted): os.abort()\n'
LACKS = ('class CvBridge:\n    def imgmsg_to_cv2(self, message, wanted):\n'
         '        import cv_bridge_boost_that_is_not_there\n')


@pytest.fixture
def install(tmp_path, monkeypatch):
    """A cv_bridge of the given source, for this process and its children."""
    def write(source):
        (tmp_path / 'cv_bridge.py').write_text(source)
        monkeypatch.setenv('PYTHONPATH', str(tmp_path), prepend=':')
        monkeypatch.syspath_prepend(tmp_path)
    yield write
    import sys
    sys.modules.pop('cv_bridge', None)


def test_one_that_works_is_used(install):
    install(WORKS)
    read = make_reader('raw', 'cv_bridge')
    colour = Image(height=1, width=2, step=6, encoding='rgb8', data=[1, 2, 3, 4, 5, 6])
    assert read(colour).tolist() == [[[3, 2, 1], [6, 5, 4]]]
    grey = Image(height=1, width=2, step=2, encoding='mono8', data=[7, 8])
    assert read(grey).tolist() == [[7, 8]]


def test_one_that_crashes_does_not_take_the_node_with_it(install):
    install(CRASHES)
    with pytest.raises(InputError, match=f'crashes under NumPy {np.__version__}.*use own'):
        make_reader('raw', 'cv_bridge')


@pytest.mark.parametrize('source', [LACKS, 'import cv_bridge_that_is_not_there'])
def test_one_that_lacks_a_part_is_told(install, source):
    install(source)
    with pytest.raises(InputError, match=r'No module named .cv_bridge_\w+ot_there'):
        make_reader('raw', 'cv_bridge')
