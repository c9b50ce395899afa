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

"""COCO instance annotations as tools export them: read, or refused in one line that names them."""

import json

import numpy as np
import pytest
from pycocotools import mask as rle

from ssap_ros.data.coco import CocoAnnotations
from ssap_ros.data.coco_masks import decode_mask, decompressed, encode_polygons, paint
from ssap_ros.errors import InputError

SQUARE = [2.0, 1.0, 6.0, 1.0, 6.0, 5.0, 2.0, 5.0]
MASK = np.zeros((8, 10), bool)
MASK[1:5, 2:6] = True


def read(tmp_path, segmentation, *, others=(), extra=None, **fields):
    annotation = {"id": 7, "image_id": 1, "category_id": 3, "segmentation": segmentation} | fields
    dataset = {
        "images": [{"id": 1, "file_name": "a.png", "height": 8, "width": 10}],
        "categories": [{"id": 3, "name": "car"}],
        "annotations": [annotation, *others],
    }
    for part, entries in (extra or {}).items():
        dataset[part] += entries
    path = tmp_path / "coco.json"
    path.write_text(json.dumps(dataset))
    return CocoAnnotations(path)


def compressed():
    code = rle.encode(np.asfortranarray(MASK, np.uint8))
    return {"size": code["size"], "counts": code["counts"].decode()}


@pytest.mark.parametrize(
    "segmentation",
    [
        [SQUARE],
        compressed(),
        {"size": [8, 10], "counts": [17, 4, 4, 4, 4, 4, 4, 4, 35]},
        SQUARE,
        [[[2, 1], [6, 1], [6, 5], [2, 5]]],
        [SQUARE, [], [5.0, 5.0], [1.0, 1.0, 2.0, 2.0]],
    ],
    ids=["polygon", "compressed", "counts", "flat", "points", "with rests"],
)
def test_every_kind_of_segmentation(tmp_path, segmentation):
    coco = read(tmp_path, segmentation)
    assert (coco.categories, list(coco.images)) == ({3: "car"}, [1])
    (annotation,) = coco.objects(1)
    assert (annotation["id"], annotation["bbox"]) == (7, [2, 1, 4, 4])
    assert coco.objects(2) == []
    np.testing.assert_array_equal(coco.mask(annotation), MASK)


SOUND = {"id": 1, "image_id": 1, "category_id": 3, "segmentation": [SQUARE]}


@pytest.mark.parametrize(
    ("odd", "words"),
    [
        *(
            ({"segmentation": s}, "1 annotations without a mask left out")
            for s in ([], [[]], None, {}, [[], []])
        ),
        ({"segmentation": [[5.0, 5.0]]}, "1 polygons of less than three corners left out"),
        ({"segmentation": [[5.0, 5.0, 9.0, 9.0]]}, "1 annotations without a mask left out"),
        ({"segmentation": [], "bbox": [1, 1, 4, 4]}, "1 annotations without a mask left out"),
        *(
            ({"segmentation": [s]}, "1 polygons without area in the image left out")
            for s in (
                [10, 1, 15, 1, 15, 5],
                [-9, -9, -1, -9, -1, -1],
                [1, 1, 2, 2, 3, 3],
                [4.0] * 6,
            )
        ),
        ({"image_id": 77}, "1 annotations of images that are not listed left out"),
        ({"category_id": 77}, "1 annotations of categories that are not listed left out"),
    ],
)
def test_what_shows_nothing_is_left_out_and_counted(tmp_path, odd, words):
    odd = {"segmentation": [SQUARE], **odd}
    coco = read(tmp_path, others=[SOUND], **odd)
    assert [a["id"] for a in coco.objects(1)] == [1]
    assert words in coco.describe_repairs()
    with pytest.raises(InputError, match=r"no annotation of .*coco\.json can be used: 1 "):
        read(tmp_path, **odd)


@pytest.mark.parametrize(
    ("segmentation", "words"),
    [
        ([[1.0] * 7], "pairs of numbers, got 7"),
        (3, "polygons or a run-length code, got 3"),
        ("text", "polygons or a run-length code"),
        ([["1", "2", "3", "4", "5", "6"]], "list of numbers"),
        ([[True, 1, 1, 5, 5, 5]], "list of numbers"),
        ([[None] * 6], "list of numbers"),
        ([3, [SQUARE]], "list of numbers"),
        ([[float("nan"), 5, 5, 5, 9, 9]], "must be in the image"),
        ([[float("inf"), 5, 5, 5, 9, 9]], "must be in the image"),
        ([[2e8, 3e8, 5, 5, 9, 9]], "must be in the image"),
        ([[0, 0, 10, 8] * 60_000], "outline"),
        ({"size": [8, 10]}, "it has no counts"),
        ({"counts": [80]}, "it has no size"),
        ({"size": [10, 8], "counts": [80]}, r"\[10, 8\], that of its image \[8, 10\]"),
        ({"size": [8.0, 10], "counts": [80]}, "must be two numbers"),
        ({"size": [8, 10], "counts": [79]}, "cover 80 pixels"),
        ({"size": [8, 10], "counts": [90, -10]}, "cover 80 pixels"),
        ({"size": [8, 10], "counts": [80.0]}, "text or whole numbers"),
        ({"size": [8, 10], "counts": [1 << 70]}, "text or whole numbers"),
        ({"size": [8, 10], "counts": None}, "text or whole numbers"),
        ({"size": [8, 10], "counts": ""}, "cut off"),
        ({"size": [8, 10], "counts": compressed()["counts"][:-1]}, "cut off|cover"),
        ({"size": [8, 10], "counts": compressed()["counts"] + "P"}, "cut off"),
        ({"size": [8, 10], "counts": "\u20ac"}, "ascii"),
        ({"size": [8, 10], "counts": "~~~"}, "characters"),
        ({"size": [8, 10], "counts": "o" * 9 + "0"}, "32 bits"),
    ],
)
def test_segmentations_without_meaning_are_named(tmp_path, segmentation, words):
    with pytest.raises(InputError, match=rf"annotation 7 of .*coco\.json: .*{words}"):
        read(tmp_path, segmentation)


@pytest.mark.parametrize("value", ["3", " 3 ", 3.0])
def test_ids_as_text_are_numbers(tmp_path, value):
    coco = read(tmp_path, [SQUARE], category_id=value, image_id="1", iscrowd="0")
    (annotation,) = coco.objects(1)
    assert (annotation["category_id"], annotation["image_id"], annotation["iscrowd"]) == (3, 1, 0)
    assert coco.describe_repairs() == "3 numbers written as text or with a point"


@pytest.mark.parametrize("value", ["car", True, None, [3], 3.5, float("nan"), "1e999", 1 << 70])
def test_ids_that_are_none_are_named(tmp_path, value):
    with pytest.raises(InputError, match=r"annotation 7 of .*: expected a"):
        read(tmp_path, [SQUARE], category_id=value)


@pytest.mark.parametrize(
    ("part", "entry", "words"),
    [
        ("categories", {"id": 3, "name": "bus"}, "category 3 of .*'car' and 'bus'"),
        ("categories", {"id": "3", "name": "bus"}, "category 3 of .*'car' and 'bus'"),
        ("categories", {"id": 4, "name": None}, "category 4 of .*its name must be text"),
        ("categories", {"id": 4}, "category 4 of .*it has no name"),
        ("images", {"id": 1, "file_name": "b.png"}, "image 1 of .*two images of this id"),
        ("images", {"id": 2}, "image 2 of .*it has no file_name"),
        ("images", {"file_name": "b.png"}, "image at position 1 of .*it has no id"),
        ("images", {"id": 2, "file_name": 3}, "image 2 of .*file_name must be a path"),
        ("images", {"id": 2, "file_name": "a\0b"}, "image 2 of .*file_name must be a path"),
        ("images", {"id": 2, "file_name": "b", "height": 0}, "image 2 of .*pixels"),
        ("images", {"id": 2, "file_name": "b", "height": -8, "width": -8}, "image 2 of .*above 0"),
        ("images", {"id": 2, "file_name": "b", "height": 9e9, "width": 9}, "image 2 of .*pixels"),
        ("annotations", {"id": 8, "image_id": 1}, "annotation 8 of .*it has no category_id"),
        ("annotations", {**SOUND, "iscrowd": 2}, "annotation 1 of .*iscrowd must be 0 or 1"),
        ("annotations", {**SOUND, "iscrowd": "yes"}, "annotation 1 of .*whole number"),
        ("annotations", 3, "is not a COCO annotation file"),
    ],
)
def test_entries_without_meaning_are_named(tmp_path, part, entry, words):
    with pytest.raises(InputError, match=words):
        read(tmp_path, [SQUARE], extra={part: [entry]})


@pytest.mark.parametrize("crowd", [True, False, 0, 1.0, "0", None])
def test_crowd_as_tools_write_it(tmp_path, crowd):
    coco = read(tmp_path, [SQUARE], iscrowd=crowd)
    (annotation,) = coco.objects(1)
    assert annotation["iscrowd"] == (crowd in (True, 1))


def test_paths_of_windows(tmp_path):
    image = {"id": 9, "file_name": "train\\left\\b.png", "height": 8, "width": 10}
    coco = read(tmp_path, [SQUARE], extra={"images": [image]})
    assert coco.images[9]["file_name"] == "train/left/b.png"
    assert coco.describe_repairs() == "1 paths with backslashes"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_other_ends_of_lines_and_byte_order_marks(tmp_path, encoding):
    read(tmp_path, [SQUARE])
    text = json.dumps(json.loads((tmp_path / "coco.json").read_text()), indent=1)
    (tmp_path / "coco.json").write_bytes(text.replace("\n", "\r\n").encode(encoding))
    assert list(CocoAnnotations(tmp_path / "coco.json").images) == [1]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"images": None}, "expected a list of images, each with its fields, got None"),
        ({"annotations": {}}, "expected a list of annotations, each with its fields, got {}"),
        ({"categories": [None]}, r"expected a list of categories, .*, got \[None\]"),
    ],
)
def test_parts_that_are_no_lists_are_named(tmp_path, change, words):
    read(tmp_path, [SQUARE])
    path = tmp_path / "coco.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(InputError, match=words):
        CocoAnnotations(path)


@pytest.mark.parametrize("data", [b"\x1f\x8b\x08\0", b"[1]", b'{"a": 1}', b"caf\xe9"])
def test_what_is_no_file_of_coco_is_short(tmp_path, data):
    (tmp_path / "coco.json").write_bytes(data * 1000 if data[0] in b"\x1fc" else data)
    with pytest.raises(InputError) as caught:
        CocoAnnotations(tmp_path / "coco.json")
    assert len(str(caught.value)) < 200 + len(str(tmp_path))


def test_polygons_in_shares_of_the_image_are_refused(tmp_path):
    with pytest.raises(InputError, match="must be in pixels, got none beyond 1"):
        read(tmp_path, [[0.1, 0.1, 0.6, 0.1, 0.6, 1.0]])


def test_equal_entries_twice_are_one(tmp_path):
    image = {"id": 1, "file_name": "a.png", "height": 8, "width": 10}
    extra = {"categories": [{"id": 3, "name": "car"}, {"id": 9, "name": "car"}], "images": [image]}
    coco = read(tmp_path, [SQUARE], extra=extra)
    assert coco.categories == {3: "car", 9: "car"}
    assert list(coco.images) == [1]


def test_crowd_without_a_mask_is_its_box(tmp_path):
    coco = read(tmp_path, [], iscrowd=1, bbox=[2, 1, 4, 4])
    np.testing.assert_array_equal(coco.mask(coco.objects(1)[0]), MASK)


def test_size_that_the_file_does_not_tell(tmp_path):
    extra = {
        "images": [{"id": 2, "file_name": "b.png"}, {"id": 3, "file_name": "c", "width": None}]
    }
    coco = read(tmp_path, [SQUARE], extra=extra)
    assert coco.size(1) == (8, 10)
    for number in (2, 3):
        with pytest.raises(InputError, match=f"image {number} of .*no height and width"):
            coco.size(number)


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", "3", "null", "{", "[" * 100_000, "\0", '{"images": []}',
     '{"images": {}, "annotations": [], "categories": []}',
     '{"images": [3], "annotations": [], "categories": []}',],
)  # fmt: skip
def test_other_files_are_refused(tmp_path, text):
    path = tmp_path / "coco.json"
    path.write_text(text)
    with pytest.raises(InputError, match=r"coco\.json is not a COCO annotation file") as caught:
        CocoAnnotations(path)
    assert len(str(caught.value)) < 500
    with pytest.raises(InputError, match="cannot read the annotations"):
        CocoAnnotations(tmp_path)


def test_code_is_unpacked_as_the_library_does():
    rng = np.random.default_rng(0)
    for _ in range(50):
        mask = np.asfortranarray(rng.random(rng.integers(1, 60, 2)) < rng.random(), np.uint8)
        code = rle.encode(mask)
        runs = decompressed(code["counts"].decode())
        again = rle.frPyObjects({"size": code["size"], "counts": runs.tolist()}, *code["size"])
        assert again["counts"] == code["counts"]


@pytest.mark.parametrize("seed", range(50))
def test_objects_are_painted_as_pycocotools_paints_them(seed):
    """Polygons anywhere, also across the edges of the image and beyond."""
    rng = np.random.default_rng(seed)
    shape = [
        (rng.uniform(-10, 40, 2) + rng.uniform(-12, 12, (rng.integers(3, 9), 2))).ravel().tolist()
        for _ in range(rng.integers(1, 4))
    ]
    code = encode_polygons(shape, (24, 32))
    for given in (shape, code):
        labels = np.full((24, 32), 7, np.int32)
        paint(labels, given, 9)
        np.testing.assert_array_equal(labels == 9, decode_mask(code))
        assert set(np.unique(labels)) <= {7, 9}


def test_a_mask_of_another_size_is_not_painted():
    with pytest.raises(InputError, match=r"shape \(24, 31\), got \(24, 32\)"):
        paint(np.zeros((24, 31), np.int32), encode_polygons([SQUARE], (24, 32)), 1)
