"""Single-shot instance segmentation with an affinity pyramid (SSAP) for ROS 2.

Start reading at `ssap_ros.pipeline`: it tells the way of an image to its instances.
"""

__version__ = "0.1.0"
