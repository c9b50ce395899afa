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

"""The other end of a node's topics: for the replay, the benchmarks, the doctor and the tests."""

from __future__ import annotations

import threading
from array import array
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Literal, NamedTuple

import numpy as np
import rclpy
from autoware_internal_debug_msgs.msg import Float64Stamped
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.context import Context
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.signals import SignalHandlerOptions
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header
from vision_msgs.msg import Detection2DArray, Detection3DArray, LabelInfo

from ssap_ros.messages import rgb_image, stamp_nanoseconds
from ssap_ros.node import qos
from ssap_ros.node.start import StartError, check_domain
from ssap_ros.node.status import Level
from ssap_ros.types import ImageArray

Part = Literal["masks", "detections", "objects"]

_DEPTH = 100
_IMAGE_FIELDS = ("height", "width", "encoding", "is_bigendian", "step")


class Connection:
    """A ROS node in this process; its callbacks run one at a time in a thread of their own.

    The thread runs while the context lasts.

    Args:
        name, namespace: Of the node.
        domain_id: Of DDS, that of the other node; None means ROS_DOMAIN_ID.

    Attributes:
        node: To be given publishers and subscriptions.
    """

    def __init__(self, name: str, namespace: str = "", domain_id: int | None = None) -> None:
        self._context = Context()
        check_domain()
        try:
            rclpy.init(
                args=[],  # those of the command line are not for ROS
                context=self._context,
                domain_id=domain_id,
                signal_handler_options=SignalHandlerOptions.NO,
            )
        except RuntimeError as error:
            raise StartError(error) from error
        self.node = rclpy.create_node(
            name, namespace=namespace, context=self._context, use_global_arguments=False
        )
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self.node)
        self._thread = threading.Thread(target=self._spin, name=name, daemon=True)
        self._error: Exception | None = None

    def __enter__(self) -> Connection:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._executor.shutdown()
        self._context.try_shutdown()
        self._thread.join()
        self.node.destroy_node()

    def check(self) -> None:
        """Raise what a callback has raised, after which none runs any more."""
        if self._error is not None:
            raise self._error

    def _spin(self) -> None:
        try:
            self._executor.spin()
        except ExternalShutdownException:
            pass
        except Exception as error:  # handed to the thread that waits for the results
            self._error = error


class Status(NamedTuple):
    """The diagnostics of one camera of the node: its name, level, words and values."""

    name: str
    level: int
    message: str
    values: Mapping[str, str]

    @property
    def is_error(self) -> bool:
        return self.level == Level.ERROR


class NodeClient(Connection):
    """Sends images to the node `ssap` of a namespace and receives its results.

    Args:
        cameras: Names of the node's cameras, [""] for a single one without name.
        reliable: Whether no image may be lost on its way.
        image_depth: Images that may wait on their way.
    """

    def __init__(
        self,
        name: str,
        namespace: str,
        domain_id: int,
        cameras: Sequence[str] = ("",),
        *,
        reliable: bool,
        image_depth: int,
    ) -> None:
        super().__init__(name, namespace, domain_id)
        self._prefixes = [f"{camera}/" if camera else "" for camera in cameras]
        reliability = ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT
        self._image_qos = images = QoSProfile(depth=image_depth, reliability=reliability)
        self._depth: tuple[Any, Any] | None = None
        self._publishers = [
            self.node.create_publisher(Image, f"{prefix}image", images) for prefix in self._prefixes
        ]

    def add_depth(self) -> None:
        """Send depth to the node `ssap_depth` of the namespace as well, and receive its objects."""
        create, profile = self.node.create_publisher, self._image_qos
        self._depth = create(Image, "depth", profile), create(CameraInfo, "camera_info", profile)

    def publish_depth(self, image: Image, camera_info: CameraInfo) -> None:
        """Send a depth image and the calibration that it was taken with."""
        assert self._depth is not None
        images, camera_infos = self._depth
        camera_infos.publish(camera_info)
        images.publish(image)

    def publish(self, camera: int, msg: Image) -> None:
        """Send an image of the camera of this number."""
        self._publishers[camera].publish(msg)

    def on_result(self, callback: Callable[[int, Part, bytes], None]) -> None:
        """Called with the number of the camera and each message of an output in CDR."""
        subscribe = self.node.create_subscription
        for number, prefix in enumerate(self._prefixes):
            masks = partial(callback, number, "masks")
            boxes = partial(callback, number, "detections")
            subscribe(Image, f"ssap/{prefix}instances", masks, _DEPTH, raw=True)
            subscribe(Detection2DArray, f"ssap/{prefix}detections", boxes, _DEPTH, raw=True)
        if self._depth is not None:
            objects = partial(callback, 0, "objects")
            subscribe(Detection3DArray, "ssap_depth/detections_3d", objects, _DEPTH, raw=True)

    def on_class_names(self, callback: Callable[[dict[int, str]], None]) -> None:
        """Called with the class name by class id, which an active node latches."""

        def keep(msg: LabelInfo) -> None:
            callback({entry.class_id: entry.class_name for entry in msg.class_map})

        for prefix in self._prefixes:
            self.node.create_subscription(
                LabelInfo, f"ssap/{prefix}label_info", keep, qos.latched()
            )

    def on_diagnostics(self, callback: Callable[[Status], None]) -> None:
        """Called with the diagnostics of every camera, about once a second."""

        def keep(msg: DiagnosticArray) -> None:
            for status in msg.status:
                values = {entry.key: entry.value for entry in status.values}
                level = int.from_bytes(status.level, "little")
                callback(Status(status.name, level, status.message, values))

        self.node.create_subscription(DiagnosticArray, "/diagnostics", keep, _DEPTH)

    def on_stage_time(self, stage: str, callback: Callable[[int, float], None]) -> None:
        """Called with the stamp of each frame, in nanoseconds, and the stage's milliseconds."""

        def keep(msg: Float64Stamped) -> None:
            callback(stamp_nanoseconds(msg.stamp), msg.data)

        self.node.create_subscription(Float64Stamped, f"ssap/debug/{stage}_ms", keep, _DEPTH)


def image_message(stamp: int, frame_id: str, image: ImageArray | Any) -> Image:
    """An image message: of RGB uint8 (H, W, 3), or of a recorded message with another header."""
    header = _header(stamp, frame_id)
    if isinstance(image, np.ndarray):
        return rgb_image(header, image)
    fields = {name: getattr(image, name) for name in _IMAGE_FIELDS}
    data = array("B")  # rclpy takes an array as it is; numpy or bytes it copies element by element
    data.frombytes(image.data.data.cast("B"))
    return Image(header=header, data=data, **fields)


def camera_info_message(stamp: int, frame_id: str, info: Any) -> CameraInfo:
    """A recorded camera_info with another header."""
    numbers = {name: [float(value) for value in getattr(info, name)] for name in "dkrp"}
    fields = {name: getattr(info, name) for name in ("height", "width", "distortion_model")}
    return CameraInfo(header=_header(stamp, frame_id), **fields, **numbers)


def _header(stamp: int, frame_id: str) -> Header:
    header = Header(frame_id=frame_id)
    header.stamp.sec, header.stamp.nanosec = divmod(stamp, 1_000_000_000)
    return header


def header_of(raw: bytes) -> tuple[int, str]:
    """Stamp in nanoseconds and frame_id of a message in little-endian CDR."""
    sec, nanosec, length = np.frombuffer(raw, "<u4", 3, offset=4).tolist()
    return sec * 1_000_000_000 + nanosec, bytes(raw[16 : 15 + length]).decode(errors="replace")
