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

"""Where frames come from: a video, images, ROS 2 bags, or the procedural street."""

from __future__ import annotations

import itertools
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np

from ssap_ros.data.image_files import IMAGE_SUFFIXES, image_files, read_image
from ssap_ros.data.scenes.street import FRAME_RATE, street_video
from ssap_ros.errors import InputError
from ssap_ros.replay.bags.camera_topics import choose_camera
from ssap_ros.replay.bags.messages import COMPRESSED_IMAGE, IMAGE, stamp_of
from ssap_ros.replay.bags.reader import BagMessage, BagReader, find_bags, is_bag
from ssap_ros.replay.frames import Frame, FrameSource
from ssap_ros.replay.video_clock import VideoClock
from ssap_ros.types import ImageArray

_FOLDER_FPS = 10.0
_RAW_STREAMS = (".mjpeg", ".mjpg", ".h264", ".264", ".h265", ".265", ".hevc")
_SCENE_SIZE = (480, 640)
_SCENE_FRAMES = 100
_END_OF_TIME = (1 << 31) * 1_000_000_000  # of a stamp, in nanoseconds
_LOG = logging.getLogger(__name__)
_GRAB_ATTEMPTS = 10  # a decoder recovers from a damaged frame at the next key frame
_IMAGE_FIELDS = ("header", "height", "width", "encoding", "is_bigendian", "step", "data")


def open_source(
    spec: str,
    max_frames: int | None = None,
    topics: Sequence[str] = (),
    not_topics: Sequence[str] = (),
    transport: str = "",
    significant_bits: int = 0,
) -> FrameSource:
    """Open a video, an image or a folder of them, a ROS 2 bag (mcap, sqlite3), `scenes[:SEED]`.

    Args:
        spec: What to open.
        max_frames: End after so many frames; None takes all, of the endless street 100.
        topics: Image topics of a bag, one per camera; without any, see `choose_camera`.
        not_topics: Image topics that are no camera's.
        transport: "raw" or "compressed": only such topics; empty: both.
        significant_bits: Of images of 16 bits, see `image_to_rgb`.

    Returns:
        The frames.

    Raises:
        InputError: Nothing can be read from it; the message has the reason.
    """
    if max_frames is not None and max_frames < 1:
        raise InputError(f"expected at least 1 frame, got {max_frames}")
    name, _, seed = spec.partition(":")
    path, bag = Path(spec).expanduser(), bag_of(spec)
    if spec == "scenes" and path.exists():
        raise InputError("expected ./scenes for the folder, or scenes:0 for the procedural street")
    if name == "scenes":
        source, read = _open_scenes(spec, seed, max_frames or _SCENE_FRAMES)
    elif not path.exists():
        raise InputError(f"no such file or folder: {spec}")
    elif bag is not None:
        source, read = _open_bag(bag, topics, not_topics, transport, significant_bits)
    elif path.is_dir() or path.suffix.lower() in IMAGE_SUFFIXES:
        source, read = _open_images(path)
    else:
        source, read = _open_video(path)
    if topics and source.cameras != tuple(topics):
        raise InputError(f"{spec} is no bag: it has no topic {', '.join(topics)}")
    frames = itertools.islice(read(source), max_frames)
    first = next(frames, None)
    if first is None:
        raise InputError(f"no readable image in {spec}{_because(source.damage)}")
    source._frames = itertools.chain([first], frames)
    if source.n_frames is not None and max_frames is not None:
        source.n_frames = min(source.n_frames, max_frames)
    return source


def bag_of(spec: str) -> Path | None:
    """The bag that is meant, a folder with a single bag and no images being it; None if none is."""
    path = Path(spec).expanduser()
    if is_bag(path):
        return path
    bags = find_bags(path) if path.is_dir() and not image_files(path) else []
    return bags[0] if len(bags) == 1 else None


_Opened = tuple[FrameSource, Callable[[FrameSource], Iterator[Frame]]]


def _because(damage: Sequence[str]) -> str:
    return f" ({'; '.join(damage)})" if damage else ""


def _picture(
    index: int, position: int, fps: float, image: ImageArray, file: Path | None = None
) -> Frame:
    stamp = round(position * 1e9 / fps)
    return Frame(index, 0, stamp, stamp, image=image, file=file)


def _rgb(bgr: ImageArray) -> ImageArray:
    return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False)


def _open_scenes(spec: str, seed: str, n_frames: int) -> _Opened:
    if seed and not seed.isdigit():
        raise InputError(f"expected scenes or scenes:SEED with a whole number, got {spec}")

    def read(_source: FrameSource) -> Iterator[Frame]:
        for index, scene in enumerate(street_video(int(seed or 0), n_frames, _SCENE_SIZE)):
            yield _picture(index, index, FRAME_RATE, scene.image)

    return FrameSource(spec, FRAME_RATE, n_frames), read


def _open_images(path: Path) -> _Opened:
    files = [path] if path.is_file() else image_files(path)
    if not files and (bags := find_bags(path)):
        raise InputError(f"{path} holds {len(bags)} bags; name one of them, such as {bags[0]}")
    if not files:
        raise InputError(f"no images (jpg, png, bmp) in the folder {path}")

    def read(source: FrameSource) -> Iterator[Frame]:
        index = 0
        for position, file in enumerate(files):
            try:
                image = read_image(file, upright=True)
            except InputError as error:
                source.skip(str(error))
                continue
            yield _picture(index, position, _FOLDER_FPS, image, file)
            index += 1

    return FrameSource(path.name, _FOLDER_FPS, len(files)), read


def _open_video(path: Path) -> _Opened:
    # we report errors in one line; the reader of MJPEG, whose files FFmpeg reads, prints them
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    readers = (b for b in cv2.videoio_registry.getStreamBackends() if b != cv2.CAP_OPENCV_MJPEG)
    captures = (cv2.VideoCapture(str(path), reader) for reader in readers)
    capture = next((opened for opened in captures if opened.isOpened()), None)
    if capture is None and path.suffix == ".bag":
        raise InputError(f"expected a bag of ROS 2, {path} is of ROS 1: rosbags-convert makes one")
    if capture is None:
        raise InputError(f"not a video that OpenCV can read: {path}")
    fps = capture.get(cv2.CAP_PROP_FPS)
    fps = fps if 0.1 < fps < 1000 else 25.0
    count = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))

    def read(source: FrameSource) -> Iterator[Frame]:
        index = position = 0
        clock = VideoClock(fps)
        while True:
            lost = next((i for i in range(_GRAB_ATTEMPTS) if capture.grab()), None)
            if lost is None:
                break
            good, image = capture.retrieve()
            for _ in range(lost + (not good)):
                source.skip(f"frame {position} of {path.name} cannot be decoded")
            position += lost
            if good:
                stamp = clock.stamp(position, capture.get(cv2.CAP_PROP_POS_MSEC))
                yield Frame(index, 0, stamp, stamp, image=_rgb(np.asarray(image, np.uint8)))
                index += 1
            position += 1
        capture.release()
        # of a stream without a container the reader invents the times
        without = index if path.suffix.lower() in _RAW_STREAMS else clock.made_up
        if without:
            _LOG.warning(
                "%s has no times for %d of its frames; they are %g frames/s apart",
                path.name,
                without,
                fps,
            )

    return FrameSource(path.name, fps, count if count > 0 else None), read


def _open_bag(
    path: Path, topics: Sequence[str], not_topics: Sequence[str], transport: str, bits: int
) -> _Opened:
    reader = BagReader(path)
    if topics:
        chosen = list(topics)
        others = [t for t in reader.topics_of(IMAGE, COMPRESSED_IMAGE) if t not in chosen]
    else:
        camera, others = choose_camera(reader, not_topics, transport)
        chosen = [camera]
    if len(set(chosen)) < len(chosen):
        raise InputError(f"expected different topics, got {', '.join(chosen)}")
    count = sum(reader.require(topic, IMAGE, COMPRESSED_IMAGE).count for topic in chosen)

    def read(source: FrameSource) -> Iterator[Frame]:
        index = 0
        with reader:
            for message in reader.messages(chosen):
                try:
                    frame = _decode(reader, message, index, chosen.index(message.topic), bits)
                except ValueError as error:
                    if isinstance(error, InputError):  # of all the topic's messages
                        raise
                    source.skip(f"frame {index + source.skipped} of {message.topic}: {error}")
                    continue
                yield frame
                index += 1
            source.damage += [line for line in reader.damage if line not in source.damage]

    name = f"{path.name} ({', '.join(chosen)})"
    source = FrameSource(name, _rate(path, chosen), count, tuple(chosen))
    source.other_topics = tuple(t for t in others if t not in not_topics)
    silent = [topic for topic in chosen if reader.topics[topic].count == 0]
    source.damage += [*reader.damage, *(f"{topic} holds no messages" for topic in silent)]
    return source, read


def _rate(path: Path, topics: Sequence[str]) -> float:
    """Frames per second of the first topic, by the times of its first messages."""
    with BagReader(path) as reader:
        times = [m.logged for m in itertools.islice(reader.messages(topics[:1]), 50)]
    duration = (max(times) - min(times)) * 1e-9 if times else 0.0
    return float(np.clip((len(times) - 1) / duration, 0.1, 1000)) if duration else _FOLDER_FPS


def _decode(reader: BagReader, message: BagMessage, index: int, camera: int, bits: int) -> Frame:
    """Raises ValueError for a damaged message and for pixels that make no image."""
    msg = reader.decode(message)
    try:
        compressed = reader.topics[message.topic].msgtype == COMPRESSED_IMAGE
        used = ("header", "format", "data") if compressed else _IMAGE_FIELDS
        for name in used:
            getattr(msg, name)
        stamp, frame_id = stamp_of(msg), str(msg.header.frame_id)
    except AttributeError as error:
        raise InputError(
            f"{reader.topics[message.topic].msgtype} of {message.topic} in {reader.path} is not "
            f"the message of that name: {error}"
        ) from error
    stamp = stamp or message.logged
    if not 0 <= stamp < _END_OF_TIME:
        raise ValueError(f"a stamp must be from 0 to 2^31 s, got {stamp * 1e-9:.0f} s")
    if not compressed:
        frame = Frame(index, camera, stamp, message.logged, frame_id, None, msg, None, bits)
        frame.rgb()
        return frame
    from ssap_ros.messages import compressed_to_rgb

    return Frame(index, camera, stamp, message.logged, frame_id, compressed_to_rgb(msg, bits))
