"""What the two cameras sent at one time, on its way to the worker."""

from typing import NamedTuple

from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header


class Capture(NamedTuple):
    """A pair of messages to fuse, or one alone (the other None) whose partner is silent.

    Attributes:
        received_ns: arrival of the later image, of the steady clock.
        skew_ns: infrared minus visible.
        visible_info: newest camera_info of the visible camera then; not ours to change.
        infrared_info: likewise.
    """

    infrared: Image | CompressedImage | None
    visible: Image | CompressedImage | None
    received_ns: int
    skew_ns: int = 0
    visible_info: CameraInfo | None = None
    infrared_info: CameraInfo | None = None

    @property
    def is_pair(self) -> bool:
        """Whether there are two images to fuse."""
        return self.infrared is not None and self.visible is not None

    @property
    def header(self) -> Header:
        """That of the visible image; of infrared where it is alone."""
        return (self.infrared if self.visible is None else self.visible).header
