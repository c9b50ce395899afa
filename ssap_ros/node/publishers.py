"""What the node publishes of one camera; nothing is computed that nobody listens to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from builtin_interfaces.msg import Time
from numpy.typing import NDArray
from rclpy.lifecycle import LifecycleNodeMixin, LifecyclePublisher
from rclpy.qos import QoSProfile
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header
from vision_msgs.msg import Detection2DArray, LabelInfo

from ssap_ros import messages
from ssap_ros.config import NodeConfig
from ssap_ros.node import qos
from ssap_ros.node.stage_times import StageTimes
from ssap_ros.pipeline import STAGES, Prediction
from ssap_ros.stages.class_choice import ClassChoice
from ssap_ros.stages.masks import class_mask
from ssap_ros.stages.semantics import confidence_map, semantic_map
from ssap_ros.stages.tracking import Tracker
from ssap_ros.types import FrameResult, ImageArray, ModelInfo
from ssap_ros.visualization.overlay import OverlayRenderer

try:
    from autoware_internal_debug_msgs.msg import Float64Stamped
except ImportError:  # a distribution may lack the package; then there are no debug topics
    Float64Stamped = None

NODE_STAGES = ("wait", "convert", *STAGES, "publish", "total", "pipeline_latency")
"""The timed parts of a frame's way through the node. `total` begins when the worker takes the
frame, after `wait`, and `pipeline_latency` with the stamp of the image."""


class Outputs:
    """The publishers of one camera, from configure to cleanup.

    prefix: of the topics, `<camera>/` or empty. info: of the loaded model.
    png_bytes: sizes of the compressed masks.
    """

    def __init__(
        self, node: LifecycleNodeMixin, prefix: str, config: NodeConfig, info: ModelInfo
    ) -> None:
        self._node, self._prefix, self._info = node, f"~/{prefix}", info
        self._publishers: dict[str, LifecyclePublisher] = {}
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
            own = qos.output_qos(config)  # rclpy writes the overrides of the topic into it
            self._create(kind, topic, own, qos_overriding_options=qos.overridable())
        self._create(LabelInfo, "label_info", qos.latched())
        if Float64Stamped is not None:
            for stage in NODE_STAGES:
                self._create(Float64Stamped, f"debug/{stage}_ms", QoSProfile(depth=10))
        self.png_bytes = StageTimes()
        self._write_labels = messages.LabelImageWriter()
        self._overlay = OverlayRenderer(info.classes)
        self._tracker = Tracker()

    def close(self) -> None:
        """Take the topics back."""
        for publisher in self._publishers.values():
            self._node.destroy_lifecycle_publisher(publisher)
        self._publishers.clear()

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

        camera_info: that of the image, if there is one. choice: the classes of `result`. settings:
            the live ones.
        """
        ids: Sequence[int] = ()
        if settings.tracking:
            taken_s = messages.stamp_seconds(header.stamp)
            ids = self._tracker.update(result.labels, result.instances, taken_s)
        if self._wanted("detections"):
            self._send("detections", messages.detections(header, result.instances, ids))
        if self._wanted("instances"):
            self._send("instances", self._write_labels(header, result.labels))
        if self._wanted("instances/compressed"):
            png = messages.png_label_image(header, result.labels)
            self.png_bytes.add({"png": len(png.data)})
            self._send("instances/compressed", png)
        if camera_info is not None and self._wanted("camera_info"):
            self._send("camera_info", camera_info)
        if self._wanted("mask"):
            self._send("mask", messages.mono_image(header, self._mask(result, settings)))
        if self._wanted("semantic"):
            self._send("semantic", messages.mono_image(header, self._semantic(prediction, choice)))
        if self._wanted("confidence"):
            self._send("confidence", messages.mono_image(header, self._confidence(prediction)))
        if self._wanted("overlay"):
            picture = self._overlay.draw(image, result, ids)
            self._send("overlay", messages.rgb_image(header, picture))

    def publish_times(self, stamp: Time, stage_ms: Mapping[str, float]) -> None:
        """Publish what the stages of a frame took, on `~/debug/<stage>_ms`."""
        for stage, milliseconds in stage_ms.items():
            topic = f"debug/{stage}_ms"
            if topic in self._publishers and self._wanted(topic):
                self._send(topic, Float64Stamped(stamp=stamp, data=milliseconds))

    def publish_label_info(self, stamp: Time, choice: ClassChoice) -> None:
        """Latch the names of the classes that are shown and the lowest score of a detection."""
        info = messages.label_info(Header(stamp=stamp), choice.shown, choice.lowest_score)
        self._send("label_info", info)

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

    def _create(self, kind: Any, topic: str, profile: QoSProfile, **options: Any) -> None:
        create = self._node.create_lifecycle_publisher
        self._publishers[topic] = create(kind, self._prefix + topic, profile, **options)

    def _wanted(self, topic: str) -> bool:
        return bool(self._publishers[topic].get_subscription_count())

    def _send(self, topic: str, msg: Any) -> None:
        self._publishers[topic].publish(msg)
