"""Image messages to arrays and back, without a step per element or an allocation per frame.

`msg.data = ndarray` costs 417 ms for a 3.9 MB image, and with ROS_PYTHON_CHECK_FIELDS=1 so does
`bytes`; a persistent message with a writable view into its array costs one memory copy.
"""

import subprocess
import sys
from array import array

import cv2
import numpy as np
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from dig2dig_ros.camera.encodings import encode, read_pixels
from dig2dig_ros.camera.preparation import Reader
from dig2dig_ros.errors import InputError

_CV_BRIDGE_TRIAL = """
from cv_bridge import CvBridge
from sensor_msgs.msg import Image
image = Image(height=1, width=1, step=3, encoding='rgb8', data=[1, 2, 3])
assert CvBridge().imgmsg_to_cv2(image, 'bgr8').tolist() == [[[3, 2, 1]]]
"""
RAW_GRAY = ('mono8', 'mono16', '8UC1', '16UC1', '32FC1')


def cv_bridge_reader() -> Reader:
    """Make a reader that is cv_bridge's.

    :raises InputError: where it does not work: it is not installed, or built for NumPy 1.
    """
    # Debian's cv_bridge loads under NumPy 2 and then crashes with the first image, so the first
    # one is read in a process of its own.
    trial = subprocess.run([sys.executable, '-c', _CV_BRIDGE_TRIAL], capture_output=True,
                           text=True)
    if trial.returncode:
        reason = (f'it crashes under NumPy {np.__version__}' if trial.returncode < 0
                  else trial.stderr.strip().rpartition('\n')[2])
        raise InputError(f'input.conversion is cv_bridge, but it does not work ({reason}); '
                         'use own')
    from cv_bridge import CvBridge
    bridge = CvBridge()

    def read(message: Image) -> np.ndarray:
        wanted = 'passthrough' if message.encoding in RAW_GRAY else 'bgr8'
        try:
            return bridge.imgmsg_to_cv2(message, wanted)
        except Exception as error:  # CvBridgeError, and NumPy's where a size is wrong
            raise InputError(f'cv_bridge cannot read the image: {error}') from error

    return read


def make_reader(transport: str, conversion: str) -> Reader:
    """Choose the reader that the parameters ask for; of compressed images there is one."""
    own = transport == 'compressed' or conversion == 'own'
    return read_pixels if own else cv_bridge_reader()


class ImageWriter:
    """A persistent Image message that is filled in place."""

    def __init__(self) -> None:
        self.message = Image(is_bigendian=int(sys.byteorder == 'big'))
        self._view = np.empty(0, np.uint8)

    def write(self, image: np.ndarray, encoding: str, header: Header) -> Image:
        """Fill the message; it is valid until the next call."""
        pixels = encode(image, encoding)
        height, width = pixels.shape[:2]
        data = pixels.reshape(-1).view(np.uint8)
        if data.size != self._view.size:
            self.message.data = array('B', bytes(data.size))
            self._view = np.frombuffer(self.message.data, np.uint8)
        np.copyto(self._view, data)
        self.message.header = header
        self.message.height, self.message.width = height, width
        self.message.step = data.size // height
        self.message.encoding = encoding
        return self.message


def write_compressed(image: np.ndarray, encoding: str, codec: str, jpeg_quality: int,
                     header: Header) -> CompressedImage:
    """Make a CompressedImage of an H x W or H x W x 3 BGR uint8 image.

    :param encoding: of the raw image that it stands for; the format text names it.
    :param codec: `jpeg` or `png`.
    """
    if encoding == 'mono8' and image.ndim == 3:
        image = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    options = [cv2.IMWRITE_JPEG_QUALITY, jpeg_quality] if codec == 'jpeg' else []
    _, data = cv2.imencode('.jpg' if codec == 'jpeg' else '.png', image, options)
    pixels = 'mono8' if image.ndim == 2 else 'bgr8'
    message = CompressedImage(header=header, format=f'{encoding}; {codec} compressed {pixels}')
    message.data = array('B', data.tobytes())
    return message
