"""The two cameras and the names of their topics and of the fusion's. No ROS here.

The names are relative, as a node uses them; a recording has them below `/`.
"""

CAMERAS = ('infrared', 'visible')

INFRARED_IMAGE = 'infrared/image_raw'
INFRARED_INFO = 'infrared/camera_info'
VISIBLE_IMAGE = 'visible/image_raw'
VISIBLE_INFO = 'visible/camera_info'
FUSED_IMAGE = 'fused/image'
FUSED_INFO = 'fused/camera_info'
INFRARED_WEIGHTS = 'fused/weights/infrared'
VISIBLE_WEIGHTS = 'fused/weights/visible'
FUSED_OVERLAY = 'fused/overlay'
FUSED_TEMPERATURE = 'fused/temperature'
DIAGNOSTICS = '/diagnostics'

IMAGES = {'infrared': INFRARED_IMAGE, 'visible': VISIBLE_IMAGE}
INFOS = {'infrared': INFRARED_INFO, 'visible': VISIBLE_INFO}
WEIGHTS = {'infrared': INFRARED_WEIGHTS, 'visible': VISIBLE_WEIGHTS}


def recorded(name: str) -> str:
    """Name of a topic in a recording of a node without namespace."""
    return f'/{name.lstrip("/")}'


def info_topic(image_topic: str) -> str:
    """Name the camera_info of an image topic, raw or compressed: beside it (image_transport)."""
    return f'{image_topic.removesuffix("/compressed").rpartition("/")[0]}/camera_info'
