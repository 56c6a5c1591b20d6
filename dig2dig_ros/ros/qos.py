"""Quality of service: names for people, and events under the name that this ROS has for them."""

from rclpy.qos import QoSPolicyKind

try:
    from rclpy.event_handler import (
        PublisherEventCallbacks,
        QoSMessageLostInfo,
        QoSOfferedIncompatibleQoSInfo,
        QoSRequestedIncompatibleQoSInfo,
        SubscriptionEventCallbacks,
    )
except ImportError:  # Humble, whose qos_event became event_handler in Iron
    from rclpy.qos_event import (
        PublisherEventCallbacks,
        QoSMessageLostInfo,
        QoSOfferedIncompatibleQoSInfo,
        QoSRequestedIncompatibleQoSInfo,
        SubscriptionEventCallbacks,
    )

__all__ = [
    'PublisherEventCallbacks',
    'QoSMessageLostInfo',
    'QoSOfferedIncompatibleQoSInfo',
    'QoSRequestedIncompatibleQoSInfo',
    'SubscriptionEventCallbacks',
    'policy_name',
]


def policy_name(kind: int) -> str:
    """Name a policy, such as `reliability`."""
    return QoSPolicyKind(kind).name.lower()
