"""Markers, overlays and maps: picture data without ROS."""
