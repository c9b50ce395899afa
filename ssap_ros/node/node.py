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

"""The ROS node: images come in, a worker runs the pipeline on them, the results go out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.lifecycle import LifecycleState, TransitionCallbackReturn

from ssap_ros.backends import load_backend
from ssap_ros.node.camera import Camera, ReceivedImage
from ssap_ros.node.diagnostics import node_diagnostics
from ssap_ros.node.frame_node import FrameNode, remembered
from ssap_ros.node.frame_processor import FrameProcessor, Job
from ssap_ros.node.model_host import Load, ModelHost
from ssap_ros.node.parameters import NodeParameters
from ssap_ros.node.queue import FrameCounts, FrameQueue
from ssap_ros.node.run import run
from ssap_ros.node.worker import FrameWorker, segmenting_threads


class SsapNode(FrameNode):
    """Instance segmentation of one or several camera streams.

    Subscribes `image` (or `image/compressed`) and `camera_info`; publishes `~/instances`,
    `~/detections`, `~/label_info` (latched) and the rest of publishers.py, each only while somebody
    listens, and, in every state, `/diagnostics`. Several cameras have their names before all of
    these. The parameters are the fields of SsapConfig and NodeConfig; `~/enable` switches the
    subscriptions off and on.

    Frames are processed by a thread of their own, with a GPU by several, and the model is loaded by
    another, so that services and diagnostics respond meanwhile; a frame that fails is counted and
    reported.

    Args:
        load: Makes the inference backend.

    Attributes:
        cameras: By name.

    Raises:
        ValueError: A parameter is given a value that does not fit.
        ParameterException: A parameter is given a value of another type.
    """

    def __init__(self, load: Load = load_backend, **node_arguments: Any) -> None:
        super().__init__("ssap", **node_arguments)
        self._host = ModelHost(load)
        self.cameras: dict[str, Camera] = {}
        try:
            self._settings = NodeParameters(self, self._host.configure, self._on_settings)
        except Exception:
            self.destroy_node()
            raise
        settings = self._settings.node
        self._queue: FrameQueue[ReceivedImage] = FrameQueue(settings.cameras, settings.drop_policy)
        for name in settings.cameras:
            self.cameras[name] = Camera(self, name, self._queue.put, self._queue.has_capacity)
        process = FrameProcessor(
            self.cameras, self._host, self._settings, self.get_clock(), self.report
        )
        worker: FrameWorker[ReceivedImage, Job, Job] = FrameWorker(
            self._queue,
            process.predict,
            process.segment,
            process.publish,
            self.on_worker_error,
            self.on_capacity,
        )
        self.serve(worker, settings)

    # Lifecycle

    @remembered
    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load the model and create the publishers; on failure the node stays unconfigured."""
        if not self._host.load(self._settings.pipeline, lambda: not self._ending):
            self.log_error(self._host.status.last_error)
            return TransitionCallbackReturn.FAILURE
        info = self._host.info
        assert info is not None
        for camera in self.cameras.values():
            camera.open(self._settings.node, info)
        self.get_logger().info(
            f"model loaded into {self._host.backend_name}, classes: {', '.join(info.classes)}"
        )
        self._check_mask_classes()
        return super().on_configure(state)

    @remembered
    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Start the worker and, unless the node is disabled, subscribe."""
        result = super().on_activate(state)
        self.start(
            self._host.max_batch, segmenting=segmenting_threads() if self._host.on_gpu else 0
        )
        self._publish_label_info()
        return result

    def subscribe(self) -> None:
        """Receive images."""
        for camera in self.cameras.values():
            camera.subscribe(self._settings.node)

    def unsubscribe(self, *, enabled: bool = True) -> None:
        """Receive none."""
        for camera in self.cameras.values():
            camera.unsubscribe(enabled=enabled)

    def release(self) -> None:
        """Release the model and the publishers."""
        for camera in self.cameras.values():
            camera.close()
        self._host.close()

    def transition_failed(self, what: str, error: Exception) -> None:
        """The model's state says so."""
        self._host.status.failed(what, error)

    def counts(self, camera: str) -> FrameCounts:
        """What became of the camera's frames."""
        return self._queue.counts(camera)

    @property
    def busy(self) -> bool:
        """Whether a thread is in a call that cannot be interrupted."""
        return self._host.loading or super().busy

    # Reports

    def _on_settings(self) -> None:
        self._publish_label_info()
        self._check_mask_classes()

    def _check_mask_classes(self) -> None:
        """Say it where `~/mask` waits for a class that never comes."""
        if (info := self._host.info) is not None:
            for name in sorted(set(self._settings.node.mask_classes) - {"", *info.classes}):
                self.get_logger().warning(f"mask_classes: the model has no class {name!r}")

    def _publish_label_info(self) -> None:
        stamp = self.get_clock().now().to_msg()
        for camera in self.cameras.values():
            if camera.outputs is not None and self._active:
                camera.outputs.publish_label_info(stamp, self._host.choice)

    def diagnostics(self) -> DiagnosticArray:
        """The state of every camera."""
        return node_diagnostics(
            self.get_clock().now().to_msg(),
            self.get_fully_qualified_name(),
            self._settings,
            self._host,
            self._queue,
            self.cameras,
        )


def main(args: Sequence[str] | None = None, load: Load = load_backend) -> int:
    """Run the node until SIGINT or SIGTERM, then return 0; 2, with a line, if it cannot start."""
    return run("ssap", lambda: SsapNode(load), args)
