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

"""The public formats, read from tiny sets whose every pixel is known."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from ssap_ros.data.cityscapes import CLASSES, THING_IDS, CityscapesSet
from ssap_ros.data.coco_panoptic import CocoPanopticSet
from ssap_ros.data.scene_set import SceneSet
from ssap_ros.data.segments import OTHER_CLASS, Segments
from ssap_ros.errors import InputError
from support.tiny_sets import (
    CAR,
    CARAVANS,
    CARS,
    PERSON,
    PERSONS,
    ROAD,
    SIZE,
    UNLABELLED,
    PanopticFile,
    objects,
    write_cityscapes,
    write_image,
)


def columns(values: list[int]) -> np.ndarray:
    """A map of equally wide columns of these values."""
    return np.repeat(values, SIZE[1] // len(values))[None].repeat(SIZE[0], axis=0)


def by_column(segments: Segments, count: int) -> list[tuple[int, bool] | None]:
    """Class and crowd flag of the segment in each column, None for void."""
    width = SIZE[1] // count
    ids = segments.ids[0, width // 2 :: width].tolist()
    return [
        None if k == 0 else (int(segments.class_ids[k - 1]), bool(segments.crowd[k - 1]))
        for k in ids
    ]


def test_cityscapes_has_its_19_classes_of_which_8_are_things() -> None:
    assert len(CLASSES) == 19
    things = [CLASSES[i] for i in THING_IDS]
    assert things == ["person", "rider", "car", "truck", "bus", "train", "motorcycle", "bicycle"]


def test_cityscapes_segments(tmp_path: Path) -> None:
    values = [
        ROAD, PERSONS * 1000, PERSONS * 1000 + 1, PERSONS,
        UNLABELLED, CARAVANS, CARAVANS * 1000, CARS * 1000 + 7,
    ]  # fmt: skip
    write_cityscapes(tmp_path, "000001", objects([]), [], columns(values).astype(np.uint16))
    images = CityscapesSet(tmp_path)
    image, truth = images.read(0)
    assert (image.shape, len(images), images.distances) == ((*SIZE, 3), 1, False)
    assert images.name(0) == "town_000001_000019"
    road, person, car = (CLASSES.index(name) for name in ("road", "person", "car"))
    assert by_column(truth, 8) == [
        (road, False), (person, False), (person, False), (person, True),
        None, None, (OTHER_CLASS, False), (car, False),
    ]  # fmt: skip
    assert np.isnan(truth.distances).all()
    assert len(np.unique(truth.ids)) == 7  # six segments and void


def test_cityscapes_distance_is_the_median_depth_of_what_is_known(tmp_path: Path) -> None:
    instances = objects([(0, 0, 64, 192), (64, 0, 64, 192)])
    metres = np.full(SIZE, 200.0)
    metres[:, :40], metres[:, 40:64] = 20.0, 90.0  # most of the first: 20 m
    metres[:, 64:100] = np.nan  # more than half of the second: unknown
    write_cityscapes(tmp_path, "000001", instances, [PERSON, CAR], metres=metres)
    images = CityscapesSet(tmp_path)
    truth = images.read(0).truth
    assert images.distances
    distance = dict(zip(truth.class_ids.tolist(), truth.distances.tolist(), strict=True))
    assert distance[CLASSES.index("person")] == pytest.approx(20, rel=0.01)
    assert np.isnan(distance[CLASSES.index("car")])
    assert distance[CLASSES.index("road")] == pytest.approx(200, rel=0.05)


def test_what_is_missing_from_cityscapes_is_named(tmp_path: Path) -> None:
    def error() -> str:
        with pytest.raises(InputError) as caught:
            CityscapesSet(tmp_path).read(0)
        return str(caught.value)

    assert "leftImg8bit/val/CITY/*_leftImg8bit.png" in error()
    write_cityscapes(tmp_path, "000001", objects([]), [])
    truth = tmp_path / "gtFine/val/town/town_000001_000019_gtFine_instanceIds.png"
    truth.rename(tmp_path / "kept.png")
    assert str(truth) in error()
    assert "gtFine_trainvaltest.zip" in error()
    write_image(truth, np.zeros((4, 4), np.uint16))
    assert "must be of the size of its image" in error()
    truth.write_text("no picture")
    assert "cannot read the map" in error()
    (tmp_path / "kept.png").rename(truth)
    for kind in ("disparity", "camera"):
        (tmp_path / kind / "val").mkdir(parents=True)
    assert "disparity_trainvaltest.zip" in error()
    write_cityscapes(tmp_path, "000001", objects([]), [], metres=np.ones(SIZE))
    (tmp_path / "camera/val/town/town_000001_000019_camera.json").write_text("{}")
    assert "is not a Cityscapes camera" in error()


def test_coco_panoptic_segments(tmp_path: Path) -> None:
    file = PanopticFile(tmp_path)
    ids = columns([9, 300, 70000, 0, 5, 6, 7, 7])
    segments = [
        {"id": 9, "category_id": 1, "iscrowd": 0},
        {"id": 300, "category_id": 1, "iscrowd": 1},
        {"id": 70000, "category_id": 3},
        {"id": 5, "category_id": 100},
        {"id": 6, "category_id": 184},
        {"id": 7, "category_id": 100},
    ]
    file.add(objects([]), [], ids, segments)
    images = CocoPanopticSet(file.annotations, file.images)
    assert (images.classes, images.thing_ids) == (("person", "car", "road", "tree"), (0, 1))
    truth = images.read(0).truth
    road = (2, False)
    assert by_column(truth, 8) == [
        (0, False), (0, True), (1, False), None, road, (3, False), road, road
    ]  # fmt: skip
    assert len(truth.class_ids) == 5  # both roads are one segment

    own = CocoPanopticSet(file.annotations, file.images, ["background", "car"])
    assert by_column(own.read(0).truth, 8)[:5] == [(0, False)] * 2 + [(1, False), None, (0, False)]
    other = CocoPanopticSet(file.annotations, file.images, ["car"])
    assert by_column(other.read(0).truth, 8)[0] == (OTHER_CLASS, False)


@pytest.mark.parametrize(
    ("part", "change"),
    [
        ("segment", {"iscrowd": False}),
        ("segment", {"iscrowd": None}),
        ("segment", {"id": "1", "category_id": 1.0}),
        ("annotation", {"image_id": "1", "file_name": ".\\1.png"}),
        ("image", {"id": 1.0, "file_name": ".\\1.png"}),
    ],
)
def test_coco_panoptic_as_tools_write_it(tmp_path: Path, part: str, change: dict) -> None:
    file = PanopticFile(tmp_path)
    file.add(objects([]), [], columns([1]), [{"id": 1, "category_id": 1}])
    expected = CocoPanopticSet(file.annotations, file.images).read(0).truth
    data = json.loads(file.annotations.read_text())
    annotation = data["annotations"][0]
    entry = {"annotation": annotation, "image": data["images"][0]}.get(part)
    (entry or annotation["segments_info"][0]).update(change)
    file.annotations.write_bytes(
        json.dumps(data, indent=1).replace("\n", "\r\n").encode("utf-8-sig")
    )
    found = CocoPanopticSet(file.annotations, file.images).read(0).truth
    assert np.array_equal(found.ids, expected.ids)
    assert (found.class_ids.tolist(), found.crowd.tolist()) == (
        expected.class_ids.tolist(),
        [False],
    )


@pytest.mark.parametrize(
    ("part", "value", "words"),
    [
        ("images", None, "expected a list of images, each with its fields, got None"),
        ("annotations", {}, "expected a list of annotations"),
        ("annotations", [{"image_id": 1, "file_name": "a.png"}], "it has no list of segments_info"),
        ("annotations", [{"image_id": 1, "segments_info": []}], "it has no file_name"),
        ("categories", [{"id": 1, "name": None, "isthing": 1}], "must be text, got None"),
        ("images", [{"id": 1, "file_name": "\0"}], "file_name must be a path"),
    ],
)
def test_parts_of_coco_panoptic_without_meaning(
    tmp_path: Path, part: str, value: object, words: str
) -> None:
    file = PanopticFile(tmp_path)
    file.add(objects([]), [], columns([1]), [{"id": 1, "category_id": 1}])
    file.annotations.write_text(
        json.dumps(json.loads(file.annotations.read_text()) | {part: value})
    )
    with pytest.raises(InputError, match=words):
        CocoPanopticSet(file.annotations, file.images)


def test_what_is_wrong_with_coco_panoptic_is_named(tmp_path: Path) -> None:
    file = PanopticFile(tmp_path)

    def error(classes: list[str] | None = None) -> str:
        with pytest.raises(InputError) as caught:
            CocoPanopticSet(file.annotations, file.images, classes).read(0)
        return str(caught.value)

    assert "found none at" in error()
    file.add(objects([]), [], columns([1, 2]), [{"id": 1, "category_id": 1}])
    assert "has a segment 2 that the annotations do not list" in error()
    assert "has no category of ['tram']" in error(["tram"])
    sound = file.annotations.read_text()
    for change, words in (
        ({"id": 0}, "its segment ids are not unique"),
        ({"category_id": 77}, "there is no category 77"),
        ({"id": "one"}, "is not a COCO panoptic annotation file"),
        ({"iscrowd": []}, "has a segment 2 that"),
    ):
        data = json.loads(sound)
        data["annotations"][0]["segments_info"][0] |= change
        file.annotations.write_text(json.dumps(data))
        assert words in error()
    for change, words in (
        ({"image_id": 77}, "has segments of image 77, which it lacks"),
        ({"file_name": "../none.png"}, "cannot read the image"),
        ({"segments_info": None}, "is not a COCO panoptic annotation file"),
    ):
        data = json.loads(sound)
        data["annotations"][0] |= change
        file.annotations.write_text(json.dumps(data))
        assert words in error()
    file.annotations.write_text(sound)
    (tmp_path / "panoptic" / "1.png").unlink()
    assert "cannot read the image" in error()
    file.annotations.write_text(json.dumps({"images": []}))
    assert "is not a COCO panoptic annotation file" in error()
    (tmp_path / "panoptic").rmdir()
    assert f"in a folder {tmp_path / 'panoptic'}, found none" in error()


def test_scenes_are_exact_and_complete() -> None:
    scenes = SceneSet(7, 2, (120, 160))
    image, truth = scenes.read(1)
    assert (len(scenes), scenes.name(1), image.shape) == (2, "scene8", (120, 160, 3))
    assert (truth.ids > 0).all()
    assert truth.class_ids[-1] == 0
