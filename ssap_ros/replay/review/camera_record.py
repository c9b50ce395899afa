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

"""What is kept of one camera: its topics in the recording, its video, its frame before."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ssap_ros.replay.bags import messages as bag_messages
from ssap_ros.replay.bags.annotations import image_annotations
from ssap_ros.replay.bags.writer import BagWriter
from ssap_ros.replay.frames import Frame
from ssap_ros.replay.report.frame_writer import FrameWriter
from ssap_ros.replay.report.sample_frames import jpeg
from ssap_ros.replay.review.flicker import FlickerMeter
from ssap_ros.replay.review.predictions import NodeOutput
from ssap_ros.replay.review.shown import ShownInstances
from ssap_ros.types import FrameResult, ImageArray
from ssap_ros.visualization.outlines import outlines
from ssap_ros.visualization.overlay import OverlayRenderer

OBJECTS = "/ssap_depth/detections_3d"


def topic_prefix(camera: str) -> str:
    """Of the topics of a camera in the recording, as the node names them."""
    return f"/ssap/{camera}/" if camera else "/ssap/"


class CameraRecord:
    """A camera of a replay, frame after frame.

    Args:
        name: Of the camera, empty for a single one.
        names: Class name by class id.
        threshold: Score of a new object.
        shown: Tells which instances are shown.
        recording: Where its topics go.
        out: Where its pictures go.

    Attributes:
        shown, flicker, renderer: Of this camera.
        before: The last overlay.
    """

    def __init__(
        self,
        name: str,
        names: Mapping[int, str],
        threshold: float,
        shown: ShownInstances,
        recording: BagWriter,
        out: Path,
        fps: float,
    ) -> None:
        self.shown = shown
        self.flicker = FlickerMeter()
        highest = max(names, default=0)
        self.renderer = OverlayRenderer([names.get(k, str(k)) for k in range(highest + 1)])
        self.before: ImageArray = np.zeros((1, 1, 3), np.uint8)
        self._recording, self._names, self._threshold = recording, names, threshold
        self._pictures = FrameWriter(out / name, fps)
        self._n_frames = 0
        self._has_objects = False
        self._prefix = topic_prefix(name)
        for topic, kind in (
            ("instances", bag_messages.IMAGE),
            ("detections", bag_messages.DETECTIONS),
            ("overlay/compressed", bag_messages.COMPRESSED_IMAGE),
            ("annotations", bag_messages.ANNOTATIONS),
        ):
            recording.add_topic(self._prefix + topic, kind)
        recording.add_topic(f"{self._prefix}label_info", bag_messages.LABEL_INFO, latched=True)

    def count(self, frame: Frame) -> None:
        """Count a frame, processed or not; the first one brings the class names."""
        if self._n_frames == 0:
            head = bag_messages.header(frame.stamp, frame.frame_id)
            info = bag_messages.label_info(head, self._names, self._threshold)
            self._recording.write(f"{self._prefix}label_info", frame.logged, info)
        self._n_frames += 1

    def keep(
        self, frame: Frame, output: NodeOutput, overlay: ImageArray, drawn: FrameResult
    ) -> None:
        """Record the output for the last frame.

        Args:
            frame: Of the source.
            output: The masks and detections.
            overlay: RGB uint8 (H, W, 3).
            drawn: The instances in it.
        """
        # encoded again, since the middleware leaves chance bytes between the fields
        self._recording.write(f"{self._prefix}instances", frame.logged, output.masks_msg)
        self._recording.write(f"{self._prefix}detections", frame.logged, output.boxes_msg)
        head = bag_messages.header(frame.stamp, frame.frame_id)
        data = np.frombuffer(jpeg(overlay), np.uint8)
        picture = bag_messages.compressed_image(head, "jpeg", data)
        self._recording.write(f"{self._prefix}overlay/compressed", frame.logged, picture)
        found = outlines(drawn, self._names, self.renderer.ids)
        self._recording.write(
            f"{self._prefix}annotations", frame.logged, image_annotations(head, found)
        )
        self._pictures.add(self._n_frames - 1, overlay, len(drawn.instances))
        self.before = overlay

    def keep_objects(self, frame: Frame, msg: Any) -> None:
        """Record the objects in space of a frame, a vision_msgs/Detection3DArray."""
        if not self._has_objects:
            self._recording.add_topic(OBJECTS, bag_messages.DETECTIONS_3D)
            self._has_objects = True
        self._recording.write(OBJECTS, frame.logged, msg)

    def close(self) -> None:
        """Finish the video and the pictures."""
        self._pictures.close()
