"""Quality of service: names for people, and events under the name that this ROS has for them."""

from collections.abc import Callable, Sequence
from typing import Any

from rclpy.qos import QoSPolicyKind

try:
    from rclpy.event_handler import (
        PublisherEventCallbacks,
        QoSMessageLostInfo,
        QoSOfferedIncompatibleQoSInfo,
        QoSRequestedIncompatibleQoSInfo,
        SubscriptionEventCallbacks,
        UnsupportedEventTypeError,
    )
except ImportError:  # Humble, whose qos_event became event_handler in Iron
    from rclpy.qos_event import (
        PublisherEventCallbacks,
        QoSMessageLostInfo,
        QoSOfferedIncompatibleQoSInfo,
        QoSRequestedIncompatibleQoSInfo,
        SubscriptionEventCallbacks,
        UnsupportedEventTypeError,
    )

__all__ = [
    'PublisherEventCallbacks',
    'QoSMessageLostInfo',
    'QoSOfferedIncompatibleQoSInfo',
    'QoSRequestedIncompatibleQoSInfo',
    'SubscriptionEventCallbacks',
    'UnsupportedEventTypeError',
    'made_with_events',
    'policy_name',
]


def policy_name(kind: int) -> str:
    """Name a policy, such as `reliability`."""
    return QoSPolicyKind(kind).name.lower()


def made_with_events(make: Callable[[Any], Any], choices: Sequence[Any]) -> Any:
    """Make a publisher or subscription with the first choice of events that the RMW has.

    :param make: takes event callbacks, or None.
    :param choices: the most wanted first; without events where none is supported.
    """
    for callbacks in choices:
        try:
            return make(callbacks)
        except UnsupportedEventTypeError:
            continue
    return make(None)
