"""Live infrared and visible camera fusion for ROS 2 by the Dig2DIG method."""
