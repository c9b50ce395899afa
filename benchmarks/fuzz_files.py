"""Mutated COCO files, bags and image messages: each is read, or refused in one line.

    python benchmarks/fuzz_files.py --cases 100000

Every case has a number, from which it is made again by `--first NUMBER --cases 1`. A case fails by
an error that is not ours, by more than the time or memory that one may take; a crash ends the run,
and the last number that was printed tells where. Prints what became of the cases.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import sys
import tempfile
import time
from array import array
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from pycocotools import mask as rle

from ssap_ros.data.coco import CocoAnnotations
from ssap_ros.errors import SsapError
from ssap_ros.replay.bags import messages
from ssap_ros.replay.bags.reader import BagReader
from ssap_ros.replay.bags.writer import BagWriter

_MAX_S = 20.0
_ADDRESS_SPACE = 6 << 30
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


def _make_bag(folder: Path) -> dict[str, bytes]:
    """A small bag as mcap and as sqlite3."""
    from rosbags.rosbag2 import Reader, StoragePlugin, Writer

    with BagWriter(folder / "small.mcap") as bag:
        bag.add_topic("/image", messages.IMAGE)
        bag.add_topic("/names", messages.LABEL_INFO, latched=True)
        for k in range(4):
            head = messages.header(1_000_000_000 * (k + 1), "camera")
            bag.write("/image", k, messages.image(head, "rgb8", np.full((6, 8, 3), k, np.uint8)))
            bag.write("/names", k, messages.label_info(head, {1: "person"}))
    store = messages.standard_types()
    with (
        Reader(folder / "small.mcap") as reader,
        Writer(folder / "small", version=9, storage_plugin=StoragePlugin.SQLITE3) as writer,
    ):
        topics = {
            c.topic: writer.add_connection(c.topic, c.msgtype, typestore=store)
            for c in reader.connections
        }
        for connection, logged, raw in reader.messages():
            writer.write(topics[connection.topic], logged, raw)
    (database,) = (folder / "small").glob("*.db3")
    return {"mcap": (folder / "small.mcap").read_bytes(), "db3": database.read_bytes()}


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


def _read_image(data: bytes) -> None:
    from sensor_msgs.msg import CompressedImage

    from ssap_ros.messages import compressed_to_rgb

    compressed_to_rgb(CompressedImage(format="jpeg", data=array("B", data)))


def fuzz(first: int, cases: int, folder: Path, tell: Callable[[int], None]) -> Counter[str]:
    """Run the cases `first` .. `first + cases - 1`; how many of each kind ended how.

    Raises whatever a reader raises that is no error of ours, and TimeoutError for a slow case, both
    with the number of the case.
    """
    coco, bags, images = _coco(), _make_bag(folder), _images()
    result: Counter[str] = Counter()
    for number in range(first, first + cases):
        tell(number)
        rng = random.Random(number)
        kind = ("coco", "mcap", "db3", "image")[number % 4]
        started = time.monotonic()
        try:
            if kind == "coco":
                data = json.dumps(_mutated_json(coco, rng)).encode()
                _read_coco(_mutated_bytes(data, rng) if rng.random() < 0.2 else data, folder)
            elif kind == "image":
                _read_image(_mutated_bytes(rng.choice(images), rng))
            else:
                path = folder / f"case.{kind}"
                path.write_bytes(_mutated_bytes(bags[kind], rng))
                _read_bag(path)
            result[f"{kind} read"] += 1
        except SsapError as error:
            if "\n" in str(error) or len(str(error)) > 2000:
                raise AssertionError(f"case {number}: not one line: {error}") from error
            result[f"{kind} refused"] += 1
        except Exception as error:
            raise AssertionError(f"case {number} ({kind}): {error!r}") from error
        if time.monotonic() - started > _MAX_S:
            raise TimeoutError(f"case {number} ({kind}) took more than {_MAX_S:.0f} s")
    return result


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cases", type=int, default=1000, metavar="N")
    parser.add_argument("--first", type=int, default=0, metavar="NUMBER")
    options = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_AS, (_ADDRESS_SPACE, _ADDRESS_SPACE))
    started = time.monotonic()

    def tell(number: int) -> None:
        if number % 1000 == 0:
            print(f"case {number}", file=sys.stderr, flush=True)

    with tempfile.TemporaryDirectory() as folder:
        result = fuzz(options.first, options.cases, Path(folder), tell)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    for name, count in sorted(result.items()):
        print(f"{name:14} {count}")
    print(f"{options.cases} cases in {time.monotonic() - started:.0f} s, {peak:.0f} MiB at most")


if __name__ == "__main__":
    main()
