"""ROS messages <-> numpy, and nothing else; for the node and for those who consume its topics."""

from ssap_ros.errors import MessageError
from ssap_ros.messages.compressed import bits_in_use, compressed_to_rgb, png_label_image
from ssap_ros.messages.convert import (
    detections,
    diagnostic_array,
    diagnostic_status,
    instance_masks,
    label_info,
    labels_of,
    stamp_nanoseconds,
    stamp_seconds,
)
from ssap_ros.messages.images import (
    LabelImageWriter,
    depth_image,
    depth_of,
    image_to_rgb,
    label_image,
    mono_image,
    rgb_image,
)

__all__ = [
    "LabelImageWriter",
    "MessageError",
    "bits_in_use",
    "compressed_to_rgb",
    "depth_image",
    "depth_of",
    "detections",
    "diagnostic_array",
    "diagnostic_status",
    "image_to_rgb",
    "instance_masks",
    "label_image",
    "label_info",
    "labels_of",
    "mono_image",
    "png_label_image",
    "rgb_image",
    "stamp_nanoseconds",
    "stamp_seconds",
]
