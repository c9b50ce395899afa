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

"""Recording in, outputs, scores and report out: plays a source through the node and reviews it."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from ssap_ros.backends import model_path
from ssap_ros.common.outputs import claim_folder, output_folder, write_json
from ssap_ros.config import SsapConfig
from ssap_ros.errors import InputError
from ssap_ros.replay.bags.depth import DepthImages, ObjectsTruth
from ssap_ros.replay.bags.ground_truth import GroundTruth
from ssap_ros.replay.bags.messages import DETECTIONS, DETECTIONS_3D, IMAGE
from ssap_ros.replay.bags.reader import BagReader
from ssap_ros.replay.frames import FrameSource
from ssap_ros.replay.play.parameters import checked_parameters
from ssap_ros.replay.play.play import PlayOptions, camera_names, play
from ssap_ros.replay.report.report import write_report
from ssap_ros.replay.review.environment import describe_environment, describe_model
from ssap_ros.replay.review.review import RECORDING, review
from ssap_ros.replay.review.scores import ReplayScores
from ssap_ros.replay.review.shown import score_threshold
from ssap_ros.replay.review.summarise import summarise
from ssap_ros.replay.sources import bag_of, open_source
from ssap_ros.replay.summary import ReplaySummary

_LOG = logging.getLogger(__name__)
SUMMARY, FRAMES, REPORT = "summary.json", "frames.json", "report.html"
_OWN = (
    SUMMARY,
    FRAMES,
    REPORT,
    RECORDING,
    "outputs.mcap",
    "node.log",
    "depth_node.log",
    "overlay.mp4",
    "frame_*.png",
)


@dataclass(frozen=True)
class ReplayOptions:
    """What to replay and how.

    Attributes:
        max_frames: End after so many.
        topics: Image topics of a bag, one per camera; see open_source.
        gt_instances, gt_detections: Truth topics, one per camera or none; see ground_truth.py.
            Without gt_detections the topic `detections` beside the instances is taken, if there is
            one.
        depth_topic: Depth images of the only camera, aligned to it; empty = no depth node. Only
            images with the stamp of a frame are played.
        depth_info_topic: Their camera_info; empty = `camera_info` beside them.
        gt_objects: Topic of the true objects in space.
    """

    max_frames: int | None = None
    topics: tuple[str, ...] = ()
    gt_instances: tuple[str, ...] = ()
    gt_detections: tuple[str, ...] = ()
    depth_topic: str = ""
    depth_info_topic: str = ""
    gt_objects: str = ""
    play: PlayOptions = field(default_factory=PlayOptions)

    @property
    def not_topics(self) -> tuple[str, ...]:
        """Image topics that are no camera's."""
        return tuple(topic for topic in (*self.gt_instances, self.depth_topic) if topic)


@dataclass(frozen=True)
class ReplayResult:
    """What a replay came to.

    Attributes:
        scores: None without truth, to be merged over bags.
    """

    summary: ReplaySummary
    scores: ReplayScores | None


def replay(source: str, out: Path, options: ReplayOptions | None = None) -> ReplayResult:
    """Play `source` (see open_source) to a fresh node; write outputs and scores to a folder.

    Writes recording.mcap, overlay.mp4, frame_*.png, summary.json, frames.json, report.html and
    node.log (with depth also depth_node.log). In the summary frames_in = frames_out +
    frames_dropped + frames_failed, and `problems` lists what makes the result partial: under the
    policy "every", a frame without exactly one output, and whatever of the source could not be
    read.

    Returns:
        The summary, and the scores where there is truth.

    Raises:
        InputError: The source, the truth or the folder cannot be used.
        ModelError: The model cannot be used.
        NodeError: The node dies or falls silent.
    """
    options = options or ReplayOptions()
    parameters = checked_parameters(options.play.parameters)
    how = replace(options.play, parameters=parameters)
    frames = _open(source, options)
    if topics := frames.describe_topics():
        _LOG.info(topics)
    _check_truth(source, frames, options)
    _check_depth(source, options)
    model = model_path(SsapConfig(model_file_path=options.play.model))
    own = [Path(source), bag_of(source), model]
    for folder in {out, *(out / camera for camera in camera_names(frames.cameras))}:
        claim_folder(folder, _OWN, own)
    with output_folder(out, _OWN, keep="node.log") as stage:
        with contextlib.ExitStack() as stack:
            depth = _open_depth(stack, source, frames, options)
            scored = bool(options.gt_instances)
            playback = play(frames, how, stage, all_scores=scored, depth=depth)
        with contextlib.ExitStack() as stack:
            truths = open_truths(stack, source, options, playback.names)
            objects = _open_objects(stack, source, options, playback.names)
            again = _open(source, options)
            reviewed = review(again, playback, truths, parameters, stage, objects)
            damage = [line for truth in truths for line in truth.damage]
        playback.outputs.unlink()
        summary = summarise(
            frames,
            playback,
            reviewed,
            options.play.policy,
            damage,
            {
                "source": source,
                "rate": options.play.rate,
                "score_threshold": score_threshold(parameters),
                "parameters": parameters,
                "model": str(model),
                "model_card": describe_model(model, playback.names),
                "environment": describe_environment(),
            },
        )
        write_report(stage / REPORT, summary, reviewed.rows, reviewed.selections)
        write_json(stage / FRAMES, reviewed.rows)
        write_json(stage / SUMMARY, summary.as_dict())  # last: it says that all is there
    return ReplayResult(summary, reviewed.scores)


def open_truths(
    stack: contextlib.ExitStack, source: str, options: ReplayOptions, names: Mapping[int, str]
) -> list[GroundTruth]:
    """Open the truth of each camera.

    Args:
        stack: Closes them.
        source: What is played.
        options: Name the topics of the truth.
        names: Class name by class id of the model.

    Returns:
        One per camera; none if none was asked for.

    Raises:
        InputError: The classes differ.
    """
    bag = bag_of(source)
    if bag is None:
        return []
    boxes = options.gt_detections or (None,) * len(options.gt_instances)
    truths = [
        stack.enter_context(GroundTruth(bag, instances, detections, names))
        for instances, detections in zip(options.gt_instances, boxes, strict=True)
    ]
    for topic, truth in zip(options.gt_instances, truths, strict=True):
        if truth.classes != truths[0].classes:
            raise InputError(
                f"the truth of all cameras must have the same classes, {_listed(truths[0])}, "
                f"got {_listed(truth)} on {topic}"
            )
    return truths


def _check_depth(source: str, options: ReplayOptions) -> None:
    """Raises InputError, before anything is played, for what cannot be played or scored."""
    bag = bag_of(source)
    if bag is not None and options.gt_objects:
        with BagReader(bag) as reader:
            reader.require(options.gt_objects, DETECTIONS_3D)


def _open_depth(
    stack: contextlib.ExitStack, source: str, frames: FrameSource, options: ReplayOptions
) -> DepthImages | None:
    bag = bag_of(source)
    if not options.depth_topic:
        if options.gt_objects or options.depth_info_topic:
            raise InputError("objects in space need depth: say --depth-topic TOPIC")
        return None
    if bag is None:
        raise InputError(f"depth topics are in bags, {source} is none")
    if len(frames.cameras) != 1:
        raise InputError(f"depth is for one camera, got {', '.join(frames.cameras)}")
    return stack.enter_context(DepthImages(bag, options.depth_topic, options.depth_info_topic))


def _open_objects(
    stack: contextlib.ExitStack, source: str, options: ReplayOptions, names: Mapping[int, str]
) -> ObjectsTruth | None:
    bag = bag_of(source)
    if bag is None or not options.gt_objects:
        return None
    return stack.enter_context(ObjectsTruth(bag, options.gt_objects, names))


def _listed(truth: GroundTruth) -> str:
    return ", ".join(truth.classes.values())


def _open(source: str, options: ReplayOptions) -> FrameSource:
    transport = options.play.parameters.get("image_transport", "")
    topics, not_topics = options.topics, options.not_topics
    bits = options.play.parameters.get("significant_bits", 0)
    return open_source(source, options.max_frames, topics, not_topics, transport, bits)


def _check_truth(source: str, frames: FrameSource, options: ReplayOptions) -> None:
    instances, detections = options.gt_instances, options.gt_detections
    if not instances and not detections:
        return
    if len(instances) != len(frames.cameras):
        raise InputError(
            f"expected a topic of true instances for each of {len(frames.cameras)} cameras, "
            f"got {len(instances)}"
        )
    if detections and len(detections) != len(instances):
        raise InputError(
            f"expected as many topics of true detections as of instances, {len(instances)}, "
            f"got {len(detections)}"
        )
    bag = bag_of(source)
    if bag is None:
        raise InputError(f"ground-truth topics are in bags, {source} is none")
    with BagReader(bag) as reader:
        for topic in instances:
            reader.require(topic, IMAGE)
        for topic in detections:
            reader.require(topic, DETECTIONS)
