"""After the play: joins frames, answers and truth, scores them, and writes what people look at."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from ssap_ros.errors import InputError, NodeError
from ssap_ros.evaluation import bag_messages
from ssap_ros.evaluation.bag_messages import Detection
from ssap_ros.evaluation.bag_reader import BagMessage, BagReader
from ssap_ros.evaluation.bag_writer import BagWriter
from ssap_ros.evaluation.digest import frame_digest
from ssap_ros.evaluation.flicker import FlickerMeter
from ssap_ros.evaluation.gallery import Gallery, fit, jpeg
from ssap_ros.evaluation.ground_truth import ANY_CLASS, GroundTruth, Truth
from ssap_ros.evaluation.ledger import Entry
from ssap_ros.evaluation.pictures import PictureBook
from ssap_ros.evaluation.play import Playback
from ssap_ros.evaluation.progress import ProgressLine
from ssap_ros.evaluation.replay_scores import ReplayScores, above
from ssap_ros.evaluation.sources import Frame, FrameSource
from ssap_ros.overlay import OverlayRenderer
from ssap_ros.segments import OTHER_CLASS, Segments
from ssap_ros.types import FrameResult, ImageArray, Instance

LabelImage = NDArray[np.uint16]

RECORDING = "recording.mcap"


@dataclass
class Review:
    """What came out of a replay.

    frames: one dictionary per frame that was sent, see `_row`. scores: None without truth.
    instances: how many of each class name, above the score threshold. galleries: frames to show.
    """

    frames: list[dict[str, Any]] = field(default_factory=list)
    scores: ReplayScores | None = None
    instances: Counter[str] = field(default_factory=Counter)
    galleries: list[Gallery] = field(default_factory=list)


def review(
    source: FrameSource,
    playback: Playback,
    truths: Sequence[GroundTruth],
    threshold: float,
    out: Path,
) -> Review:
    """Go through the frames of `source`, opened once more, and what was answered to them.

    truths: one per camera, or none. threshold: instances with a lower score are recorded and count
        in AP, but are not shown and not counted elsewhere.

    Writes recording.mcap, the bag of the node's answers at the times of the source, with overlays;
    overlay.mp4 and frame_*.png. Raises InputError if truth and frames do not fit, NodeError if
    masks and detections of an answer do not.
    """
    cameras = [_Camera(name, playback, out, source.fps) for name in playback.cameras]
    result = Review(scores=ReplayScores(truths[0].classes) if truths else None)
    worst, best = Gallery("Worst frames"), Gallery("Best frames")
    changed, fullest = Gallery("Frames that changed most"), Gallery("Frames with most instances")
    result.galleries = [worst, best] if truths else [changed, fullest]
    progress, total = ProgressLine("review"), playback.ledger.frames_in
    with contextlib.ExitStack() as stack:
        masks = _Answers(stack.enter_context(BagReader(playback.answers)), "masks")
        boxes = _Answers(stack.enter_context(BagReader(playback.answers)), "detections")
        recording = stack.enter_context(BagWriter(out / RECORDING))
        for camera in cameras:
            stack.callback(camera.pictures.close)
            camera.announce(recording)
        first = True
        for frame, entry in zip(source, playback.ledger.entries, strict=False):
            if (frame.index, frame.stamp) != (entry.index, entry.stamp):
                raise InputError(f"{source.name} has changed while it was played")
            if first:
                head = bag_messages.header(frame.stamp, frame.frame_id)
                info = bag_messages.label_info(head, playback.names, threshold)
                recording.write("/ssap/label_info", frame.logged, info)
                first = False
            raw = masks.take(entry.index), boxes.take(entry.index)
            row = _row(entry)
            result.frames.append(row)
            if raw[0] is None or raw[1] is None:
                continue
            camera = cameras[frame.camera]
            try:
                answer = read_answer(raw[0].raw, raw[1].raw)
                prediction = prediction_of(answer.labels, answer.detections, frame.size)
            except ValueError as error:
                raise NodeError(f"the answer to frame {frame.index} is unfit: {error}") from error
            row["digest"] = frame_digest(answer.labels, answer.detections)
            shown = above(prediction, threshold)
            detections = [entry for entry in answer.detections if entry.score >= threshold]
            row["instances"] = len(shown.class_ids)
            row["flicker"] = camera.flicker.add(shown)
            result.instances.update(playback.names.get(k, str(k)) for k in shown.class_ids.tolist())
            image = frame.rgb()
            overlay = camera.renderer.draw(image, _result(shown, detections))
            camera.record(recording, frame, answer, overlay)
            camera.add_picture(overlay, row["instances"])

            truth = truths[frame.camera].at(frame.stamp) if truths else None
            if truth is not None and result.scores is not None:
                scored = scored_as(prediction, truths[frame.camera])
                try:
                    row.update(result.scores.add(scored, truth, threshold))
                except ValueError as error:
                    raise InputError(
                        f"the truth of frame {frame.index} does not fit: {error}"
                    ) from error
                row["truth"] = len(truth.segments.class_ids)
                pair = _Pair(image, truth, shown, detections, playback.names)
                worst.offer(frame.index, row["quality"], pair.caption(row), pair.draw)
                best.offer(frame.index, -row["quality"], pair.caption(row), pair.draw)
            elif not truths:
                caption = f"frame {frame.index}: {row['instances']} instances"
                fullest.offer(
                    frame.index, -row["instances"], caption, partial(_fitted, {"": overlay})
                )
                if row["flicker"]:
                    changed.offer(
                        frame.index,
                        -row["flicker"],
                        f"frame {frame.index}: {row['flicker']:.0%} without a counterpart",
                        partial(_fitted, {"before": camera.before, "now": overlay}),
                    )
            camera.before = overlay
            progress.show(f"{len(result.frames)}/{total} frames")
    progress.show(f"{len(result.frames)}/{total} frames", force=True)
    progress.end()
    return result


def topic_prefix(camera: str) -> str:
    """Of the topics of a camera in the recording, as the node names them."""
    return f"/ssap/{camera}/" if camera else "/ssap/"


def _row(entry: Entry) -> dict[str, Any]:
    """A frame as frames.json has it; the keys of an answer and of a score come later.

    answered: whether masks and detections came. latency_ms: from image to masks. digest, instances,
    flicker: see there; None without an answer. tp, fp, fn, iou, quality, truth: with truth.
    """
    latency = entry.latency_ms
    return {
        "index": entry.index,
        "camera": entry.camera,
        "stamp": entry.stamp,
        "logged": entry.logged,
        "answered": entry.answered,
        "sent_s": round(entry.sent_s, 6),
        "latency_ms": None if latency is None else round(latency, 3),
        "instances": None,
        "flicker": None,
        "digest": None,
    }


class _Answers:
    """The messages of one topic of the raw answers, asked for by rising frame index."""

    def __init__(self, reader: BagReader, topic: str) -> None:
        self._messages: Iterator[BagMessage] = reader.messages([topic])
        self._next = next(self._messages, None)

    def take(self, index: int) -> BagMessage | None:
        while self._next is not None and self._next.logged < index:
            self._next = next(self._messages, None)
        found = self._next
        return found if found is not None and found.logged == index else None


class _Camera:
    """What is kept per camera from frame to frame. before: the last overlay."""

    def __init__(self, name: str, playback: Playback, out: Path, fps: float) -> None:
        self.flicker = FlickerMeter()
        highest = max(playback.names, default=0)
        self.renderer = OverlayRenderer([playback.names.get(k, str(k)) for k in range(highest + 1)])
        self.before: ImageArray = np.zeros((1, 1, 3), np.uint8)
        self.pictures = PictureBook(out / name, fps)
        self._n_pictures = 0
        self._prefix = topic_prefix(name)

    def announce(self, recording: BagWriter) -> None:
        recording.add_topic(f"{self._prefix}instances", bag_messages.IMAGE)
        recording.add_topic(f"{self._prefix}detections", bag_messages.DETECTIONS)
        recording.add_topic(f"{self._prefix}overlay/compressed", bag_messages.COMPRESSED_IMAGE)
        recording.add_topic("/ssap/label_info", bag_messages.LABEL_INFO, latched=True)

    def record(
        self, recording: BagWriter, frame: Frame, answer: Answer, overlay: ImageArray
    ) -> None:
        # encoded again, since the middleware leaves chance bytes between the fields
        recording.write(f"{self._prefix}instances", frame.logged, answer.masks_msg)
        recording.write(f"{self._prefix}detections", frame.logged, answer.boxes_msg)
        head = bag_messages.header(frame.stamp, frame.frame_id)
        data = np.frombuffer(jpeg(overlay), np.uint8)
        picture = bag_messages.compressed_image(head, "jpeg", data)
        recording.write(f"{self._prefix}overlay/compressed", frame.logged, picture)

    def add_picture(self, overlay: ImageArray, n_instances: int) -> None:
        self.pictures.add(self._n_pictures, overlay, n_instances)
        self._n_pictures += 1


class Answer(NamedTuple):
    """labels and detections, and the messages that hold them."""

    labels: LabelImage
    detections: list[Detection]
    masks_msg: Any
    boxes_msg: Any


def read_answer(masks: bytes, boxes: bytes) -> Answer:
    """An answer from its two messages in CDR. Raises ValueError if they are unfit."""
    masks_msg = bag_messages.decode(masks, bag_messages.IMAGE)
    boxes_msg = bag_messages.decode(boxes, bag_messages.DETECTIONS)
    labels = bag_messages.read_labels(masks_msg)
    return Answer(labels, bag_messages.read_detections(boxes_msg), masks_msg, boxes_msg)


def prediction_of(
    labels: LabelImage, detections: Sequence[Detection], size: tuple[int, int]
) -> Segments:
    """The instances of an answer to a frame of this (height, width), whatever their score.

    Raises ValueError if masks, detections and frame do not fit each other.
    """
    if labels.shape != size:
        raise ValueError(f"masks must be {size}, got {labels.shape}")
    return Segments(
        labels,
        np.array([int(entry.class_id) for entry in detections], np.int64),
        np.array([entry.score for entry in detections]),
    )


def scored_as(prediction: Segments, truth: GroundTruth) -> Segments:
    """The prediction in the classes of the truth."""
    if not truth.class_agnostic:
        return prediction
    return Segments(
        prediction.ids, np.full_like(prediction.class_ids, ANY_CLASS), prediction.scores
    )


def _result(shown: Segments, detections: Sequence[Detection]) -> FrameResult:
    """The instances that are shown, as the renderer wants them."""
    areas = np.bincount(shown.ids.ravel(), minlength=len(detections) + 1)
    instances = [
        Instance(int(d.class_id), d.score, tuple(round(v) for v in d.bbox), int(area))  # type: ignore[arg-type]
        for d, area in zip(detections, areas[1:], strict=True)
    ]
    return FrameResult(shown.ids.astype(np.uint16), tuple(instances), {})


@dataclass(frozen=True)
class _Pair:
    """Truth and prediction of one frame, to be drawn side by side in colours that agree."""

    image: ImageArray
    truth: Truth
    shown: Segments
    detections: Sequence[Detection]
    names: Mapping[int, str]

    def caption(self, row: Mapping[str, Any]) -> str:
        return (
            f"frame {row['index']}: quality {row['quality']:.2f}, {row['tp']:.0f} found, "
            f"{row['fn']:.0f} missed, {row['fp']:.0f} too many"
        )

    def draw(self) -> dict[str, ImageArray]:
        names = [self.names.get(k, "") for k in range(OTHER_CLASS + 1)]
        renderer, truth = OverlayRenderer(names), self.truth.segments
        instances = tuple(
            Instance(int(k), 1.0, _box(truth.ids == number), 0)
            for number, k in enumerate(truth.class_ids.tolist(), start=1)
        )
        true = renderer.draw(self.image, FrameResult(truth.ids.astype(np.uint16), instances, {}))
        true[self.truth.void] //= 3
        predicted = renderer.draw(self.image, _result(self.shown, self.detections))
        pictures = {"image": self.image, "truth": true, "prediction": predicted}
        return _fitted(pictures)


def _fitted(pictures: Mapping[str, ImageArray]) -> dict[str, ImageArray]:
    return {title: fit(picture) for title, picture in pictures.items()}


def _box(mask: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    x, y, width, height = cv2.boundingRect(mask.astype(np.uint8))
    return x, y, width, height
