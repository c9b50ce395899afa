"""Pictures and videos in, files out: masks, overlays and labels, without ROS."""
