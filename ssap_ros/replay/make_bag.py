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

"""Bags without a robot: videos, pictures, annotated data sets and procedural scenes as mcap."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ssap_ros.data.cityscapes import CityscapesSet
from ssap_ros.data.coco import CocoAnnotations
from ssap_ros.data.image_files import read_image, require_files
from ssap_ros.data.scenes.depth import intrinsics, scene_box, scene_depth
from ssap_ros.data.scenes.street import CLASSES, FRAME_RATE, Scene, street_video
from ssap_ros.data.segments import OTHER_CLASS, Segments, bounding_box
from ssap_ros.errors import InputError
from ssap_ros.replay.bags import messages as bag_messages
from ssap_ros.replay.bags.coco_export import CocoExport
from ssap_ros.replay.bags.ground_truth import NOT_ANNOTATED
from ssap_ros.replay.bags.messages import Detection
from ssap_ros.replay.bags.space import Detection3D, camera_info, detections_3d
from ssap_ros.replay.bags.writer import BagWriter
from ssap_ros.replay.sources import open_source
from ssap_ros.types import ImageArray

_LOG = logging.getLogger(__name__)
IMAGE_TOPIC = "/camera/image"
DEPTH_TOPIC, CAMERA_INFO_TOPIC = "/camera/depth", "/camera/camera_info"
TRUTH = "/camera/gt"
_START_NS = 1_700_000_000_000_000_000  # a fixed date, so that equal sources make equal bags
_FRAME_ID = "camera"
_FOLDER_FPS = 10.0
_CLIP_FRAMES = 100  # of one procedural street, before its objects have passed
_SCENE_FRAMES = 100
_SCENE_SIZE = (480, 640)
_JPEG_QUALITY = 95
_MIN_PIXELS_3D = 100  # min_instance_area of the node: less is not to be found


@dataclass(frozen=True)
class FrameDepth:
    """What a depth camera beside the camera sees, aligned to its picture.

    millimetres: uint16 (H, W), 0 = no depth. k: of the camera, row by row. objects: the true boxes.
    """

    millimetres: NDArray[np.uint16]
    k: tuple[float, ...]
    objects: tuple[Detection3D, ...]


@dataclass(frozen=True)
class TruthFrame:
    """One picture with its truth.

    time: since the start, in nanoseconds. image: RGB uint8 (H, W, 3). labels: uint16 (H, W),
    0 = background, k = entries[k - 1], NOT_ANNOTATED = not annotated; None without truth.
    """

    time: int
    image: ImageArray
    labels: NDArray[np.uint16] | None = None
    entries: tuple[Detection, ...] = ()
    depth: FrameDepth | None = None


@dataclass(frozen=True)
class BagSource:
    """classes: name by class id of the truth, empty without one. n_frames: None if unknown.

    has_depth: whether the frames have depth.
    """

    classes: dict[int, str]
    n_frames: int | None
    frames: Iterator[TruthFrame]
    has_depth: bool = False


def make_bag(
    source: BagSource,
    out: Path,
    encoding: str = "raw",
    coco: Path | None = None,
    progress: Callable[[int], None] | None = None,
) -> int:
    """Write the frames of `source` to the mcap `out`; their number.

    The topics are IMAGE_TOPIC (with `/compressed` for an encoding "jpeg" or "png") and, where there
    is truth, `instances`, `detections` and `label_info` under TRUTH, as ground_truth.py reads them;
    with depth also DEPTH_TOPIC (16UC1), CAMERA_INFO_TOPIC, and `detections_3d` under TRUTH.
    coco: folder for the same frames as PNG with a COCO annotation file, as `ssap evaluate` reads.
    Raises InputError if the source has no frames, or a file cannot be written.
    """
    topic = IMAGE_TOPIC if encoding == "raw" else f"{IMAGE_TOPIC}/compressed"
    kind = bag_messages.IMAGE if encoding == "raw" else bag_messages.COMPRESSED_IMAGE
    export = CocoExport(coco, source.classes) if coco else None
    count = 0
    with BagWriter(out) as bag:
        bag.add_topic(topic, kind)
        if source.classes:
            bag.add_topic(f"{TRUTH}/instances", bag_messages.IMAGE)
            bag.add_topic(f"{TRUTH}/detections", bag_messages.DETECTIONS)
            bag.add_topic(f"{TRUTH}/label_info", bag_messages.LABEL_INFO, latched=True)
        if source.has_depth:
            bag.add_topic(DEPTH_TOPIC, bag_messages.IMAGE)
            bag.add_topic(CAMERA_INFO_TOPIC, bag_messages.CAMERA_INFO)
            bag.add_topic(f"{TRUTH}/detections_3d", bag_messages.DETECTIONS_3D)
        for frame in source.frames:
            stamp = _START_NS + frame.time
            head = bag_messages.header(stamp, _FRAME_ID)
            if source.classes and count == 0:
                info = bag_messages.label_info(head, source.classes)
                bag.write(f"{TRUTH}/label_info", stamp, info)
            bag.write(topic, stamp, _picture(head, frame.image, encoding))
            if frame.labels is not None:
                bag.write(
                    f"{TRUTH}/instances", stamp, bag_messages.image(head, "mono16", frame.labels)
                )
                bag.write(
                    f"{TRUTH}/detections", stamp, bag_messages.detections(head, frame.entries)
                )
                if export:
                    export.add(frame.image, frame.labels, frame.entries)
            if frame.depth is not None:
                _write_depth(bag, stamp, head, frame.depth)
            count += 1
            if progress:
                progress(count)
        if count == 0:
            raise InputError("the source has no frames")
    if export:
        export.close()
    return count


def _write_depth(bag: BagWriter, stamp: int, head: Any, depth: FrameDepth) -> None:
    info = camera_info(head, depth.k, depth.millimetres.shape[:2])
    bag.write(CAMERA_INFO_TOPIC, stamp, info)
    bag.write(DEPTH_TOPIC, stamp, bag_messages.image(head, "16UC1", depth.millimetres))
    bag.write(f"{TRUTH}/detections_3d", stamp, detections_3d(head, depth.objects))


def _picture(head: Any, image: ImageArray, encoding: str) -> Any:
    if encoding == "raw":
        return bag_messages.image(head, "rgb8", image)
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    quality = [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY] if encoding == "jpeg" else []
    return bag_messages.compressed_image(
        head, encoding, cv2.imencode(f".{encoding}", bgr, quality)[1]
    )


# Sources


def open_bag_source(
    spec: str,
    frames: int | None = None,
    annotations: Path | None = None,
    split: str = "val",
    size: tuple[int, int] | None = None,
    *,
    depth: bool = False,
) -> BagSource:
    """The frames that `spec` means, at most `frames`.

    spec: a video, an image, a folder of images, a bag, `scenes[:SEED]`, or the folder of Cityscapes
        (leftImg8bit/ and gtFine/), of which `split` is taken.
    annotations: COCO annotation file of a folder of images. size: (H, W) of procedural scenes.
    depth: whether the frames are to have depth, which procedural scenes have.
    Raises InputError if there is nothing to read.
    """
    name, _, seed = spec.partition(":")
    if depth and name != "scenes":
        raise InputError(f"only procedural scenes have depth, {spec} has none")
    if annotations:
        return _coco(Path(spec), annotations, frames)
    if (Path(spec) / "leftImg8bit").is_dir():
        return _cityscapes(Path(spec), split, frames)
    if spec == "scenes" and Path(spec).exists():
        raise InputError("expected ./scenes for the folder, or scenes:0 for the procedural street")
    if name == "scenes":
        if seed and not seed.isdigit():
            raise InputError(f"expected scenes or scenes:SEED with a whole number, got {spec}")
        return _scenes(int(seed or 0), frames or _SCENE_FRAMES, size or _SCENE_SIZE, depth)
    source = open_source(spec, frames)
    if topics := source.describe_topics():
        _LOG.info(topics)
    pictures = (TruthFrame(frame.logged, frame.rgb()) for frame in source)
    return BagSource({}, source.n_frames, _from_zero(pictures))


def _from_zero(frames: Iterator[TruthFrame]) -> Iterator[TruthFrame]:
    start = None
    for frame in frames:
        start = frame.time if start is None else start
        yield TruthFrame(frame.time - start, frame.image)


def _scenes(seed: int, n_frames: int, size: tuple[int, int], has_depth: bool) -> BagSource:
    """Streets one after the other, each with the next seed; an object keeps its `id` throughout."""

    def read() -> Iterator[TruthFrame]:
        done = n_objects = 0
        while done < n_frames:
            clip = min(n_frames - done, _CLIP_FRAMES)
            scene_seed = seed + done // _CLIP_FRAMES
            for scene in street_video(scene_seed, clip, size):
                tracks = [str(n_objects + k) for k in range(1, len(scene.class_ids) + 1)]
                segments = Segments(scene.instances, scene.class_ids.astype(np.int64))
                labels, entries = truth_of(segments, np.zeros(size, bool), tracks)
                depth = _depth(scene, tracks) if has_depth else None
                time = round(done * 1e9 / FRAME_RATE)
                yield TruthFrame(time, scene.image, labels, entries, depth)
                done += 1
            n_objects += len(scene.class_ids)

    return BagSource(dict(enumerate(CLASSES)), n_frames, read(), has_depth)


def _depth(scene: Scene, tracks: list[str]) -> FrameDepth:
    """The true boxes are those of the objects that are seen well enough and have depth."""
    metres = scene_depth(scene)
    areas = np.bincount(scene.instances[metres > 0], minlength=len(scene.objects) + 1)[1:]
    objects = [
        Detection3D(str(thing.class_id), 1.0, *scene_box(scene.camera, thing), track)
        for thing, track, area in zip(scene.objects, tracks, areas, strict=True)
        if area >= _MIN_PIXELS_3D
    ]
    millimetres = np.round(1000 * metres).astype(np.uint16)
    return FrameDepth(millimetres, intrinsics(scene.camera), tuple(objects))


def _cityscapes(root: Path, split: str, frames: int | None) -> BagSource:
    """The things of Cityscapes; stuff is background."""
    images = CityscapesSet(root, split)
    count = min(len(images), frames or len(images))

    def read() -> Iterator[TruthFrame]:
        for index in range(count):
            image, truth = images.read(index)
            labels, entries = truth_of(_things(truth, images.thing_ids), truth.ids == 0)
            yield TruthFrame(round(index * 1e9 / _FOLDER_FPS), image, labels, entries)

    classes = {k: images.classes[k] for k in images.thing_ids}
    return BagSource(classes, count, read())


def _coco(folder: Path, annotations: Path, frames: int | None) -> BagSource:
    """COCO instances; where annotations overlap, the smaller one is in front."""
    coco = CocoAnnotations(annotations)
    if repairs := coco.describe_repairs():
        _LOG.warning("%s: %s", annotations, repairs)
    ids = sorted(coco.images)[:frames]
    sizes = {image_id: coco.size(image_id) for image_id in ids}
    class_of = _bag_classes(coco.categories)
    files = {image_id: folder / coco.images[image_id]["file_name"] for image_id in ids}
    require_files(files.values())

    def read() -> Iterator[TruthFrame]:
        for position, image_id in enumerate(ids):
            image = read_image(files[image_id], sizes[image_id])
            found = coco.objects(image_id)
            masks = [coco.mask(annotation) for annotation in found]
            ids_map = np.zeros(image.shape[:2], np.int64)
            crowd = np.array([bool(a["iscrowd"]) for a in found], bool)
            order = sorted(range(len(found)), key=lambda k: (not crowd[k], -masks[k].sum()))
            for k in order:
                ids_map[masks[k]] = k + 1
            class_ids = np.array([class_of[a["category_id"]] for a in found], np.int64)
            labels, entries = truth_of(
                Segments(ids_map, class_ids, crowd=crowd), np.zeros(ids_map.shape, bool)
            )
            yield TruthFrame(round(position * 1e9 / _FOLDER_FPS), image, labels, entries)

    classes = {class_of[k]: name for k, name in coco.categories.items()}
    return BagSource(classes, len(ids), read())


def _bag_classes(categories: Mapping[int, str]) -> dict[int, int]:
    """Class id in the bag by category id: the same, unless it cannot be one there."""
    if all(0 <= k < NOT_ANNOTATED and k != OTHER_CLASS for k in categories):
        return {k: k for k in categories}
    names = list(dict.fromkeys(categories.values()))
    free = (k for k in itertools.count(1) if k != OTHER_CLASS)
    number = dict(zip(names, free, strict=False))
    return {k: number[name] for k, name in categories.items()}


def truth_of(
    segments: Segments, void: NDArray[np.bool_], tracks: list[str] | None = None
) -> tuple[NDArray[np.uint16], tuple[Detection, ...]]:
    """Labels and detections of a truth, of the segments that have pixels.

    A crowd, and a segment of OTHER_CLASS, which then is void, have score 0 and NOT_ANNOTATED.
    """
    hidden = segments.class_ids == OTHER_CLASS
    void = void | np.append(False, hidden)[segments.ids]
    areas = np.bincount(segments.ids.ravel(), minlength=len(hidden) + 1)[1:]
    kept = (areas > 0) & ~hidden
    shown = segments.keep(kept)
    entries = tuple(
        Detection(str(class_id), 0.0 if crowd else 1.0, bounding_box(mask), track)
        for class_id, crowd, mask, track in zip(
            shown.class_ids,
            shown.crowd,
            shown.masks(),
            np.array(tracks)[kept] if tracks else [""] * len(shown.class_ids),
            strict=True,
        )
    )
    return np.where(void, NOT_ANNOTATED, shown.ids).astype(np.uint16), entries


def _things(truth: Segments, thing_ids: tuple[int, ...]) -> Segments:
    """The truth without its stuff."""
    return truth.keep(np.isin(truth.class_ids, [*thing_ids, OTHER_CLASS]))
