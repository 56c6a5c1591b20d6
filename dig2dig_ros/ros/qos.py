"""Names of QoS policies for people."""

from rclpy.qos import QoSPolicyKind


def policy_name(kind: int) -> str:
    """Name a policy, such as `reliability`."""
    return QoSPolicyKind(kind).name.lower()
