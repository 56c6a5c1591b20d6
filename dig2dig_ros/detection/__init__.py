"""Object detectors from ONNX files: free of torch and rclpy, for a node and for measuring."""
