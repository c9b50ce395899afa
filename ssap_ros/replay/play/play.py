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

"""Plays frames into a fresh node, as fast as nothing is lost or at a rate, and keeps its outputs.

The node runs as a process of its own, as on a vehicle, in a namespace and DDS domain that only this
replay uses. Frames keep their stamps, and outputs are matched by them.
"""

from __future__ import annotations

import contextlib
import itertools
import re
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ssap_ros.backends import model_path
from ssap_ros.common.progress import Show, progress
from ssap_ros.config import SsapConfig
from ssap_ros.errors import InputError
from ssap_ros.node.client import Part
from ssap_ros.replay.bags.depth import DepthImages
from ssap_ros.replay.bags.messages import DETECTIONS, DETECTIONS_3D, IMAGE
from ssap_ros.replay.bags.writer import BagWriter
from ssap_ros.replay.frames import Frame, FrameSource
from ssap_ros.replay.play.frame_tracker import Entry, FrameTracker
from ssap_ros.replay.play.link import Link
from ssap_ros.replay.play.node_process import NodeProcess
from ssap_ros.replay.play.stamps import StampWatch

_PRELOAD_BYTES = 256 << 20  # decoded before the clock starts, to take no time from it
_LONGEST_WAIT_S = 5.0  # between two frames in real time, whatever the gap in the recording


@dataclass(frozen=True)
class PlayOptions:
    """How to play.

    Attributes:
        policy: "latest" plays in real time and lets the node skip what it cannot keep up with;
            "every" waits for the node, so that nothing is lost.
        rate: Times the speed of the recording; 0 = 1 for "latest", as fast as nothing is lost for
            "every".
        model: ONNX file; empty means the default model.
        parameters: Of the node, by name.
    """

    policy: str = "latest"
    rate: float = 0.0
    model: str = ""
    parameters: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Playback:
    """What a replay left: the frames, the node's reports, and a bag of raw outputs.

    Attributes:
        names: Class name by class id.
        failed: Frames that the node could not process.
        error: Why the last of them failed.
        cameras: Names of the node's cameras.
        outputs: Bag with the topics `masks`, `detections` and `objects` (of the depth node); a
            message is logged at the index of its frame.
        depth_values: Reports of the depth node, empty without.
    """

    tracker: FrameTracker
    names: dict[int, str]
    node_values: dict[str, str]
    failed: int
    error: str
    stamps: StampWatch
    cameras: tuple[str, ...]
    outputs: Path
    depth_values: dict[str, str]


def play(
    source: FrameSource,
    options: PlayOptions,
    out: Path,
    *,
    all_scores: bool,
    depth: DepthImages | None = None,
) -> Playback:
    """Play `source` to a fresh node; write node.log and the outputs for the folder `out`.

    Args:
        source: The frames.
        options: How to play.
        out: The folder.
        all_scores: Let the node publish instances of every score, whatever its threshold.
        depth: Of the only camera; it is played to a depth node beside the other, with
            depth_node.log.

    Returns:
        What was played and what came out of it.

    Raises:
        ModelError: The node rejects the model.
        NodeError: The node dies or falls silent.
        InputError: The source turns out to be incompatible.
    """
    path = model_path(SsapConfig(model_file_path=options.model))
    cameras = camera_names(source.cameras)
    reliability = "reliable" if options.policy == "every" else "best_effort"
    parameters = {
        **options.parameters,
        "image_transport": "raw",  # what was recorded is decoded by the node's own decoder
        "drop_policy": options.policy,
        "input_qos": reliability,
        "model_file_path": str(path),
    }
    if len(cameras) > 1:
        parameters["cameras"] = list(cameras)
    if all_scores:
        parameters["score_threshold"] = 0.0
        parameters.pop("class_score_thresholds", None)
    stamps = StampWatch()
    outputs, lock = out / "outputs.mcap", threading.Lock()
    with contextlib.ExitStack() as stack:
        show = stack.enter_context(progress("replay", "frames"))
        node = stack.enter_context(NodeProcess(parameters, out / "node.log"))
        depth_node = None
        if depth is not None:
            common = {name: parameters[name] for name in ("drop_policy", "input_qos")}
            log = out / "depth_node.log"
            depth_node = stack.enter_context(
                NodeProcess(common, log, "ssap_ros.node.depth", node.namespace)
            )
        bag = stack.enter_context(BagWriter(outputs))
        bag.add_topic("masks", IMAGE)
        bag.add_topic("detections", DETECTIONS)
        bag.add_topic("objects", DETECTIONS_3D)

        def keep(part: Part, entry: Entry, raw: bytes) -> None:
            with lock:
                bag.write(part, entry.index, bytes(raw))

        show(0, source.n_frames, "starting the node")
        head, rest = _preload(source)
        every = options.policy == "every"
        with Link(node, cameras, every=every, keep=keep, depth_process=depth_node) as link:
            link.wait_until_active()
            for camera in range(len(cameras)):
                link.warm_up(camera, head[0].size)
            _send_all(link, itertools.chain(head, rest), source, options, stamps, show, depth)
            link.drain()
            show(link.tracker.frames_in, source.n_frames, _note(link, source))
            names, values, error = dict(link.names), dict(link.values), link.values["last_error"]
            failed, depth_values = link.failed, link.depth_values
    return Playback(
        link.tracker, names, values, failed, error, stamps, cameras, outputs, depth_values
    )


def camera_names(topics: Iterable[str]) -> tuple[str, ...]:
    """Name the node's cameras for image topics.

    Returns:
        One word each; one camera has no name.

    Raises:
        InputError: Topics have the same words.
    """
    topics = tuple(topics)
    if len(topics) == 1:
        return ("",)
    names = tuple(re.sub(r"\W+", "_", topic).strip("_") for topic in topics)
    if len(set(names)) < len(names) or any(name[:1].isdigit() for name in names):
        raise InputError(f"expected topics that give different names, got {', '.join(topics)}")
    return names


def _preload(frames: FrameSource) -> tuple[list[Frame], Iterator[Frame]]:
    """The first frames, decoded, as many as memory may hold; and the iterator of the others."""
    rest, head, size = iter(frames), [], 0
    for frame in rest:
        head.append(frame)
        size += 3 * frame.size[0] * frame.size[1]
        if size >= _PRELOAD_BYTES:
            break
    return head, rest


def _send_all(
    link: Link,
    frames: Iterable[Frame],
    source: FrameSource,
    options: PlayOptions,
    stamps: StampWatch,
    show: Show,
    depth: DepthImages | None,
) -> None:
    rate = options.rate or (1.0 if options.policy == "latest" else 0.0)
    due = time.monotonic()
    last: int | None = None
    for frame in frames:
        stamps.see(frame)
        if rate:
            step_s = 0.0 if last is None else max(frame.logged - last, 0) * 1e-9 / rate
            due += min(step_s, _LONGEST_WAIT_S)
            time.sleep(max(due - time.monotonic(), 0.0))
            last = frame.logged
        if options.policy == "every":
            link.wait_for_capacity()
        link.send(frame, depth.at(frame.stamp) if depth else None)
        show(link.tracker.frames_in, source.n_frames, _note(link, source))


def _note(link: Link, source: FrameSource) -> str:
    unreadable = f", {source.skipped} unreadable" if source.skipped else ""
    failed = f", {link.failed} failed" if link.failed else ""
    return f"{link.tracker.frames_out} processed{unreadable}{failed}"
