"""Runs the pipeline on pictures, folders and videos and writes what it finds to a folder."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from ssap_ros.backends import load_backend
from ssap_ros.common.outputs import claim_folder, output_folder
from ssap_ros.common.progress import Show
from ssap_ros.config import SsapConfig
from ssap_ros.data.labels import (
    ANNOTATIONS,
    DATA,
    IMAGES,
    LABELS,
    CocoLabels,
    Masks,
    Picture,
    Writer,
    YoloLabels,
)
from ssap_ros.errors import InputError
from ssap_ros.pipeline import SsapPipeline
from ssap_ros.prediction.mask_files import INSTANCES, OVERLAYS, PREDICTIONS, MaskFiles
from ssap_ros.replay.sources import bag_of, open_source
from ssap_ros.types import FrameResult

Format = Literal["masks", "coco", "yolo"]

_IMAGE_FILES = ("*.png", "*.jpg", "*.jpeg", "*.bmp")
_FILES: dict[Format, tuple[str, ...]] = {
    "masks": (PREDICTIONS, *_IMAGE_FILES),
    "coco": (ANNOTATIONS, *_IMAGE_FILES),
    "yolo": (DATA, "*.txt", *_IMAGE_FILES),
}
_FOLDERS: dict[Format, tuple[str, ...]] = {
    "masks": (OVERLAYS, INSTANCES),
    "coco": (IMAGES,),
    "yolo": (IMAGES, LABELS),
}


@dataclass(frozen=True)
class PredictOptions:
    """What to write, and of which pictures.

    Attributes:
        format: "masks" to look at; "coco" or "yolo", a data set to train on.
        masks: How COCO files tell them.
        every: Of every source the first picture and then every so many.
        uncertain: Only pictures that have an instance with a score below; 0 = all.
        max_frames: End after so many pictures of every source.
    """

    format: Format = "masks"
    masks: Masks = "rle"
    every: int = 1
    uncertain: float = 0.0
    max_frames: int | None = None


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
    options: PredictOptions,
    config: SsapConfig,
    show: Show,
) -> PredictCounts:
    """Segment pictures and write the outputs to a folder, all at once at the end.

    Args:
        sources: Images, folders of images, videos, or `scenes[:SEED]`.
        out: Earlier outputs of the same format are replaced.
        options: What to write.
        config: Of the pipeline.
        show: Progress.

    Raises:
        InputError: A source cannot be read, or the folder not written to.
        ModelError: The model cannot be used.
    """
    inputs = [_existing(spec) for spec in sources]
    files = _FILES[options.format]
    for folder in (out, *(out / name for name in _FOLDERS[options.format])):
        claim_folder(folder, files, inputs)
    backend = load_backend(config)
    pipeline, counts = SsapPipeline(backend, config), PredictCounts()
    with output_folder(out, files, keep="") as stage:
        info = pipeline.info
        things = {class_id: info.classes[class_id] for class_id in info.thing_ids}
        writer = _writer(stage, options, things)
        for pictures in _batches(_pictures(sources, options, counts), backend.max_batch):
            predictions = pipeline.predict([picture.image for picture in pictures])
            for picture, prediction in zip(pictures, predictions, strict=True):
                result = pipeline.segment(prediction)
                counts.read += 1
                if not options.uncertain or _lowest_score(result) < options.uncertain:
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


def _writer(folder: Path, options: PredictOptions, classes: Mapping[int, str]) -> Writer:
    if options.format == "coco":
        return CocoLabels(folder, classes, options.masks)
    if options.format == "yolo":
        return YoloLabels(folder, classes)
    return MaskFiles(folder, classes, options.masks)


def _lowest_score(result: FrameResult) -> float:
    return min((instance.score for instance in result.instances), default=1.0)


def _pictures(
    sources: Sequence[str], options: PredictOptions, counts: PredictCounts
) -> Iterator[Picture]:
    """The chosen pictures, each with a name of its own; what cannot be read is noted."""
    taken: Counter[str] = Counter()
    for spec in sources:
        source = open_source(spec, options.max_frames)
        for frame in source:
            if frame.index % options.every:
                continue
            stem = Path(spec).stem.replace(":", "_")
            name = frame.file.stem if frame.file else f"{stem}_{frame.index:06}"
            taken[name] += 1
            unique = name if taken[name] == 1 else f"{name}_{taken[name]}"
            yield Picture(unique, frame.rgb(), frame.file)
        counts.problems += source.damage


def _batches(pictures: Iterator[Picture], most: int) -> Iterator[list[Picture]]:
    """At most so many pictures of one size at a time, in order."""
    for _, group in itertools.groupby(pictures, lambda picture: picture.image.shape):
        while batch := list(itertools.islice(group, most)):
            yield batch
