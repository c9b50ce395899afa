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

"""Bags for tests: a painted street with truth, and ways to break a bag."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np

from ssap_ros.replay.bags import messages
from ssap_ros.replay.bags.messages import Detection
from ssap_ros.replay.bags.reader import BagReader
from ssap_ros.replay.bags.space import Detection3D, camera_info, detections_3d
from ssap_ros.replay.bags.writer import BagWriter
from support.toy_model import CLASSES, paint

PERSON, CAR = 1, 3
SIZE = (128, 192)
START = 1_000_000_000_000
STEP = 100_000_000
IMAGE, INSTANCES = "/camera/image", "/camera/gt/instances"
DETECTIONS, LABEL_INFO = "/camera/gt/detections", "/camera/gt/label_info"
DEPTH, CAMERA_INFO = "/camera/depth", "/camera/camera_info"
OBJECTS = "/camera/gt/detections_3d"
K = (150.0, 0.0, 96.0, 0.0, 150.0, 64.0, 0.0, 0.0, 1.0)
DISTANCES = {PERSON: 5.0, CAR: 8.0}  # of the painted boards, in metres; 20 m behind them


def painted_frame(number: int) -> tuple[np.ndarray, np.ndarray, list[Detection]]:
    """A person that walks towards a car: RGB, truth labels, truth entries."""
    labels = np.zeros(SIZE, np.uint16)
    x = 10 + 6 * (number % 12)
    labels[40:110, x : x + 24] = 1
    labels[60:112, 100:180] = 2
    entries = [
        Detection(str(PERSON), 1.0, (x, 40.0, 24.0, 70.0), "7"),
        Detection(str(CAR), 1.0, (100.0, 60.0, 80.0, 52.0), "8"),
    ]
    return paint(labels, [PERSON, CAR]), labels, entries


def painted_depth(
    labels: np.ndarray, entries: list[Detection]
) -> tuple[np.ndarray, list[Detection3D]]:
    """Depth in millimetres of a painted frame, and where the middles of its boards are."""
    metres = np.full(labels.shape, 20.0)
    objects = []
    for k, entry in enumerate(entries, start=1):
        distance, (x, y, width, height) = DISTANCES[int(entry.class_id)], entry.bbox
        metres[labels == k] = distance
        left, top = (x - K[2]) / K[0], (y - K[5]) / K[4]
        centre = (left + width / 2 / K[0], top + height / 2 / K[4], 1.0)
        scaled = tuple(distance * value for value in centre)
        objects.append(Detection3D(entry.class_id, 1.0, scaled, track=entry.track))
    return (1000 * metres).astype(np.uint16), objects


def write_depth_bag(path: Path, n_frames: int, without: tuple[int, ...] = ()) -> Path:
    """A painted bag with depth, but for some frames, its calibration once, and the true objects."""
    write_painted_bag(path.with_name(f"painted_{path.name}"), n_frames)
    with BagWriter(path) as bag, BagReader(path.with_name(f"painted_{path.name}")) as painted:
        for topic in painted.topics.values():
            bag.add_topic(topic.name, topic.msgtype)
        bag.add_topic(DEPTH, messages.IMAGE)
        bag.add_topic(CAMERA_INFO, messages.CAMERA_INFO)
        bag.add_topic(OBJECTS, messages.DETECTIONS_3D)
        for message in painted.messages(list(painted.topics)):
            bag.write(message.topic, message.logged, bytes(message.raw))
        head = messages.header(START, "camera")
        bag.write(CAMERA_INFO, START, camera_info(head, K, SIZE))
        for number in range(n_frames):
            stamp = START + number * STEP
            head = messages.header(stamp, "camera")
            _, labels, entries = painted_frame(number)
            depth, objects = painted_depth(labels, entries)
            if number not in without:
                bag.write(DEPTH, stamp, messages.image(head, "16UC1", depth))
            bag.write(OBJECTS, stamp, detections_3d(head, objects))
    return path


def write_painted_bag(
    path: Path,
    n_frames: int,
    stamps: list[int] | None = None,
    encodings: tuple[str, ...] = ("rgb8",),
) -> Path:
    """An mcap with `n_frames` painted frames and their truth; encodings alternate."""
    with BagWriter(path) as bag:
        bag.add_topic(IMAGE, messages.IMAGE)
        bag.add_topic(INSTANCES, messages.IMAGE)
        bag.add_topic(DETECTIONS, messages.DETECTIONS)
        bag.add_topic(LABEL_INFO, messages.LABEL_INFO, latched=True)
        info = messages.label_info(messages.header(START, ""), dict(enumerate(CLASSES)))
        bag.write(LABEL_INFO, START, info)
        for number in range(n_frames):
            logged = START + number * STEP
            head = messages.header(stamps[number] if stamps else logged, "camera")
            rgb, labels, entries = painted_frame(number)
            encoding = encodings[number % len(encodings)]
            pixels = {"rgb8": rgb, "bgr8": rgb[..., ::-1], "mono8": rgb[..., 0]}.get(encoding, rgb)
            bag.write(IMAGE, logged, messages.image(head, encoding, pixels))
            bag.write(INSTANCES, logged, messages.image(head, "mono16", labels))
            bag.write(DETECTIONS, logged, messages.detections(head, entries))
    return path


def to_folder(bag: Path, folder: Path, storage: str = "SQLITE3", compression: str = "NONE") -> Path:
    """The same messages as a bag folder."""
    from rosbags.rosbag2 import CompressionFormat, CompressionMode, Reader, StoragePlugin, Writer

    writer = Writer(folder, version=9, storage_plugin=StoragePlugin[storage])
    writer.set_compression(CompressionMode[compression], CompressionFormat.ZSTD)
    store = messages.standard_types()
    with Reader(bag) as reader, writer:
        connections = {
            c.topic: writer.add_connection(c.topic, c.msgtype, typestore=store)
            for c in reader.connections
        }
        for connection, logged, raw in reader.messages():
            writer.write(connections[connection.topic], logged, raw)
    return folder


def break_bag(good: Path, broken: Path, seed: int) -> str:
    """Write a damaged copy of a bag file; what was done to it."""
    rng = random.Random(seed)
    data = bytearray(good.read_bytes())
    kind = ("truncated", "flipped", "schema")[seed % 3]
    if kind == "truncated":
        data = data[: rng.randrange(len(data))]
    elif kind == "flipped":
        for _ in range(rng.choice([1, 3, 20])):
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    else:
        _change_definition(good, broken, rng)
        return kind
    broken.write_bytes(data)
    return kind


def _change_definition(good: Path, broken: Path, rng: random.Random) -> None:
    """Write the messages of an mcap under another definition of one of their types."""
    from mcap.reader import make_reader
    from mcap.writer import Writer

    victim = rng.choice([messages.IMAGE, messages.IMAGE, messages.DETECTIONS])

    def damaged(text: str) -> str:
        lines = text.splitlines()
        fields = [i for i, line in enumerate(lines) if line and line[0].islower()]
        chosen = rng.choice(fields)
        how = rng.randrange(4)
        if how == 0:
            del lines[chosen]
        elif how == 1:
            lines[chosen] = "float64 " + lines[chosen].split()[-1]
        elif how == 2:
            lines[chosen] = "no_such_msgs/Thing thing"
        else:
            lines[chosen] = "%$ " + lines[chosen]
        return "\n".join(lines)

    with good.open("rb") as source, broken.open("wb") as target:
        writer = Writer(target)
        writer.start(profile="ros2")
        channels: dict[str, int] = {}
        for schema, channel, message in make_reader(source).iter_messages():
            if channel.topic not in channels:
                text = schema.data.decode()
                data = damaged(text) if schema.name == victim else text
                number = writer.register_schema(schema.name, schema.encoding, data.encode())
                channels[channel.topic] = writer.register_channel(
                    channel.topic, channel.message_encoding, number
                )
            writer.add_message(
                channels[channel.topic], message.log_time, message.data, message.publish_time
            )
        writer.finish()


def damage_sqlite(file: Path, seed: int) -> None:
    """Overwrite a random page of a sqlite3 bag."""
    rng = random.Random(seed)
    data = bytearray(file.read_bytes())
    page = rng.randrange(1, max(len(data) // 4096, 2)) * 4096
    data[page : page + 4096] = rng.randbytes(4096)
    file.write_bytes(data)
