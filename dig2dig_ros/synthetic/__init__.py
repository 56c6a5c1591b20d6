"""Rendered cameras, for demonstrations and tests (NumPy, no ROS)."""
