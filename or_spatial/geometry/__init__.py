"""Cameras, transforms, boxes and relation probabilities: metric 3D without ROS."""
