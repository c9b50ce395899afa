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

"""After the play: joins frames, outputs and truth, scores them, and writes what people look at."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ssap_ros.common.progress import progress
from ssap_ros.data.segments import Segments
from ssap_ros.errors import InputError, NodeError
from ssap_ros.evaluation.metrics.centre_distance import CentreDistance
from ssap_ros.replay.bags import messages as bag_messages
from ssap_ros.replay.bags.depth import ObjectsTruth, centres
from ssap_ros.replay.bags.ground_truth import GroundTruth, Truth
from ssap_ros.replay.bags.reader import BagReader
from ssap_ros.replay.bags.space import read_detections_3d
from ssap_ros.replay.bags.writer import BagWriter
from ssap_ros.replay.frames import Frame, FrameSource
from ssap_ros.replay.play.frame_tracker import Entry
from ssap_ros.replay.play.play import Playback
from ssap_ros.replay.report.comparison_frames import Comparison, caption, fitted, frame_result
from ssap_ros.replay.report.sample_frames import FrameSelection
from ssap_ros.replay.review.camera_record import CameraRecord
from ssap_ros.replay.review.digest import frame_digest
from ssap_ros.replay.review.predictions import (
    NodeOutput,
    OutputsByIndex,
    prediction_of,
    read_output,
    scored_as,
)
from ssap_ros.replay.review.scores import ReplayScores
from ssap_ros.replay.review.shown import ShownInstances, score_threshold
from ssap_ros.types import ImageArray

RECORDING = "recording.mcap"
_PARTS = 24  # of the recording, each of which gives at most one frame to a selection

Row = dict[str, Any]


class Review:
    """What came out of a replay, gathered frame by frame.

    Args:
        names: Class name by class id.
        truths: One per camera, or none.
        least_score: Objects in space with a lower score are not counted.
        n_frames: Frames that were sent.
        objects_truth: In space, of the only camera.

    Attributes:
        rows: What frames.json holds, see `row_of`.
        scores, scores_3d: None without truth.
        instances: How many of each class name.
        selections: Frames to show.
    """

    def __init__(
        self,
        names: dict[int, str],
        truths: Sequence[GroundTruth],
        least_score: float,
        n_frames: int,
        objects_truth: ObjectsTruth | None,
    ) -> None:
        self.rows: list[Row] = []
        self.scores = ReplayScores(truths[0].classes) if truths else None
        things = {k: name for k, name in names.items() if k > 0}
        self.scores_3d = CentreDistance(things) if objects_truth else None
        self._objects_truth = objects_truth
        self.instances: Counter[str] = Counter()
        self._names, self._truths, self._least_score = names, truths, least_score
        spread = max(n_frames // _PARTS, 1)
        self._worst, self._best = (
            FrameSelection("Worst frames", spread),
            FrameSelection("Best frames", spread),
        )
        self._changed = FrameSelection("Frames that changed most", spread)
        self._fullest = FrameSelection("Frames with most instances", spread)

    @property
    def selections(self) -> list[FrameSelection]:
        return [self._worst, self._best] if self._truths else [self._changed, self._fullest]

    def add(self, frame: Frame, row: Row, output: NodeOutput, camera: CameraRecord) -> None:
        """Complete the row of a frame that has an output.

        Raises:
            InputError: The truth does not fit the frame.
            NodeError: The output does not.
        """
        try:
            prediction = prediction_of(output.labels, output.detections, frame.size)
        except ValueError as error:
            raise NodeError(
                f"the output for frame {frame.index} is incompatible: {error}"
            ) from error
        is_shown = camera.shown(prediction, frame.stamp)
        shown = prediction.keep(is_shown)
        detections = [output.detections[k] for k in np.flatnonzero(is_shown)]
        row["digest"] = frame_digest(output.labels, output.detections)
        row["instances"] = len(detections)
        drawn = frame_result(shown, detections)
        row["flicker"] = camera.flicker.add(drawn, frame.stamp)
        self.instances.update(self._names.get(k, str(k)) for k in shown.class_ids.tolist())

        image = frame.rgb()
        overlay = camera.renderer.draw(image, drawn)
        truth = self._truths[frame.camera].at(frame.stamp) if self._truths else None
        if truth is not None:
            self._score(frame, row, prediction, is_shown, truth)
            self._offer_scored(row, Comparison(image, truth, shown, detections, self._names))
        elif not self._truths:
            self._offer_unscored(row, camera.before, overlay)
        camera.keep(frame, output, overlay, drawn)

    def add_objects(self, frame: Frame, row: Row, raw: bytes, camera: CameraRecord) -> None:
        """Complete the row of a frame whose objects were placed in space.

        Raises:
            InputError: The truth cannot be read.
            NodeError: The output cannot.
        """
        try:
            msg = bag_messages.decode(raw, bag_messages.DETECTIONS_3D)
            placed = [item for item in read_detections_3d(msg) if item.score >= self._least_score]
            class_ids = np.array([int(item.class_id) for item in placed], np.int64)
        except ValueError as error:
            raise NodeError(f"the objects of frame {frame.index}: {error}") from error
        row["objects"] = len(placed)
        camera.keep_objects(frame, msg)
        truth = self._objects_truth.at(frame.stamp) if self._objects_truth else None
        if truth is not None and self.scores_3d is not None:
            objects, ids = truth
            errors = self.scores_3d.add(
                centres(placed), class_ids, centres(objects), np.array(ids, np.int64)
            )
            row["centre_errors_m"] = [round(error, 3) for error in errors]

    def _score(
        self,
        frame: Frame,
        row: Row,
        prediction: Segments,
        is_shown: NDArray[np.bool_],
        truth: Truth,
    ) -> None:
        assert self.scores is not None
        scored = scored_as(prediction, self._truths[frame.camera])
        try:
            row.update(self.scores.add(scored, is_shown, truth))
        except ValueError as error:
            raise InputError(f"the truth of frame {frame.index} does not fit: {error}") from error
        row["truth"] = len(truth.segments.class_ids)

    def _offer_scored(self, row: Row, comparison: Comparison) -> None:
        words, draw = caption(row), comparison.draw
        self._worst.offer(row["index"], (row["quality"], -row["fp"] - row["fn"]), words, draw)
        self._best.offer(row["index"], (-row["quality"], -row["tp"]), words, draw)

    def _offer_unscored(self, row: Row, before: ImageArray, now: ImageArray) -> None:
        index, count, flicker = row["index"], row["instances"], row["flicker"]
        words = f"frame {index}: {count} instances"
        self._fullest.offer(index, (-count, 0.0), words, partial(fitted, {"": now}))
        if flicker:
            words = f"frame {index}: {flicker:.0%} of the instances came, went or changed class"
            pictures = {"before": before, "now": now}
            self._changed.offer(index, (-flicker, -count), words, partial(fitted, pictures))


def review(
    source: FrameSource,
    playback: Playback,
    truths: Sequence[GroundTruth],
    parameters: Mapping[str, Any],
    out: Path,
    objects_truth: ObjectsTruth | None = None,
) -> Review:
    """Go through the frames of `source`, opened once more, and the outputs for them.

    Writes recording.mcap, the bag of the node's outputs at the times of the source, with overlays;
    overlay.mp4 and frame_*.png.

    Args:
        source: Opened once more.
        playback: What was played.
        truths: See Review.
        parameters: Of the replay.
        objects_truth: See Review.
        out: The folder to write to.

    Returns:
        A row per frame, the scores and what to show.

    Raises:
        InputError: The source has changed, or the truth does not fit it.
        NodeError: Masks and detections of an output do not fit each other.
    """
    names, entries = playback.names, playback.tracker.entries
    scored, threshold = bool(truths), score_threshold(parameters)
    least_score = threshold if scored else 0.0
    result = Review(names, truths, least_score, len(entries), objects_truth)
    with contextlib.ExitStack() as stack:
        show = stack.enter_context(progress("review", "frames"))
        masks = OutputsByIndex(stack.enter_context(BagReader(playback.outputs)), "masks")
        boxes = OutputsByIndex(stack.enter_context(BagReader(playback.outputs)), "detections")
        objects = OutputsByIndex(stack.enter_context(BagReader(playback.outputs)), "objects")
        recording = stack.enter_context(BagWriter(out / RECORDING))
        cameras = [
            CameraRecord(
                name,
                names,
                threshold,
                ShownInstances(names, parameters, all_scores=scored),
                recording,
                out,
                source.fps,
            )
            for name in playback.cameras
        ]
        for camera in cameras:
            stack.callback(camera.close)
        for frame, entry in zip(source, entries, strict=False):
            if (frame.index, frame.stamp) != (entry.index, entry.stamp):
                raise InputError(f"{source.name} has changed while it was played")
            row = row_of(entry)
            result.rows.append(row)
            cameras[frame.camera].count(frame)
            parts = masks.take(entry.index), boxes.take(entry.index)
            if parts[0] is not None and parts[1] is not None:
                try:
                    output = read_output(parts[0], parts[1])
                except ValueError as error:
                    raise NodeError(f"the output for frame {frame.index}: {error}") from error
                result.add(frame, row, output, cameras[frame.camera])
            if (placed := objects.take(entry.index)) is not None:
                result.add_objects(frame, row, placed, cameras[frame.camera])
            show(len(result.rows), len(entries))
    if len(result.rows) != len(entries):
        raise InputError(f"{source.name} has changed while it was played")
    return result


def row_of(entry: Entry) -> Row:
    """Start the row of a frame for frames.json; the keys of an output and of a score come later.

    Returns:
        `answered` is whether masks and detections came, `latency_ms` from image to masks, None
        without; `digest`, `instances` and `flicker` are None until there is an output. Later come
        with depth `objects`, how many were placed in space, and `centre_errors_m` of those that
        match the truth; with truth `tp`, `fp`, `fn`, `iou`, `quality` and `truth`.
    """
    latency = entry.latency_ms
    return {
        "index": entry.index,
        "camera": entry.camera,
        "stamp": entry.stamp,
        "logged": entry.logged,
        "answered": entry.processed,
        "sent_s": round(entry.sent_s, 6),
        "latency_ms": None if latency is None else round(latency, 3),
        "instances": None,
        "flicker": None,
        "digest": None,
    }
