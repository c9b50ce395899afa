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

"""Bags made of what lies around: pictures, videos, annotated sets, procedural scenes."""

import json

import cv2
import numpy as np
import pytest
from pycocotools import mask as rle
from scipy.spatial.transform import Rotation

from ssap_ros.cli.command_line import main
from ssap_ros.data.scenes.street import CLASSES, street_video
from ssap_ros.data.segments import OTHER_CLASS, Segments
from ssap_ros.errors import InputError
from ssap_ros.replay.bag_sources import BagSource, open_bag_source, truth_of
from ssap_ros.replay.bags import messages
from ssap_ros.replay.bags.ground_truth import NOT_ANNOTATED, GroundTruth
from ssap_ros.replay.bags.messages import read_labels
from ssap_ros.replay.bags.reader import BagReader
from ssap_ros.replay.make_bag import IMAGE_TOPIC, TRUTH, make_bag

CLASS_NAMES = dict(enumerate(CLASSES))


def read(path, topic):
    with BagReader(path) as reader:
        return [reader.decode(message) for message in reader.messages([topic])]


def test_scenes(tmp_path):
    out = tmp_path / "scenes.mcap"
    source = open_bag_source("scenes:7", 3, size=(96, 128))
    assert make_bag(source, out, coco=tmp_path / "coco") == 3
    scenes = list(street_video(7, 3, (96, 128)))
    with GroundTruth(out, f"{TRUTH}/instances", None, CLASS_NAMES) as truth:
        for msg, scene in zip(read(out, IMAGE_TOPIC), scenes, strict=True):
            np.testing.assert_array_equal(np.asarray(msg.data).reshape(96, 128, 3), scene.image)
            found = truth.at(messages.stamp_of(msg)).segments
            classes = np.append(0, scene.class_ids)[scene.instances]
            np.testing.assert_array_equal(found.class_map(0), classes)
            visible = np.unique(scene.instances[scene.instances > 0])
            assert len(found.class_ids) == len(visible)
    tracks = [[d.id for d in msg.detections] for msg in read(out, f"{TRUTH}/detections")]
    assert set(tracks[0]) & set(tracks[2])
    assert len(set(tracks[0])) == len(tracks[0])

    dataset = json.loads((tmp_path / "coco" / "annotations.json").read_text())
    assert [c["name"] for c in dataset["categories"]] == list(CLASSES[1:])
    for entry, scene in zip(dataset["images"], scenes, strict=True):
        image = cv2.imread(str(tmp_path / "coco" / "images" / entry["file_name"]))
        np.testing.assert_array_equal(image[..., ::-1], scene.image)
        covered = np.zeros((96, 128), bool)
        for annotation in dataset["annotations"]:
            if annotation["image_id"] == entry["id"]:
                covered |= rle.decode(annotation["segmentation"]).astype(bool)
        np.testing.assert_array_equal(covered, scene.instances > 0)


def test_clips_of_scenes_follow_each_other(monkeypatch):
    monkeypatch.setattr("ssap_ros.replay.bag_sources._CLIP_FRAMES", 2)
    frames = list(open_bag_source("scenes:7", 5, size=(48, 64)).frames)
    assert np.ptp(np.diff([frame.time for frame in frames])) <= 1
    second = next(iter(street_video(8, 1, (48, 64))))
    np.testing.assert_array_equal(frames[2].image, second.image)
    ids = [{entry.track for entry in frame.entries} for frame in frames]
    assert not ids[1] & ids[2]


@pytest.mark.parametrize("encoding", ["jpeg", "png"])
def test_image_folder(tmp_path, encoding):
    folder = tmp_path / "images"
    folder.mkdir()
    pictures = [cv2.GaussianBlur(np.random.default_rng(i).integers(
        0, 255, (40, 56, 3), np.uint8), (0, 0), 6) for i in range(3)]  # fmt: skip
    for i, picture in enumerate(pictures):
        cv2.imwrite(str(folder / f"{i}.png"), picture)
    out = tmp_path / "new" / "bag.mcap"
    assert main(["make-bag", str(folder), str(out), "--encoding", encoding, "--frames", "2"]) == 0
    found = read(out, f"{IMAGE_TOPIC}/compressed")
    assert [msg.format for msg in found] == [encoding] * 2
    for msg, picture in zip(found, pictures, strict=False):
        decoded = cv2.imdecode(np.asarray(msg.data), cv2.IMREAD_COLOR)
        np.testing.assert_allclose(
            decoded.astype(int), picture, atol=0 if encoding == "png" else 12
        )
    with BagReader(out) as reader:
        assert list(reader.topics) == [f"{IMAGE_TOPIC}/compressed"]


def test_coco(tmp_path):
    """A crowd, two overlapping polygons, and an image without annotations."""
    folder = tmp_path / "images"
    folder.mkdir()
    for name in ("a.png", "b.png"):
        cv2.imwrite(str(folder / name), np.full((40, 60, 3), 90, np.uint8))
    crowd = rle.encode(np.asfortranarray(np.eye(40, 60, dtype=np.uint8)))
    large = [[2.0, 2.0, 50.0, 2.0, 50.0, 38.0, 2.0, 38.0]]
    small = [[10.0, 10.0, 20.0, 10.0, 20.0, 20.0, 10.0, 20.0]]
    annotations = [
        {"id": 5, "image_id": 1, "category_id": 3, "segmentation": small, "iscrowd": 0},
        {"id": 6, "image_id": 1, "category_id": 1, "segmentation": large, "iscrowd": 0},
        {"id": 7, "image_id": 1, "category_id": 1, "iscrowd": 1,
         "segmentation": {"size": [40, 60], "counts": crowd["counts"].decode()}},
    ]  # fmt: skip
    images = [
        {"id": i, "file_name": n, "height": 40, "width": 60}
        for i, n in ((1, "a.png"), (2, "b.png"))
    ]
    categories = [{"id": 1, "name": "person"}, {"id": 3, "name": "car"}]
    file = tmp_path / "annotations.json"
    file.write_text(
        json.dumps({"images": images, "annotations": annotations, "categories": categories})
    )
    out = tmp_path / "coco.mcap"
    assert main(["make-bag", str(folder), str(out), "--annotations", str(file)]) == 0
    stamps = [messages.stamp_of(msg) for msg in read(out, IMAGE_TOPIC)]
    with GroundTruth(out, f"{TRUTH}/instances", None, {1: "car", 2: "person"}) as truth:
        found = truth.at(stamps[0]).segments
        assert len(truth.at(stamps[1]).segments.class_ids) == 0
    assert found.class_ids.tolist() == [1, 2, 2]
    assert found.crowd.tolist() == [False, False, True]
    assert found.ids[15, 15] == 1  # the smaller one is in front
    assert found.ids[30, 40] == 2
    assert found.ids[0, 0] == 3  # the crowd is behind all
    file.write_text("[]")
    assert main(["make-bag", str(folder), str(out), "--annotations", str(file)]) == 2


def test_cityscapes(tmp_path):
    """Groups are crowds, stuff is background, what the evaluation ignores is void."""
    raw = np.zeros((32, 64), np.uint16)
    raw[:, 8:20] = 7  # road
    raw[:, 20:30] = 26_001  # a car
    raw[:, 30:40] = 24  # a group of persons
    raw[:, 40:50] = 29_000  # a caravan
    for kind, name, pixels in (
        ("leftImg8bit", "leftImg8bit", np.full((32, 64, 3), 70, np.uint8)),
        ("gtFine", "gtFine_instanceIds", raw),
    ):
        folder = tmp_path / "city" / kind / "val" / "ulm"
        folder.mkdir(parents=True)
        cv2.imwrite(str(folder / f"ulm_0_0_{name}.png"), pixels)
    out = tmp_path / "city.mcap"
    assert main(["make-bag", str(tmp_path / "city"), str(out)]) == 0
    (image,) = read(out, IMAGE_TOPIC)
    with GroundTruth(out, f"{TRUTH}/instances", None, CLASS_NAMES) as truth:
        found = truth.at(messages.stamp_of(image))
    by_pixel = found.segments.class_map(0)[0]
    assert by_pixel[[10, 25, 35]].tolist() == [0, CLASSES.index("car"), CLASSES.index("person")]
    assert found.segments.crowd[found.segments.ids[0, 35] - 1]
    np.testing.assert_array_equal(found.void[0, [0, 10, 25, 45]], [True, False, False, True])


def test_video_has_no_truth(tmp_path):
    writer = cv2.VideoWriter(
        str(tmp_path / "v.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 12.0, (64, 48)
    )
    if not writer.isOpened():
        pytest.skip("this OpenCV writes no MJPG")
    for _ in range(4):
        writer.write(np.zeros((48, 64, 3), np.uint8))
    writer.release()
    out = tmp_path / "v.mcap"
    assert main(["make-bag", str(tmp_path / "v.avi"), str(out)]) == 0
    stamps = [messages.stamp_of(msg) for msg in read(out, IMAGE_TOPIC)]
    np.testing.assert_allclose(np.diff(stamps), 1e9 / 12, atol=1)


def test_truth_of_segments():
    ids = np.array([[1, 1, 2], [3, 0, 4]])
    segments = Segments(
        ids, np.array([5, OTHER_CLASS, 6, 7]), crowd=np.array([False, False, True, False])
    )
    labels, entries = truth_of(segments, np.array([[0, 0, 0], [0, 1, 1]], bool))
    np.testing.assert_array_equal(
        labels, [[1, 1, NOT_ANNOTATED], [2, NOT_ANNOTATED, NOT_ANNOTATED]]
    )
    assert [(e.class_id, e.score, e.bbox) for e in entries[:2]] == [
        ("5", 1.0, (0, 0, 2, 1)),
        ("6", 0.0, (0, 1, 1, 1)),
    ]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["scenes:x", "a.mcap"], "whole number"),
        (["scenes", "a.bag"], "OUT.mcap"),
        (["nowhere", "a.mcap"], "no such file"),
        (["nowhere", "a.mcap", "--annotations", "none.json"], "cannot read the annotations"),
        (["scenes", "a.mcap", "--size", "0x5"], "at least 32x32"),
    ],
)
def test_bad_input(arguments, words, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    try:
        code = main(["make-bag", *arguments])
    except SystemExit as exit_:
        code = exit_.code
    assert code == 2
    assert words in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_no_truth_to_export(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((8, 8, 3), np.uint8))
    arguments = ["make-bag", str(tmp_path), str(tmp_path / "a.mcap"), "--coco", str(tmp_path / "c")]
    assert main(arguments) == 2
    with pytest.raises(InputError, match="no frames"):
        make_bag(BagSource({}, 0, iter(())), tmp_path / "b.mcap")


def test_scenes_with_depth(tmp_path):
    """Depth and true boxes agree: what the masks cut out of the depth lies in the boxes."""
    path = tmp_path / "depth.mcap"
    size = (240, 320)
    make_bag(open_bag_source("scenes:3", 2, size=size, depth=True), path)
    with BagReader(path) as bag:
        first = {topic: bag.decode(next(bag.messages([topic]))) for topic in bag.topics}
    depth, info = first["/camera/depth"], first["/camera/camera_info"]
    labels = read_labels(first["/camera/gt/instances"])
    assert (depth.encoding, depth.height, depth.width) == ("16UC1", *size)
    assert (info.height, info.width) == size
    metres = np.frombuffer(depth.data, np.uint16).reshape(size) / 1000
    tracks = [d.id for d in first["/camera/gt/detections"].detections]
    objects = first["/camera/gt/detections_3d"].detections
    assert len(objects) >= 3
    rows, columns = np.mgrid[: size[0], : size[1]]
    x, y = (columns - info.k[2]) / info.k[0] * metres, (rows - info.k[5]) / info.k[4] * metres
    points = np.stack([x, y, metres], axis=-1)
    for item in objects:
        seen = (labels == tracks.index(item.id) + 1) & (metres > 0)
        assert seen.sum() >= 100
        box, turn = item.bbox, item.bbox.center.orientation
        centre = np.array([getattr(box.center.position, axis) for axis in "xyz"])
        axes = Rotation.from_quat([turn.x, turn.y, turn.z, turn.w]).as_matrix()
        np.testing.assert_allclose(axes[:, 2], (0, -1, 0), atol=1e-9)
        inside = np.abs((points[seen] - centre) @ axes)
        half = np.array([box.size.x, box.size.y, box.size.z]) / 2
        assert (inside <= half + 0.02).all(axis=1).mean() > 0.6, "the silhouettes are drawn"
    with pytest.raises(InputError, match="only procedural scenes have depth"):
        open_bag_source(str(path), depth=True)
