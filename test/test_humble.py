"""Humble has no wheels to run the node on, so its API is held as a listing of names."""

import ast
from pathlib import Path

import rclpy.clock
import rclpy.executors
import rclpy.lifecycle
import rclpy.publisher
import rclpy.qos
import rclpy.subscription

PACKAGE = Path(__file__).resolve().parents[1] / 'dig2dig_ros'
LISTING = Path(__file__).with_name('data') / 'rclpy_humble.txt'
CLASSES = (rclpy.lifecycle.LifecycleNode, rclpy.publisher.Publisher, rclpy.qos.QoSProfile,
           rclpy.subscription.Subscription, rclpy.clock.ROSClock, rclpy.executors.Executor)


def humble():
    """Module or class -> its public names in Humble."""
    text = LISTING.read_text(encoding='utf-8').replace('\n    ', ' ')
    rows = (line.partition(': ') for line in text.splitlines() if not line.startswith('#'))
    return {head: set(names.split()) for head, _, names in rows}


def imports(tree):
    """(module, name) of every import from rclpy, those that a fallback replaces left out."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Try) and any(
                isinstance(handler.type, ast.Name) and handler.type.id == 'ImportError'
                for handler in node.handlers):
            # Any of the ways must work in Humble: here the last one.
            for statement in node.body:
                statement.module = ''
        if isinstance(node, ast.ImportFrom) and (node.module or '').startswith('rclpy'):
            yield from ((node.module, alias.name) for alias in node.names)


def trees():
    for path in sorted(PACKAGE.rglob('*.py')):
        yield ast.parse(path.read_text(encoding='utf-8'))


def test_every_name_imported_from_rclpy_exists_in_humble():
    known = humble()
    wanted = {pair for tree in trees() for pair in imports(tree)}
    assert ('rclpy.lifecycle', 'LifecycleNode') in wanted
    assert ('rclpy.qos_event', 'SubscriptionEventCallbacks') in wanted
    assert {(module, name) for module, name in wanted
            if name not in known.get(module, ())} == set()


def test_every_method_used_of_an_rclpy_class_exists_in_humble():
    """An attribute of a name that today's rclpy classes have must be one that Humble's had."""
    today = {name for cls in CLASSES for name in dir(cls) if not name.startswith('_')}
    used = {node.attr for tree in trees() for node in ast.walk(tree)
            if isinstance(node, ast.Attribute)}
    then = {name for names in humble().values() for name in names}
    assert {'create_subscription', 'get_subscription_count'} <= used & today
    assert (used & today) - then == set()
