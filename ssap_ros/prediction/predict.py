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

"""Runs the pipeline on pictures, folders and videos and writes what it finds to a folder."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ssap_ros.backends import load_backend
from ssap_ros.common.outputs import output_folder
from ssap_ros.common.progress import Show
from ssap_ros.config import SsapConfig
from ssap_ros.data.labels import Clip, Picture
from ssap_ros.errors import InputError
from ssap_ros.pipeline import SsapPipeline
from ssap_ros.prediction.formats import OutputOptions
from ssap_ros.replay.sources import bag_of, open_source


@dataclass
class PredictCounts:
    """What became of the pictures.

    Attributes:
        read: Segmented.
        written: Of them, those with outputs.
        instances: In those.
        problems: What could not be read, one line each.
    """

    read: int = 0
    written: int = 0
    instances: int = 0
    problems: list[str] = field(default_factory=list)


def predict(
    sources: Sequence[str],
    out: Path,
    options: OutputOptions,
    config: SsapConfig,
    show: Show,
    max_frames: int | None = None,
) -> PredictCounts:
    """Segment pictures and write the outputs to a folder, all at once at the end.

    Args:
        sources: Images, folders of images, videos, or `scenes[:SEED]`.
        out: Earlier outputs of the same format are replaced.
        options: What to write.
        config: Of the pipeline.
        show: Progress.
        max_frames: End after so many pictures of every source.

    Returns:
        How many pictures and instances there were.

    Raises:
        InputError: A source cannot be read, or the folder not written to.
        ModelError: The model cannot be used.
    """
    options.claim(out, [_existing(spec) for spec in sources])
    backend = load_backend(config)
    pipeline, counts = SsapPipeline(backend, config), PredictCounts()
    with output_folder(out, options.files, keep="") as stage:
        info = pipeline.info
        things = {class_id: info.classes[class_id] for class_id in info.thing_ids}
        writer = options.writer(stage, things)
        chosen = _pictures(sources, max_frames, options.every, counts)
        for pictures in _batches(chosen, backend.max_batch):
            predictions = pipeline.predict([picture.image for picture in pictures])
            for picture, prediction in zip(pictures, predictions, strict=True):
                result = pipeline.segment(prediction)
                counts.read += 1
                if options.wants(result):
                    writer.add(picture, result)
                    counts.written += 1
                    counts.instances += len(result.instances)
                show(counts.read, note=f" {counts.written} written")
        writer.close()
    return counts


def _existing(spec: str) -> Path:
    """The path of a source. Raises InputError where there can be no picture."""
    path = Path(spec).expanduser()
    if bag_of(spec) is not None:
        raise InputError(f"{spec} is a ROS 2 bag: use ssap replay {spec} --export-labels DIR")
    if spec.partition(":")[0] != "scenes" and not path.exists():
        raise InputError(f"no such file or folder: {spec}")
    return path


def _pictures(
    sources: Sequence[str], max_frames: int | None, every: int, counts: PredictCounts
) -> Iterator[Picture]:
    """The chosen pictures, each with a name of its own; what cannot be read is noted."""
    taken: Counter[str] = Counter()
    clips: Counter[str] = Counter()
    for spec in sources:
        source = open_source(spec, max_frames)
        stem = Path(spec).stem.replace(":", "_")
        clip = Clip(_unique(stem, clips), source.fps / every)
        for frame in source:
            if frame.index % every:
                continue
            if frame.file:
                yield Picture(_unique(frame.file.stem, taken), frame.rgb(), frame.file)
            else:
                name = _unique(f"{stem}_{frame.index:06}", taken)
                yield Picture(name, frame.rgb(), clip=clip, index=frame.index // every)
        counts.problems += source.damage


def _unique(name: str, taken: Counter[str]) -> str:
    """The name, with a number if it is taken already."""
    taken[name] += 1
    return name if taken[name] == 1 else f"{name}_{taken[name]}"


def _batches(pictures: Iterator[Picture], most: int) -> Iterator[list[Picture]]:
    """At most so many pictures of one size at a time, in order."""
    for _, group in itertools.groupby(pictures, lambda picture: picture.image.shape):
        while batch := list(itertools.islice(group, most)):
            yield batch
