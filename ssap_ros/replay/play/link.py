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

"""The replay's side of the node's topics: sends frames, keeps the raw outputs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from ssap_ros.errors import ModelError, NodeError
from ssap_ros.node.client import (
    NodeClient,
    Part,
    Status,
    camera_info_message,
    header_of,
    image_message,
)
from ssap_ros.replay.bags.depth import DepthImage, no_depth
from ssap_ros.replay.frames import Frame
from ssap_ros.replay.play.frame_tracker import Entry, FrameTracker
from ssap_ros.replay.play.node_process import NodeProcess
from ssap_ros.types import ImageArray

_TIMEOUT_S = 60.0  # for the node to get ready, and to process a frame
_QUIET_S = 2.5  # two diagnostic periods and some: afterwards a missing output does not come
_WINDOW = 4  # frames on their way under the policy `every`; the node keeps 5 outputs
_DEPTH = 20  # images that may wait on their way
_WARM_UP = "ssap_replay_warm_up"  # frame_id of the frames before the first

Keep = Callable[[Part, Entry, bytes], None]


class Link:
    """A context that talks with one node. Callbacks run in a thread of their own.

    Args:
        process: The node.
        cameras: Names of its cameras, [""] for a single one without name.
        every: Nothing may be lost.
        keep: Called with each part of an output in CDR, from the callbacks.
        depth_process: The depth node beside it, if frames have depth.

    Attributes:
        tracker: What was sent and processed.
        names: Class name by class id.
    """

    def __init__(
        self,
        process: NodeProcess,
        cameras: Sequence[str],
        *,
        every: bool,
        keep: Keep,
        depth_process: NodeProcess | None = None,
    ) -> None:
        self.tracker = FrameTracker()
        self.names: dict[int, str] = {}
        self._statuses: dict[str, Status] = {}
        self._process, self._depth_process, self._keep = process, depth_process, keep
        self._changed = threading.Condition()
        self._warm: dict[int, set[Part]] = {camera: set() for camera in range(len(cameras))}
        self._n_diagnostics = self._failed_before = 0
        self._client = NodeClient(
            "replay",
            process.namespace,
            process.domain_id,
            cameras,
            reliable=every,
            image_depth=_DEPTH,
        )
        if depth_process is not None:
            self._client.add_depth()
        self._client.on_result(self._on_result)
        self._client.on_class_names(self._on_class_names)
        self._client.on_diagnostics(self._on_diagnostics)

    def __enter__(self) -> Link:
        self._client.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._client.__exit__()

    # What the replay does

    def wait_until_active(self) -> None:
        """Wait for the class names, which an active node latches.

        Raises:
            ModelError: The node rejects its model.
            NodeError: It dies or stays silent.
        """
        while not self._wait(lambda: bool(self.names or self._rejected()), _TIMEOUT_S):
            if self.values.get("state") != "building":  # an engine may take many minutes
                raise self._silence("get ready")
        if rejected := self._rejected():
            raise ModelError(rejected.message)

    def warm_up(self, camera: int, size: tuple[int, int]) -> None:
        """Send grey images until one has an output on every topic, so that no topic loses a frame.

        A node that fails on them is let off: the frames themselves will tell.
        """
        grey: ImageArray = np.full((*size, 3), 127, np.uint8)
        parts = {"masks", "detections", *(["objects"] if self._depth_process else [])}
        deadline = time.monotonic() + _TIMEOUT_S

        def processed() -> bool:
            return self._warm[camera] >= parts

        failed = self._failed()
        while not processed() and self._failed() == failed and time.monotonic() < deadline:
            stamp = time.monotonic_ns()
            if self._depth_process is not None:
                self._publish_depth(stamp, _WARM_UP, no_depth(size))
            self._client.publish(camera, image_message(stamp, _WARM_UP, grey))
            self._wait(lambda: processed() or self._failed() > failed, 1.0)
        if self._failed() > failed or self._depth_process is not None:
            self._wait(lambda: False, _QUIET_S)
        self._failed_before = self._failed(everywhere=True)

    def send(self, frame: Frame, depth: DepthImage | None = None) -> None:
        """Publish a frame, with its depth before it, and enter it as sent."""
        self._check()
        picture = frame.msg if frame.image is None else frame.image
        msg = image_message(frame.stamp, frame.frame_id, picture)
        with self._changed:
            now_s = time.monotonic()
            self.tracker.send(
                Entry(
                    frame.index,
                    frame.camera,
                    frame.stamp,
                    frame.logged,
                    now_s,
                    has_depth=depth is not None,
                )
            )
        if depth is not None:
            self._publish_depth(frame.stamp, frame.frame_id, depth)
        self._client.publish(frame.camera, msg)

    def wait_for_capacity(self) -> None:
        """Until fewer than `_WINDOW` frames are under way."""
        self._expect(lambda: self._under_way() < _WINDOW, "process a frame")

    def drain(self) -> None:
        """Until every frame is accounted for or nothing more comes, as the node reports."""
        processed = -1
        while self.tracker.frames_out > processed or self._waiting():
            processed = self.tracker.frames_out
            if self._wait(lambda: self._under_way() <= 0, _QUIET_S):
                break
        seen = self._n_diagnostics
        self._wait(lambda: self._n_diagnostics > seen, _QUIET_S)

    @property
    def failed(self) -> int:
        """Frames that the nodes say they could not process."""
        return self._failed(everywhere=True) - self._failed_before

    @property
    def values(self) -> dict[str, str]:
        """The node's latest diagnostics, of its first camera; last_error of any."""
        errors = [status.values.get("last_error", "") for status in self._statuses.values()]
        first = next(self._of_segmentation(), None)
        return {**(first.values if first else {}), "last_error": next(filter(None, errors), "")}

    @property
    def depth_values(self) -> dict[str, str]:
        """The latest diagnostics of the depth node."""
        status = self._statuses.get(self._depth_name)
        return dict(status.values) if status else {}

    # Callbacks

    def _on_result(self, camera: int, part: Part, raw: bytes) -> None:
        now_s = time.monotonic()
        stamp, frame_id = header_of(raw)
        if frame_id == _WARM_UP:
            with self._changed:
                self._warm[camera].add(part)
                self._changed.notify_all()
            return
        with self._changed:
            entry = self.tracker.receive(camera, stamp, part, now_s)
            self._changed.notify_all()
        if entry:
            self._keep(part, entry, raw)

    def _on_class_names(self, names: dict[int, str]) -> None:
        with self._changed:
            self.names = names
            self._changed.notify_all()

    def _on_diagnostics(self, status: Status) -> None:
        if self._process.namespace in status.name:
            with self._changed:
                self._statuses[status.name] = status
                self._n_diagnostics += 1
                self._changed.notify_all()

    # Bookkeeping

    @property
    def _depth_name(self) -> str:
        return f"{self._process.namespace}/ssap_depth"

    def _of_segmentation(self) -> Iterator[Status]:
        return (status for name, status in self._statuses.items() if name != self._depth_name)

    def _failed(self, *, everywhere: bool = False) -> int:
        """Failed frames of the segmentation, or of both nodes."""
        statuses = self._statuses.values() if everywhere else self._of_segmentation()
        return sum(int(status.values.get("failed", "0")) for status in statuses)

    def _waiting(self) -> int:
        return sum(int(status.values.get("waiting", "0")) for status in self._statuses.values())

    def _publish_depth(self, stamp: int, frame_id: str, depth: DepthImage) -> None:
        self._client.publish_depth(
            image_message(stamp, frame_id, depth.image),
            camera_info_message(stamp, frame_id, depth.camera_info),
        )

    def _under_way(self) -> int:
        return self.tracker.frames_in - self.tracker.frames_out - self.failed

    def _rejected(self) -> Status | None:
        """What the node says if it cannot use its model."""
        for status in self._of_segmentation():
            if status.is_error and status.values.get("state") == "unconfigured":
                return status
        return None

    def _check(self) -> None:
        self._client.check()
        self._process.check()
        if self._depth_process is not None:
            self._depth_process.check()

    def _wait(self, condition: Callable[[], bool], timeout_s: float) -> bool:
        """Wait for the condition; False after the timeout."""
        deadline = time.monotonic() + timeout_s
        with self._changed:
            while not condition():
                left = deadline - time.monotonic()
                if left <= 0:
                    return False
                self._changed.wait(min(left, 0.2))
                self._check()
        return True

    def _expect(self, condition: Callable[[], bool], what: str) -> None:
        if not self._wait(condition, _TIMEOUT_S):
            raise self._silence(what)

    def _silence(self, what: str) -> NodeError:
        words = self._process.last_words()
        return NodeError(f"the node did not {what} within {_TIMEOUT_S:.0f} s: {words}")
