"""One camera of the node: its subscriptions, its results and what is known of its state."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple

from rclpy.callback_groups import CallbackGroup, MutuallyExclusiveCallbackGroup
from rclpy.lifecycle import LifecycleNodeMixin
from rclpy.qos import QoSProfile
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from ssap_ros import messages
from ssap_ros.config import NodeConfig
from ssap_ros.node import qos
from ssap_ros.node.camera_info import CameraInfos
from ssap_ros.node.publishers import Outputs
from ssap_ros.node.stage_times import StageTimes
from ssap_ros.node.status import CameraStatus
from ssap_ros.types import ImageArray, ModelInfo

try:
    from rclpy.event_handler import SubscriptionEventCallbacks
except ImportError:  # its name in Humble
    from rclpy.qos_event import SubscriptionEventCallbacks


class ReceivedImage(NamedTuple):
    """An image message and when it arrived, by time.perf_counter()."""

    msg: Image | CompressedImage
    arrived_s: float


class Camera:
    """A camera called `name`; the topics of the one called "" have no prefix.

    put: takes the frames. has_capacity: whether it can; while not, images stay with the middleware.
    """

    def __init__(
        self,
        node: LifecycleNodeMixin,
        name: str,
        put: Callable[[str, ReceivedImage], None],
        has_capacity: Callable[[str], bool],
    ) -> None:
        self.name = name
        self.status = CameraStatus()
        self.times = StageTimes()
        self.outputs: Outputs | None = None
        self.camera_infos = CameraInfos()
        self._node = node
        self._prefix = f"{name}/" if name else ""
        self._put = put
        self._has_capacity = lambda: has_capacity(name)
        self._subscriptions: list[Any] = []

    def open(self, config: NodeConfig, info: ModelInfo) -> None:
        """Create the topics of the results."""
        self.outputs = Outputs(self._node, self._prefix, config, info)

    def close(self) -> None:
        """Take all topics back."""
        self.unsubscribe()
        if self.outputs is not None:
            self.outputs.close()
            self.outputs = None

    def subscribe(self, config: NodeConfig) -> None:
        """Receive images and camera_info."""
        topic, kind = self._node.resolve_topic_name(self._prefix + "image"), Image
        if config.image_transport == "compressed":
            topic, kind = f"{topic}/compressed", CompressedImage
        info_topic = f"{self._prefix}camera_info"
        self.camera_infos.clear()
        waits, prompt = _WhileCapacity(self._has_capacity), MutuallyExclusiveCallbackGroup()
        self._subscribe(kind, topic, self.receive, qos.input_qos(config), waits)
        put, profile = self.camera_infos.put, qos.camera_info_qos(config)
        self._subscribe(CameraInfo, info_topic, put, profile, prompt)
        self.status.active(self._subscriptions[0].topic_name)

    def unsubscribe(self, *, enabled: bool = True) -> None:
        """Receive nothing any more, because the node is inactive or (not enabled) switched off."""
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)
        self._subscriptions.clear()
        self.status.inactive(enabled=enabled)

    def to_rgb(self, msg: Image | CompressedImage) -> ImageArray:
        """The picture in `msg`, uint8 (H, W, 3). Raises MessageError if it cannot be read."""
        if isinstance(msg, CompressedImage):
            return messages.compressed_to_rgb(msg)
        return messages.image_to_rgb(msg)

    def _subscribe(
        self,
        kind: Any,
        topic: str,
        callback: Callable[[Any], None],
        profile: QoSProfile,
        group: CallbackGroup,
    ) -> None:
        def report(problem: str) -> None:
            self.status.qos_problem = problem
            self._node.get_logger().warning(problem)

        events = SubscriptionEventCallbacks(incompatible_qos=qos.incompatible(topic, report))
        self._subscriptions.append(
            self._node.create_subscription(
                kind,
                topic,
                callback,
                profile,
                callback_group=group,
                event_callbacks=events,
                qos_overriding_options=qos.overridable(),
            )
        )

    def receive(self, msg: Image | CompressedImage) -> None:
        """The callback of the images: hand one over to the worker."""
        self.status.image_came()
        self._put(self.name, ReceivedImage(msg, time.perf_counter()))


class _WhileCapacity(MutuallyExclusiveCallbackGroup):  # type: ignore[misc]
    """Leaves images to the middleware while the queue is full."""

    def __init__(self, has_capacity: Callable[[], bool]) -> None:
        super().__init__()
        self._has_capacity = has_capacity

    def can_execute(self, entity: Any) -> bool:
        return self._has_capacity() and super().can_execute(entity)
