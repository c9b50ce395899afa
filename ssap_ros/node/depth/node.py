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

"""The depth node: masks, detections and an aligned depth image in, objects in space out."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.lifecycle import LifecycleState, TransitionCallbackReturn
from sensor_msgs.msg import CameraInfo, Image
from vision_msgs.msg import Detection2DArray, LabelInfo

from ssap_ros import messages
from ssap_ros.errors import InputError, MessageError
from ssap_ros.messages.space import Labelled
from ssap_ros.node import qos
from ssap_ros.node.depth.frames import TargetFrame
from ssap_ros.node.depth.publishers import DepthOutputs, FrameArrays
from ssap_ros.node.depth.sync import DepthFrame, FrameSync
from ssap_ros.node.diagnostics import stage_values
from ssap_ros.node.frame_node import FrameNode, remembered
from ssap_ros.node.memory import memory_mb
from ssap_ros.node.parameters import DepthParameters
from ssap_ros.node.queue import FrameQueue, Outcome
from ssap_ros.node.run import run
from ssap_ros.node.stage_times import StageTimes
from ssap_ros.node.status import CameraStatus, Level, describe
from ssap_ros.node.subscriptions import Subscriptions, WhileCapacity
from ssap_ros.node.worker import FrameWorker
from ssap_ros.stages.depth import CameraRays, check_sizes

_CAMERA = ""  # the only one


class DepthNode(FrameNode):
    """Places the instances of one camera in space.

    Subscribes `ssap/instances`, `ssap/detections` and `ssap/label_info` of the segmentation node,
    `depth` (16UC1 in millimetres or 32FC1 in metres, aligned to the image that was segmented) and
    its `camera_info`; publishes `~/detections_3d`, `~/markers`, `~/points` and `~/depth/static`,
    each only while somebody listens, and `/diagnostics`. The parameters are the fields of
    DepthConfig; `~/enable` switches the subscriptions off and on.

    Raises:
        ValueError: A parameter is given a value that does not fit.
        ParameterException: A parameter is given a value of another type.
    """

    def __init__(self, **node_arguments: Any) -> None:
        super().__init__("ssap_depth", **node_arguments)
        try:
            self._settings = DepthParameters(self)
        except Exception:
            self.destroy_node()
            raise
        settings = self._settings.depth
        self._status, self._times = CameraStatus(), StageTimes()
        self._last_error, self._n_unmatched = "", 0
        self._inputs = Subscriptions(self, self._status)
        self._kinds: dict[str, type] = {}
        self._names: dict[int, str] = {}
        self._rays: tuple[Any, CameraRays] | None = None
        self._outputs: DepthOutputs | None = None
        self._target: TargetFrame | None = None
        self._queue: FrameQueue[DepthFrame] = FrameQueue([_CAMERA], settings.drop_policy)
        self._sync = FrameSync(
            lambda frame: self._queue.put(_CAMERA, frame),
            self._drop,
            lambda: round(1e6 * self._settings.depth.sync_tolerance_ms),
        )
        worker: FrameWorker[DepthFrame, DepthFrame, DepthFrame] = FrameWorker(
            self._queue,
            lambda batch: [frame for _, frame in batch],
            lambda frame: frame,
            self._process,
            self.on_worker_error,
            self.on_capacity,
        )
        self.serve(worker, settings)

    # Lifecycle

    @remembered
    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Create the publishers; without the tf2 that it needs the node stays unconfigured."""
        settings = self._settings.depth
        try:
            self._target = (
                TargetFrame(self, settings.target_frame) if settings.target_frame else None
            )
        except InputError as error:
            self.transition_failed("cannot configure", error)
            self.log_error(self._last_error)
            return TransitionCallbackReturn.FAILURE
        self._last_error = ""
        self._outputs = DepthOutputs(self, settings)
        return super().on_configure(state)

    @remembered
    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Start the worker and, unless the node is disabled, subscribe."""
        result = super().on_activate(state)
        self.start()
        return result

    def subscribe(self) -> None:
        """Receive the parts of the frames."""
        settings = self._settings.depth
        add, joined = self._inputs.add, qos.joined_qos(settings)
        topics = {}
        sync = self._sync
        self._status.subscribing()
        for name, kind, topic, put, takes in (
            ("masks", Image, "ssap/instances", sync.put_masks, sync.takes_masks),
            ("detections", Detection2DArray, "ssap/detections", sync.put_detections, None),
            ("depth", Image, "depth", sync.put_depth, sync.takes_depth),
            ("camera_info", CameraInfo, "camera_info", sync.put_camera_info, None),
        ):
            profile = qos.camera_info_qos(settings) if kind is CameraInfo else joined
            waits = self._while_taken(takes) if takes and settings.drop_policy == "every" else None
            topics[name] = add(kind, topic, self._receiver(name, put), profile, waits)
            self._kinds[name] = kind
        add(LabelInfo, "ssap/label_info", self._on_label_info, qos.latched())
        self._status.active(topics, once=("camera_info",))

    def unsubscribe(self, *, enabled: bool = True) -> None:
        """Receive nothing."""
        self._inputs.clear()
        for _ in range(self._sync.clear()):
            self._queue.refuse(_CAMERA)
        self._status.inactive(enabled=enabled)

    def release(self) -> None:
        """Take the topics back."""
        if self._outputs is not None:
            self._outputs.close()
            self._outputs = None
        if self._target is not None:
            self._target.close()
            self._target = None

    def transition_failed(self, what: str, error: Exception) -> None:
        """Diagnostics say so."""
        self._last_error = describe(what, error)

    # Frames

    def _receiver(self, name: str, put: Any) -> Any:
        def receive(msg: Any) -> None:
            self._status.came(name)
            put(msg)

        return receive

    def _while_taken(self, takes: Callable[[], bool]) -> WhileCapacity:
        return WhileCapacity(lambda: self._queue.has_capacity(_CAMERA) and takes())

    def _on_label_info(self, msg: LabelInfo) -> None:
        self._names = {entry.class_id: entry.class_name for entry in msg.class_map}
        unknown = set(self._settings.depth.static_classes) - {"", *self._names.values()}
        for name in sorted(unknown):
            self.get_logger().warning(f"static_classes: no class {name!r} on ssap/label_info")

    def _drop(self, reason: str) -> None:
        self._queue.refuse(_CAMERA)
        self._n_unmatched += 1
        self._status.unmatched(f"masks dropped: {reason}")

    def _process(self, frame: DepthFrame) -> Outcome:
        start_s = time.perf_counter()
        settings, outputs = self._settings.depth, self._outputs
        assert outputs is not None
        try:
            stage_ms = outputs.publish(self._arrays(frame), self._names, settings)
        except Exception as error:  # one bad frame must not end the stream
            self._status.rejected(error)
            self.report("frame failed", error)
            return Outcome.FAILED
        end_s = time.perf_counter()
        times = {
            "wait": 1e3 * (start_s - frame.complete_s),
            **stage_ms,
            "total": 1e3 * (end_s - start_s),
        }
        self._times.add(times)
        self._status.succeeded(1e3 * (end_s - frame.complete_s), settings.max_processing_time_ms)
        outputs.publish_times(frame.masks.header.stamp, times)
        return Outcome.PROCESSED

    def _arrays(self, frame: DepthFrame) -> FrameArrays:
        """Raises ValueError, with what was expected, for parts that cannot be used or joined."""
        labels, depth = messages.labels_of(frame.masks), messages.depth_of(frame.depth)
        labelled = Labelled.of(frame.detections.detections)
        if labels.max(initial=0) > len(labelled.boxes):
            raise MessageError(
                f"labels must be at most {len(labelled.boxes)}, one per detection, "
                f"got {labels.max()}"
            )
        rays = self._rays_of(frame.camera_info)
        check_sizes(labels, depth, rays)
        header = frame.masks.header
        return FrameArrays(
            header=header,
            depth_header=frame.depth.header,
            labels=labels,
            depth=depth,
            labelled=labelled,
            rays=rays,
            target=self._target.of(header) if self._target else None,
            erosion=self._settings.depth.mask_erosion,
        )

    def _rays_of(self, info: CameraInfo) -> CameraRays:
        """Made once for a calibration, which seldom changes."""
        size = (info.height, info.width)
        key: tuple[Any, ...]
        if self._settings.depth.rectified:
            key = (tuple(info.p[i] for i in (0, 1, 2, 4, 5, 6, 8, 9, 10)), size)
        else:
            key = (tuple(info.k), size, tuple(info.d), info.distortion_model)
        if self._rays is None or self._rays[0] != key:
            self._rays = key, CameraRays(*key)
        return self._rays[1]

    # Reports

    def diagnostics(self) -> DiagnosticArray:
        """The state of the node; received = processed + dropped + failed + waiting."""
        counts = self._queue.counts(_CAMERA)
        pending = self._sync.n_pending
        counts = dataclasses.replace(
            counts, received=counts.received + pending, waiting=counts.waiting + pending
        )
        level, state, message = self._status.summary()
        if self._outputs is None:
            level, state = Level.WARN, "unconfigured"
            message = self._last_error or "not configured"
            level = Level.ERROR if self._last_error else level
        elif state == "waiting" and (name := self._status.missing()):
            topic = self._status.topics[name]
            if other := self._inputs.other_publishers(topic, self._kinds[name]):
                level, state, message = Level.ERROR, "wrong_type", other
        values: dict[str, object] = {
            "state": state,
            **{f"{name}_topic": topic for name, topic in self._status.topics.items()},
            "target_frame": self._settings.depth.target_frame,
            "memory_mb": f"{memory_mb():.0f}",
            **dataclasses.asdict(counts),
            "unmatched": self._n_unmatched,
            "input_hz": f"{self._status.take_rate():.1f}",
            "last_error": self._status.last_error or self._last_error,
            **stage_values(self._times),
        }
        name = self.get_fully_qualified_name()
        status = messages.diagnostic_status(name, level, message, values)
        return messages.diagnostic_array(self.get_clock().now().to_msg(), [status])


def main(args: Sequence[str] | None = None) -> int:
    """Run the node until SIGINT or SIGTERM, then return 0; 2, with a line, if it cannot start."""
    return run("ssap_depth", DepthNode, args)
