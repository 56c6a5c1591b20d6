"""What is in a bag, to compare with another."""

from dig2dig_ros.bag.storage import open_bag


def content(path):
    """Every message with its time, topic and type."""
    with open_bag(path) as reader:
        return [(connection.topic, connection.msgtype, connection.ext.offered_qos_profiles,
                 time_ns, bytes(data)) for connection, time_ns, data in reader.messages()]
