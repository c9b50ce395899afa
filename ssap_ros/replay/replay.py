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
from ssap_ros.replay.bags.ground_truth import GroundTruth
from ssap_ros.replay.bags.messages import DETECTIONS, IMAGE
from ssap_ros.replay.bags.reader import BagReader
from ssap_ros.replay.play.parameters import checked_parameters
from ssap_ros.replay.play.play import PlayOptions, camera_names, play
from ssap_ros.replay.report.report import write_report
from ssap_ros.replay.review.environment import describe_environment, describe_model
from ssap_ros.replay.review.review import RECORDING, review
from ssap_ros.replay.review.scores import ReplayScores
from ssap_ros.replay.review.summarise import summarise
from ssap_ros.replay.sources import FrameSource, bag_of, open_source
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
    "overlay.mp4",
    "frame_*.png",
)


@dataclass(frozen=True)
class ReplayOptions:
    """What to replay and how.

    max_frames: end after so many. topics: image topics of a bag, one per camera; see open_source.
    gt_instances, gt_detections: truth topics, one per camera or none; see ground_truth.py. Without
        gt_detections the topic `detections` beside the instances is taken, if there is one.
    """

    max_frames: int | None = None
    topics: tuple[str, ...] = ()
    gt_instances: tuple[str, ...] = ()
    gt_detections: tuple[str, ...] = ()
    play: PlayOptions = field(default_factory=PlayOptions)


@dataclass(frozen=True)
class ReplayResult:
    """scores: None without truth, to be merged over bags."""

    summary: ReplaySummary
    scores: ReplayScores | None


def replay(source: str, out: Path, options: ReplayOptions | None = None) -> ReplayResult:
    """Play `source` (see open_source) to a fresh node; write outputs and scores to a folder.

    Writes recording.mcap, overlay.mp4, frame_*.png, summary.json, frames.json, report.html and
    node.log. In the summary frames_in = frames_out + frames_dropped + frames_failed, and `problems`
    lists what makes the result partial: under the policy "every", a frame without exactly one
    output, and whatever of the source could not be read.

    Raises InputError for the source, the truth or the folder, ModelError for the model, NodeError
    if the node dies or falls silent.
    """
    options = options or ReplayOptions()
    parameters = checked_parameters(options.play.parameters)
    threshold = parameters.get("score_threshold", SsapConfig().score_threshold)
    how = replace(options.play, parameters=parameters)
    frames = _open(source, options)
    if topics := frames.describe_topics():
        _LOG.info(topics)
    _check_truth(source, frames, options)
    model = model_path(SsapConfig(model_file_path=options.play.model))
    own = [Path(source), bag_of(source), model]
    for folder in {out, *(out / camera for camera in camera_names(frames.cameras))}:
        claim_folder(folder, _OWN, own)
    with output_folder(out, _OWN, keep="node.log") as stage:
        playback = play(frames, how, stage, all_scores=bool(options.gt_instances))
        with contextlib.ExitStack() as stack:
            truths = open_truths(stack, source, options, playback.names)
            reviewed = review(_open(source, options), playback, truths, threshold, stage)
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
                "score_threshold": threshold,
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
    """The truth of each camera, to be closed by `stack`; none if none was asked for.

    names: class name by class id of the model. Raises InputError if the classes differ.
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


def _listed(truth: GroundTruth) -> str:
    return ", ".join(truth.classes.values())


def _open(source: str, options: ReplayOptions) -> FrameSource:
    transport = options.play.parameters.get("image_transport", "")
    topics, not_topics = options.topics, options.gt_instances
    return open_source(source, options.max_frames, topics, not_topics, transport)


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
