"""The Dig2DIG fusion engine: torch only, no ROS."""
