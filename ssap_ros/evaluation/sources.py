"""Where frames come from: a video, images, a ROS 2 bag, or the procedural street."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ssap_ros.errors import InputError
from ssap_ros.scenes import FRAME_RATE, street_video
from ssap_ros.types import ImageArray

Frame = tuple[int, ImageArray]

_IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp")
_BAG_SUFFIXES = (".mcap", ".db3")
_IMAGE_TYPES = ("sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage")
_FOLDER_FPS = 10.0
_SCENE_SIZE = (480, 640)
_SCENE_FRAMES = 100
_GRAB_ATTEMPTS = 10  # a decoder recovers from a damaged frame at the next key frame


@dataclass
class FrameSource:
    """Frames in order, to be iterated once: (stamp in ns, RGB uint8 (H, W, 3) contiguous).

    name: what is shown to the user. fps: nominal frames per second. n_frames: how many are
    expected, None if unknown. skipped: frames that could not be decoded so far.
    """

    name: str
    fps: float
    n_frames: int | None
    skipped: int = 0
    _frames: Iterator[Frame] = iter(())

    def __iter__(self) -> Iterator[Frame]:
        return self._frames


def open_source(spec: str, max_frames: int | None = None) -> FrameSource:
    """Open a video, an image or a folder of them, a ROS 2 bag (mcap, sqlite3), `scenes[:SEED]`.

    max_frames: end after so many frames; None takes all, of the endless street 100.
    Raises InputError, naming the reason, if nothing can be read from it.
    """
    if max_frames is not None and max_frames < 1:
        raise InputError(f"expected at least 1 frame, got {max_frames}")
    name, _, seed = spec.partition(":")
    path = Path(spec).expanduser()
    if name == "scenes":
        source, read = _open_scenes(spec, seed, max_frames or _SCENE_FRAMES)
    elif not path.exists():
        raise InputError(f"no such file or folder: {spec}")
    elif path.suffix in _BAG_SUFFIXES or (path / "metadata.yaml").is_file():
        source, read = _open_bag(path)
    elif path.is_dir() or path.suffix.lower() in _IMAGE_SUFFIXES:
        source, read = _open_images(path)
    else:
        source, read = _open_video(path)
    frames = itertools.islice(read(source), max_frames)
    first = next(frames, None)
    if first is None:
        raise InputError(f"no readable image in {spec}")
    source._frames = itertools.chain([first], frames)
    if source.n_frames is not None and max_frames is not None:
        source.n_frames = min(source.n_frames, max_frames)
    return source


_Opened = tuple[FrameSource, Callable[[FrameSource], Iterator[Frame]]]


def _stamp(index: int, fps: float) -> int:
    return round(index * 1e9 / fps)


def _rgb(bgr: ImageArray) -> ImageArray:
    return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False)


def _open_scenes(spec: str, seed: str, n_frames: int) -> _Opened:
    if seed and not seed.isdigit():
        raise InputError(f"expected scenes or scenes:SEED with a whole number, got {spec}")

    def read(_source: FrameSource) -> Iterator[Frame]:
        for index, scene in enumerate(street_video(int(seed or 0), n_frames, _SCENE_SIZE)):
            yield _stamp(index, FRAME_RATE), scene.image

    return FrameSource(spec, FRAME_RATE, n_frames), read


def _open_images(path: Path) -> _Opened:
    files = (
        [path]
        if path.is_file()
        else sorted(file for file in path.iterdir() if file.suffix.lower() in _IMAGE_SUFFIXES)
    )
    if not files:
        bags = [file for suffix in _BAG_SUFFIXES for file in path.glob(f"*{suffix}")]
        if len(bags) == 1:
            return _open_bag(bags[0])
        raise InputError(f"no images (jpg, png, bmp) in the folder {path}")

    def read(source: FrameSource) -> Iterator[Frame]:
        for index, file in enumerate(files):
            image = cv2.imread(str(file), cv2.IMREAD_COLOR)
            if image is None:
                source.skipped += 1
            else:
                yield _stamp(index, _FOLDER_FPS), _rgb(image)

    return FrameSource(path.name, _FOLDER_FPS, len(files)), read


def _open_video(path: Path) -> _Opened:
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # errors are told by us, in one line
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    capture = cv2.VideoCapture(str(path))
    if not capture.isOpened():
        raise InputError(f"not a video that OpenCV can read: {path}")
    fps = capture.get(cv2.CAP_PROP_FPS)
    fps = fps if 0.1 < fps < 1000 else 25.0
    count = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))

    def read(source: FrameSource) -> Iterator[Frame]:
        index = 0
        while True:
            lost = next((i for i in range(_GRAB_ATTEMPTS) if capture.grab()), None)
            if lost is None:
                break
            good, image = capture.retrieve()
            source.skipped += lost + (not good)
            index += lost
            if good:
                yield _stamp(index, fps), _rgb(np.asarray(image, np.uint8))
            index += 1
        capture.release()

    return FrameSource(path.name, fps, count if count > 0 else None), read


def _open_bag(path: Path) -> _Opened:
    from rosbags.highlevel import AnyReader
    from rosbags.typesys import Stores, get_typestore

    from ssap_ros.messages import image_to_rgb

    try:
        reader = AnyReader([path], default_typestore=get_typestore(Stores.LATEST))
        reader.open()
    except Exception as error:  # the storage plugins raise what their libraries raise
        raise InputError(f"not a ROS 2 bag: {path} ({_one_line(error)})") from error
    images = [c for c in reader.connections if c.msgtype in _IMAGE_TYPES]
    if not images:
        topics = ", ".join(f"{c.topic} ({c.msgtype})" for c in reader.connections) or "nothing"
        raise InputError(f"no topic with images in {path}, it holds {topics}")
    topic = images[0].topic
    chosen = [c for c in images if c.topic == topic]
    count = sum(c.msgcount for c in chosen)
    fps = count / max(reader.duration * 1e-9, 1e-3) if count > 1 else _FOLDER_FPS

    def decode(msg: Any) -> ImageArray | None:
        if hasattr(msg, "encoding"):
            return image_to_rgb(msg)
        image = cv2.imdecode(np.frombuffer(msg.data, np.uint8), cv2.IMREAD_COLOR)
        return None if image is None else _rgb(np.asarray(image, np.uint8))

    def read(source: FrameSource) -> Iterator[Frame]:
        messages = reader.messages(chosen)
        while True:
            try:
                connection, logged, raw = next(messages)
            except StopIteration:
                break
            except Exception:  # the rest of a damaged bag
                source.skipped += 1
                break
            try:
                msg: Any = reader.deserialize(raw, connection.msgtype)
                image = decode(msg)
            except Exception:  # a damaged message, or pixels that make no image
                image = None
            if image is None:
                source.skipped += 1
                continue
            stamp = msg.header.stamp.sec * 1_000_000_000 + msg.header.stamp.nanosec
            yield stamp or logged, image
        reader.close()

    others = sorted({c.topic for c in images} - {topic})
    note = f", not {', '.join(others)}" if others else ""
    return FrameSource(f"{path.name} ({topic}{note})", fps, count), read


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
