"""rosbag2 in and out, through the rosbags library."""
