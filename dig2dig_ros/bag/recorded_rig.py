"""The rig that a recording itself describes: lenses from camera_info, pose from a file or TF."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from rosbags.highlevel import AnyReader, AnyReaderError

from dig2dig_ros.alignment.rig import CameraRig, read_rig
from dig2dig_ros.bag.calibration import CAMERA_INFO
from dig2dig_ros.camera.registration_settings import RegistrationSettings
from dig2dig_ros.camera.rig_source import Pose, frames_of, pose_of_transform, rig_of
from dig2dig_ros.errors import InputError
from dig2dig_ros.topics import CAMERAS, info_topic

STATIC_TRANSFORMS = '/tf_static'


def recorded_rig(reader: AnyReader, topics: Sequence[str],
                 settings: RegistrationSettings) -> CameraRig:
    """Read the first camera_info of both cameras, and how the cameras sit to each other.

    Cameras on one bracket stand still to each other, so of TF only /tf_static is read.

    :param topics: of the images, infrared first; their camera_info is beside them, as
        image_transport has it.
    :param settings: with `source` camera_info or tf.
    :raises InputError: naming what the recording lacks, or what in it cannot be.
    """
    infos = {camera: _first_info(reader, camera, info_topic(topic))
             for camera, topic in zip(CAMERAS, topics, strict=True)}
    return rig_of(infos, _pose(reader, infos, settings))


def _first_info(reader: AnyReader, camera: str, topic: str) -> Any:
    for message in _messages(reader, topic, CAMERA_INFO):
        return message
    raise InputError(f'the bag has no camera_info of {camera} on {topic}; give --source file and '
                     'a rig file that holds both lenses')


def _messages(reader: AnyReader, topic: str, message_type: str) -> Iterator[Any]:
    connections = [each for each in reader.connections
                   if each.topic == topic and each.msgtype == message_type]
    if not connections:
        return
    try:
        for source, _, data in reader.messages(connections):
            yield reader.deserialize(data, source.msgtype)
    except AnyReaderError as error:
        raise InputError(f'{topic}: {error}') from error


def _pose(reader: AnyReader, infos: Mapping[str, Any], settings: RegistrationSettings) -> Pose:
    if settings.source == 'camera_info':
        rig = read_rig(settings.file)
        return rig.rotation, rig.translation
    static = {transform.child_frame_id: transform
              for message in _messages(reader, STATIC_TRANSFORMS, 'tf2_msgs/msg/TFMessage')
              for transform in message.transforms}
    frames = frames_of(infos)
    (source, up), (target, down) = (_to_root(static, frame) for frame in frames)
    if source != target:
        raise InputError(f'the bag has no transform from {frames[0]!r} to {frames[1]!r} on '
                         f'{STATIC_TRANSFORMS}; these are the frames of the cameras')
    whole = np.linalg.inv(down) @ up
    return whole[:3, :3], whole[:3, 3]


def _to_root(static: dict[str, Any], frame: str) -> tuple[str, np.ndarray]:
    """Follow a frame up its tree: the root, and 4 x 4 from the frame's coordinates to its."""
    whole, seen = np.eye(4), set()
    while frame in static:
        if frame in seen:
            raise InputError(f'{STATIC_TRANSFORMS}: {frame!r} is above itself')
        seen.add(frame)
        step = np.eye(4)
        step[:3, :3], step[:3, 3] = pose_of_transform(static[frame].transform)
        whole = step @ whole
        frame = static[frame].header.frame_id
    return frame, whole
