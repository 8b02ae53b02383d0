"""The only room with rclpy: thin nodes over the science."""
