"""How the sibling topics of an image follow it where the user remaps it."""

from rclpy.node import Node


def _follow(node: Node, name: str, image_topic: str, derived: str) -> str:
    """Use the derived name, unless the user remapped the topic itself."""
    remapped = node.resolve_topic_name(name)
    if remapped != node.resolve_topic_name(name, only_expand=True):
        return remapped
    return derived.format(image=image_topic, parent=image_topic.rpartition('/')[0])


def camera_info_topic(node: Node, name: str, image_name: str) -> str:
    """Resolve a camera_info topic: the image topic's sibling, as image_transport has it."""
    return _follow(node, name, node.resolve_topic_name(image_name), '{parent}/camera_info')


def compressed_topic(node: Node, image_name: str) -> str:
    """Resolve the compressed transport of an image topic."""
    return _follow(node, f'{image_name}/compressed', node.resolve_topic_name(image_name),
                   '{image}/compressed')
