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

"""The masks of a replay as labels to train on: its recording beside the frames of its source."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ssap_ros.common.outputs import output_folder
from ssap_ros.common.progress import progress
from ssap_ros.data.labels import Picture
from ssap_ros.errors import InputError
from ssap_ros.prediction.formats import OutputOptions
from ssap_ros.replay.bags import messages as bag_messages
from ssap_ros.replay.bags.reader import BagReader
from ssap_ros.replay.play.play import camera_names
from ssap_ros.replay.replay import FRAMES, ReplayOptions
from ssap_ros.replay.report.comparison_frames import frame_result
from ssap_ros.replay.review.camera_record import topic_prefix
from ssap_ros.replay.review.predictions import NodeOutput, prediction_of, read_output
from ssap_ros.replay.review.review import RECORDING
from ssap_ros.replay.review.shown import ShownInstances
from ssap_ros.replay.sources import open_source
from ssap_ros.replay.summary import ReplaySummary


def claim_labels(folder: Path, source: str, out: Path, options: OutputOptions) -> None:
    """Make sure, before the replay, that labels can go to `folder`.

    Raises:
        InputError: `folder` cannot be written to, or holds files of the user.
    """
    if folder.resolve() == out.resolve():
        raise InputError(f"{folder} is the folder of the replay; write the labels to another one")
    options.claim(folder, [Path(source).expanduser()])


def export_labels(
    source: str,
    run: Path,
    summary: ReplaySummary,
    replay_options: ReplayOptions,
    folder: Path,
    options: OutputOptions,
) -> int:
    """Write the masks of a replay as a data set.

    Args:
        source: What was replayed.
        run: Where the replay wrote to.
        summary: Of the replay.
        replay_options: Of the replay.
        folder: Where the labels go.
        options: What to write.

    Returns:
        How many pictures it has.

    Raises:
        InputError: The source cannot be read, or the folder not written to.
    """
    rows = json.loads((run / FRAMES).read_text())
    how = replay_options
    frames = open_source(source, how.max_frames, how.topics, how.not_topics)
    prefixes = [topic_prefix(name) for name in camera_names(frames.cameras)]
    count = 0
    with contextlib.ExitStack() as stack:
        show = stack.enter_context(progress("labels", "frames"))
        shown = [ShownInstances.of(summary) for _ in prefixes]
        outputs = [_outputs(stack, run / RECORDING, prefix) for prefix in prefixes]
        stage = stack.enter_context(output_folder(folder, options.files, keep=""))
        writer = options.writer(stage, _classes(run / RECORDING, prefixes[0]))
        for frame, row in zip(frames, rows, strict=True):
            if row["digest"] is None:
                continue
            output = next(outputs[frame.camera])
            found = prediction_of(output.labels, output.detections, frame.size)
            is_shown = shown[frame.camera](found, frame.stamp)
            detections = [output.detections[k] for k in np.flatnonzero(is_shown)]
            result = frame_result(found.keep(is_shown), detections)
            if frame.index % options.every == 0 and options.wants(result):
                writer.add(Picture(f"{Path(source).stem}_{frame.index:06}", frame.rgb()), result)
                count += 1
            show(frame.index + 1, len(rows))
        writer.close()
    return count


def _outputs(stack: contextlib.ExitStack, recording: Path, prefix: str) -> Iterator[NodeOutput]:
    """The outputs for one camera, in the order of its frames."""
    topics = f"{prefix}instances", f"{prefix}detections"
    masks, boxes = (stack.enter_context(BagReader(recording)).messages([topic]) for topic in topics)
    return (read_output(m.raw, b.raw) for m, b in zip(masks, boxes, strict=True))


def _classes(recording: Path, prefix: str) -> dict[int, str]:
    """Name by class id of all but the background."""
    with BagReader(recording) as reader:
        message = next(reader.messages([f"{prefix}label_info"]))
    msg = bag_messages.decode(message.raw, bag_messages.LABEL_INFO)
    return {k: name for k, name in bag_messages.read_label_info(msg).items() if k > 0}
