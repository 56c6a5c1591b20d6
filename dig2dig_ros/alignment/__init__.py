"""Aligning and calibrating an infrared and a visible camera: NumPy, OpenCV; no ROS, no torch."""
