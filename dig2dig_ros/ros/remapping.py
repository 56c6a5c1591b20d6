"""How the sibling topics of an image follow it where the user remaps it."""

from rclpy.node import Node

from dig2dig_ros.topics import info_topic


def _follow(node: Node, name: str, derived: str) -> str:
    """Use the derived name, unless the user remapped the topic itself."""
    remapped = node.resolve_topic_name(name)
    if remapped != node.resolve_topic_name(name, only_expand=True):
        return remapped
    return derived


def camera_info_topic(node: Node, name: str, image_name: str) -> str:
    """Resolve a camera_info topic: that of the image topic, see `info_topic`."""
    return _follow(node, name, info_topic(node.resolve_topic_name(image_name)))


def compressed_topic(node: Node, image_name: str) -> str:
    """Resolve the compressed transport of an image topic."""
    return _follow(node, f'{image_name}/compressed',
                   f'{node.resolve_topic_name(image_name)}/compressed')
