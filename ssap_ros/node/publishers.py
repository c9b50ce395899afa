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

"""What the node publishes of one camera; nothing is computed that nobody listens to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from builtin_interfaces.msg import Time
from numpy.typing import NDArray
from rclpy.lifecycle import LifecycleNodeMixin
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header
from vision_msgs.msg import Detection2DArray, LabelInfo

from ssap_ros import messages
from ssap_ros.config import NodeConfig
from ssap_ros.node import qos
from ssap_ros.node.lazy_publishers import LazyPublishers
from ssap_ros.node.stage_times import StageTimes
from ssap_ros.pipeline import STAGES, Prediction
from ssap_ros.stages.class_choice import ClassChoice
from ssap_ros.stages.hysteresis import ScoreHysteresis, shown_result
from ssap_ros.stages.masks import class_mask
from ssap_ros.stages.semantics import confidence_map, semantic_map
from ssap_ros.stages.tracking import Tracker
from ssap_ros.types import FrameResult, ImageArray, ModelInfo
from ssap_ros.visualization.outlines import outlines
from ssap_ros.visualization.overlay import OverlayRenderer

try:
    from foxglove_msgs.msg import ImageAnnotations

    from ssap_ros.messages.annotations import image_annotations
except ImportError:  # a distribution may lack the package; then there are no annotations
    ImageAnnotations = None

NODE_STAGES = ("wait", "convert", *STAGES, "publish", "total", "pipeline_latency")
"""The timed parts of a frame's way through the node. `total` begins when the worker takes the
frame, after `wait`, and `pipeline_latency` with the stamp of the image."""


class Outputs(LazyPublishers):
    """The publishers of one camera, from configure to cleanup.

    Args:
        prefix: Of the topics, `<camera>/` or empty.
        info: Of the loaded model.

    Attributes:
        png_bytes: Sizes of the compressed masks.
    """

    def __init__(
        self, node: LifecycleNodeMixin, prefix: str, config: NodeConfig, info: ModelInfo
    ) -> None:
        super().__init__(node, prefix)
        self._info = info
        result = qos.output_qos(config)
        for topic, kind in (
            ("instances", Image),
            ("instances/compressed", CompressedImage),
            ("detections", Detection2DArray),
            ("semantic", Image),
            ("confidence", Image),
            ("mask", Image),
            ("camera_info", CameraInfo),
            ("overlay", Image),
        ):
            self.create(kind, topic, result)
        if ImageAnnotations is not None:
            self.create(ImageAnnotations, "annotations", result)
        self.create(LabelInfo, "label_info", qos.latched(), fixed=True)
        self.create_times(NODE_STAGES)
        self.png_bytes = StageTimes()
        self._write_labels = messages.LabelImageWriter()
        self._overlay = OverlayRenderer(info.classes)
        self._hysteresis = ScoreHysteresis()
        self._tracker = Tracker()

    def publish(
        self,
        header: Header,
        image: ImageArray,
        prediction: Prediction,
        result: FrameResult,
        camera_info: CameraInfo | None,
        *,
        choice: ClassChoice,
        settings: NodeConfig,
    ) -> None:
        """Publish a frame's results, all under the header of its image.

        Args:
            header: Of the image.
            image: RGB, uint8 (H, W, 3).
            prediction: What the network predicts for it.
            result: Its instances, down to `score_hysteresis` below their threshold.
            camera_info: That of the image, if there is one.
            choice: The classes of `result`.
            settings: The live ones.
        """
        taken_s = messages.stamp_seconds(header.stamp)
        result = self._shown(result, choice, settings, taken_s)
        ids: Sequence[int] = ()
        if settings.tracking:
            ids = self._tracker.update(result.labels, result.instances, taken_s)
        if self.wanted("detections"):
            self.send("detections", messages.detections(header, result.instances, ids))
        if self.wanted("instances"):
            self.send("instances", self._write_labels(header, result.labels))
        if self.wanted("instances/compressed"):
            png = messages.png_label_image(header, result.labels)
            self.png_bytes.add({"png": len(png.data)})
            self.send("instances/compressed", png)
        if camera_info is not None and self.wanted("camera_info"):
            self.send("camera_info", camera_info)
        if self.wanted("mask"):
            self.send("mask", messages.mono_image(header, self._mask(result, settings)))
        if self.wanted("semantic"):
            self.send("semantic", messages.mono_image(header, self._semantic(prediction, choice)))
        if self.wanted("confidence"):
            self.send("confidence", messages.mono_image(header, self._confidence(prediction)))
        if self.wanted("annotations"):
            self.send("annotations", self._annotations(header, result, ids))
        if self.wanted("overlay"):
            picture = self._overlay.draw(image, result, ids)
            self.send("overlay", messages.rgb_image(header, picture))

    def publish_label_info(self, stamp: Time, choice: ClassChoice) -> None:
        """Latch the names of the classes that are shown and the lowest score of a new object."""
        info = messages.label_info(Header(stamp=stamp), choice.shown, choice.lowest_score)
        self.send("label_info", info)

    def _shown(
        self, found: FrameResult, choice: ClassChoice, settings: NodeConfig, taken_s: float
    ) -> FrameResult:
        class_ids = np.array([instance.class_id for instance in found.instances], np.int64)
        scores = np.array([instance.score for instance in found.instances])
        margin = settings.score_hysteresis
        shown = self._hysteresis(
            found.labels, class_ids, scores, choice.thresholds, margin, taken_s
        )
        return shown_result(found, shown)

    def _annotations(self, header: Header, result: FrameResult, ids: Sequence[int]) -> Any:
        if not ids:  # the colours follow the objects all the same
            taken_s = messages.stamp_seconds(header.stamp)
            ids = self._tracker.update(result.labels, result.instances, taken_s)
        names = dict(enumerate(self._info.classes))
        return image_annotations(header.stamp, outlines(result, names, ids))

    def _mask(self, result: FrameResult, settings: NodeConfig) -> NDArray[np.uint8]:
        wanted = {k for k, name in enumerate(self._info.classes) if name in settings.mask_classes}
        class_ids = [instance.class_id for instance in result.instances]
        return class_mask(result.labels, class_ids, wanted, settings.mask_dilation)

    def _semantic(self, prediction: Prediction, choice: ClassChoice) -> NDArray[np.uint8]:
        probabilities, cells_per_pixel = prediction.pyramid.probabilities, self._cells(prediction)
        return semantic_map(
            probabilities, self._info.classes, prediction.size, cells_per_pixel, choice.hidden
        )

    def _confidence(self, prediction: Prediction) -> NDArray[np.uint8]:
        return confidence_map(
            prediction.pyramid.probabilities, prediction.size, self._cells(prediction)
        )

    def _cells(self, prediction: Prediction) -> float:
        return prediction.scale / self._info.levels[0]
