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

"""The cases of fuzz_files.py: mutated COCO files, bags and image messages, each from its number."""

from __future__ import annotations

import json
import random
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from mcap.writer import CompressionType, Writer
from pycocotools import mask as rle
from rosbags.rosbag2 import StoragePlugin
from rosbags.rosbag2 import Writer as RosbagWriter
from sensor_msgs.msg import CompressedImage, Image

from ssap_ros.data.coco import CocoAnnotations
from ssap_ros.errors import SsapError
from ssap_ros.messages import compressed_to_rgb, image_to_rgb
from ssap_ros.replay.bags import messages
from ssap_ros.replay.bags.reader import BagReader
from ssap_ros.replay.sources import open_source

KINDS = ("coco", "mcap", "db3", "metadata", "compressed", "raw")
FAILED = "failed: "
_ENCODINGS = [("rgb8", 3), ("bgra8", 4), ("mono16", 2), ("nv12", 1), ("bayer_gbrg8", 1),
              ("yuv422_yuy2", 2), ("rgb16", 6)]  # fmt: skip
_ODD = [None, True, -1, 0, 0.5, 1e308, float("nan"), float("inf"), 1 << 40, 1 << 70, "", "7", "x",
        [], [[]], {}, [None], [1, 2, 3], "\0", "\ud800"]  # fmt: skip


def _coco() -> dict[str, Any]:
    mask = np.zeros((24, 32), np.uint8)
    mask[5:15, 8:20] = 1
    code = rle.encode(np.asfortranarray(mask))
    shapes: list[Any] = [
        [[2, 2, 20, 2, 20, 20, 2, 20]],
        {"size": [24, 32], "counts": code["counts"].decode()},
        {"size": [24, 32], "counts": [100, 50, 618]},
    ]
    return {
        "images": [
            {"id": k, "file_name": f"{k}.png", "height": 24, "width": 32} for k in range(3)
        ],
        "categories": [{"id": 1, "name": "person"}, {"id": 3, "name": "car"}],
        "annotations": [
            {"id": k, "image_id": k % 3, "category_id": 1 + 2 * (k % 2), "iscrowd": k % 2,
             "area": 120, "bbox": [2, 2, 18, 18], "segmentation": shapes[k % 3]}
            for k in range(6)
        ],
    }  # fmt: skip


def _mutated_json(value: Any, rng: random.Random) -> Any:
    """The same with one part changed, anywhere."""
    if isinstance(value, (dict, list)) and value and rng.random() < 0.9:
        keys = list(value) if isinstance(value, dict) else list(range(len(value)))
        key = rng.choice(keys)
        changed = value.copy()
        if rng.random() < 0.1:
            del changed[key]
        elif rng.random() < 0.05 and isinstance(changed, list):
            changed += [changed[key]] * rng.choice([1, 100])
        else:
            changed[key] = _mutated_json(value[key], rng)
        return changed
    if isinstance(value, str) and value and rng.random() < 0.5:
        return _mutated_bytes(value.encode("utf-8", "replace"), rng).decode("latin-1")
    if isinstance(value, (int, float)) and rng.random() < 0.4:
        return value * rng.choice([-1, 2, 1000, 1e9]) + rng.choice([0, 1, 0.5])
    return rng.choice(_ODD)


def _mutated_bytes(data: bytes, rng: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.choice([1, 1, 2, 8])):
        at = rng.randrange(len(changed)) if changed else 0
        how = rng.randrange(6)
        if how == 0 and changed:
            changed[at] ^= 1 << rng.randrange(8)
        elif how == 1 and changed:
            changed[at] = rng.choice([0, 1, 0x7F, 0x80, 0xFF])
        elif how == 2:
            del changed[at:]
        elif how == 3:
            del changed[at : at + rng.choice([1, 4, 100])]
        elif how == 4:
            changed[at:at] = rng.randbytes(rng.choice([1, 4, 100]))
        else:
            changed[at : at + 8] = rng.choice([b"\xff", b"\0", b"\x7f"]) * 8
    return bytes(changed)


def _read_coco(data: bytes, folder: Path) -> None:
    path = folder / "coco.json"
    path.write_bytes(data)
    coco = CocoAnnotations(path)
    for image_id in coco.images:
        for annotation in coco.objects(image_id):
            coco.mask(annotation)


def _read_bag(path: Path) -> None:
    with BagReader(path) as reader:
        for message in reader.messages(list(reader.topics)):
            try:
                reader.decode(message)
            except ValueError:
                continue
    for frame in open_source(str(path)):
        frame.rgb()


def _bag_messages() -> Iterator[tuple[str, str, int, bytes]]:
    """(topic, type, time, CDR) of a small bag."""
    _, jpeg = cv2.imencode(".jpg", np.full((16, 24, 3), 90, np.uint8))
    for k in range(4):
        logged = 1_000_000_000 * (k + 1)
        head = messages.header(logged, "camera")
        for topic, msg in (
            ("/image", messages.image(head, "rgb8", np.full((6, 8, 3), k, np.uint8))),
            ("/image/compressed", messages.compressed_image(head, "jpeg", jpeg)),
            ("/names", messages.label_info(head, {1: "person"})),
        ):
            yield topic, msg.__msgtype__, logged, messages.encode(msg)


def _make_mcap(path: Path, compression: CompressionType, *, checksums: bool) -> bytes:
    store = messages.standard_types()
    channels: dict[str, int] = {}
    with path.open("wb") as file:
        writer = Writer(file, compression=compression, chunk_size=600, enable_crcs=checksums)
        writer.start(profile="ros2")
        for topic, kind, logged, raw in _bag_messages():
            if topic not in channels:
                text, _ = store.generate_msgdef(kind, ros_version=2)
                schema = writer.register_schema(kind, "ros2msg", text.encode())
                channels[topic] = writer.register_channel(topic, "cdr", schema)
            writer.add_message(channels[topic], logged, raw, logged)
        writer.finish()
    return path.read_bytes()


def _make_folder(folder: Path) -> tuple[bytes, bytes]:
    """The database and the metadata.yaml of the same bag."""
    store = messages.standard_types()
    with RosbagWriter(folder, version=9, storage_plugin=StoragePlugin.SQLITE3) as writer:
        topics: dict[str, Any] = {}
        for topic, kind, logged, raw in _bag_messages():
            if topic not in topics:
                topics[topic] = writer.add_connection(topic, kind, typestore=store)
            writer.write(topics[topic], logged, raw)
    (database,) = folder.glob("*.db3")
    return database.read_bytes(), (folder / "metadata.yaml").read_bytes()


def _images() -> list[bytes]:
    y, x = np.mgrid[:48, :64]
    colour = np.dstack([x * 4, y * 5, x + y]).astype(np.uint8)
    wide = (colour[..., 0] * np.uint16(257)).astype(np.uint16)
    progressive = [cv2.IMWRITE_JPEG_PROGRESSIVE, 1]
    encoded = [
        cv2.imencode(".jpg", colour),
        cv2.imencode(".jpg", colour, progressive),
        cv2.imencode(".png", colour),
        cv2.imencode(".png", wide),
    ]
    return [data.tobytes() for _, data in encoded]


def _read_compressed(data: bytes, rng: random.Random) -> None:
    form = rng.choice(
        ["jpeg", "png", "bayer_rggb8; png compressed ", "16UC1; png", "bayer_x8; png"]
    )
    compressed_to_rgb(CompressedImage(format=form, data=array("B", data)), rng.choice([0, 12]))


def _read_raw(rng: random.Random) -> None:
    """An image of a common encoding with up to three fields changed."""
    encoding, depth = rng.choice(_ENCODINGS)
    height, width = rng.choice([(4, 6), (7, 5), (480, 640)])
    rows = height * 3 // 2 if encoding == "nv12" else height
    fields: dict[str, Any] = {"height": height, "width": width, "encoding": encoding,
              "step": width * depth, "is_bigendian": 0,
              "data": array("B", bytes(rows * width * depth))}  # fmt: skip
    for name in rng.sample(sorted(fields), rng.randrange(4)):
        if name == "encoding":
            fields[name] = rng.choice(["", "RGB8", "32FC1", "x" * 999, "mono8", "bayer_rggb16"])
        elif name == "data":
            fields[name] = fields[name][: rng.randrange(len(fields[name]) + 1)]
        elif name == "is_bigendian":
            fields[name] = rng.randrange(256)
        else:
            odd = [0, 1, 2, fields[name] - 1, fields[name] + 1, 65535, 1 << 31, (1 << 32) - 1]
            fields[name] = rng.choice(odd)
    image_to_rgb(Image(**fields), rng.choice([0, 10, 16]))


class Cases:
    """Makes and reads the cases; `folder` is for their files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._coco, self._images = _coco(), _images()
        self._mcaps = [
            _make_mcap(folder / "case.mcap", compression, checksums=checksums)
            for compression in CompressionType
            for checksums in (True, False)
        ]
        self._database, self._metadata = _make_folder(folder / "bag")

    def run(self, number: int) -> str:
        """The kind of the case, and what became of it; a failure begins with `failed`."""
        kind = KINDS[number % len(KINDS)]
        try:
            self._read(kind, random.Random(number))
        except SsapError as error:
            one_line = "\n" not in str(error) and len(str(error)) < 2000
            return f"{kind} refused" if one_line else f"{FAILED}{kind}, not one line: {error}"
        except Exception as error:
            return f"{FAILED}{kind}, {error!r}"
        return f"{kind} read"

    def _read(self, kind: str, rng: random.Random) -> None:
        if kind == "coco":
            data = json.dumps(_mutated_json(self._coco, rng)).encode()
            _read_coco(_mutated_bytes(data, rng) if rng.random() < 0.2 else data, self._folder)
        elif kind == "compressed":
            _read_compressed(_mutated_bytes(rng.choice(self._images), rng), rng)
        elif kind == "raw":
            _read_raw(rng)
        elif kind == "metadata":
            (database,) = (self._folder / "bag").glob("*.db3")
            database.write_bytes(self._database)
            changed = _mutated_bytes(self._metadata, rng)
            (self._folder / "bag" / "metadata.yaml").write_bytes(changed)
            _read_bag(self._folder / "bag")
        else:
            path = self._folder / f"case.{kind}"
            good = rng.choice(self._mcaps) if kind == "mcap" else self._database
            path.write_bytes(_mutated_bytes(good, rng))
            _read_bag(path)
