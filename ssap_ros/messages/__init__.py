# Copyright 2026 ssap_ros maintainers
# SPDX-License-Identifier: Apache-2.0
#
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file
# except in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND,
# either express or implied. See the License for the specific language governing permissions
# and limitations under the License.

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
