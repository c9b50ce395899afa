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

"""Pictures to train on, with labels from files and teachers."""

import json

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch")
torch.set_num_threads(1)  # several would wait for each other on a busy machine

from ssap_ros.errors import InputError  # noqa: E402
from ssap_ros.training.datasets import Batch, TrainingSet  # noqa: E402
from ssap_ros.training.samples import (  # noqa: E402
    UNLABELLED,
    VOID,
    soft_label,
)
from ssap_ros.training.sources import (  # noqa: E402
    CocoSource,
    SceneSource,
    Teacher,
)
from ssap_ros.training.teacher import (  # noqa: E402
    NOT_KNOWN,
    read_boxes,
    read_soft_labels,
)

CLASSES = ("background", "person", "bicycle", "car", "motorcycle", "bus", "train", "truck")


def test_coco_source_reads_polygons_crowds_and_incomplete_pictures(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), np.full((40, 60, 3), 90, np.uint8))
    square = [[10, 10, 20, 10, 20, 20, 10, 20]]
    data = {
        "categories": [{"id": 3, "name": "car"}, {"id": 9, "name": "boat"}],
        "images": [
            {"id": 1, "file_name": "a.png", "height": 40, "width": 60},
            {"id": 2, "file_name": "a.png", "height": 40, "width": 60, "complete": False,
             "labelled": [3, 9]},
        ],
        "annotations": [
            {"id": i, "image_id": i, "category_id": 3, "iscrowd": 0, "segmentation": square,
             "bbox": [10, 10, 10, 10]}
            for i in (1, 2)
        ]
        + [
            {"id": 3, "image_id": 1, "category_id": 3, "iscrowd": 1, "segmentation": {},
             "bbox": [30, 0, 5, 40]},
            {"id": 4, "image_id": 1, "category_id": 9, "iscrowd": 0, "segmentation": square,
             "bbox": [0, 0, 5, 5]},
        ],
    }  # fmt: skip
    (tmp_path / "a.json").write_text(json.dumps(data))
    source = CocoSource(tmp_path / "a.json", tmp_path, CLASSES, {"person": {2}})
    rng = np.random.default_rng(0)
    complete, partial = source.sample(0, rng), source.sample(1, rng)
    assert complete.class_ids.tolist() == [0, CLASSES.index("car")]
    assert (complete.instances == 1).sum() == 100
    assert (complete.instances[:, 30:35] == VOID).all()
    assert complete.instances[0, 0] == 0
    assert partial.instances[0, 0] == UNLABELLED
    assert [c.mask.shape for c in source.cutouts(min_area=50)] == [(10, 10)] * 2
    assert source.incomplete() == [(2, tmp_path / "a.png")]
    assert complete.annotated is None
    assert partial.annotated == {CLASSES.index("car"), CLASSES.index("person")}


def test_the_teacher_labels_what_is_not_annotated(tmp_path):
    labels = np.full((4, 6), 5 << 8 | 31, np.uint16)  # at half size: a bus
    labels[0] = 1 << 8 | 20  # a person, though all persons are annotated
    labels[1] = 1 << 8 | 1  # hardly one
    labels[2, :3] = NOT_KNOWN
    cv2.imwrite(str(tmp_path / "l.png"), labels)
    teacher = Teacher({7: tmp_path / "l.png"}, {})
    found = teacher.labels(7, (8, 12), frozenset({1}))
    bus, none = (int(soft_label(np.array(c), np.array(v))) for c, v in ((5, 31), (1, 0)))
    assert np.unique(found[6:]).tolist() == [bus]
    assert (found[:2] == UNLABELLED).all()
    assert (found[2:4] == none).all()
    assert (found[4:6, :6] == UNLABELLED).all()
    assert (found[4:6, 6:] == bus).all()


def test_a_box_that_the_semantics_do_not_show_is_not_known(tmp_path):
    labels = np.full((20, 30), 1 << 8, np.uint16)
    labels[10:, 15:] = 3 << 8 | 31  # a car
    cv2.imwrite(str(tmp_path / "l.png"), labels)
    boxes = [
        {"image_id": 7, "category_id": 8, "bbox": [4, 4, 10, 8], "score": 0.5},  # a truck
        {"image_id": 7, "category_id": 3, "bbox": [30, 20, 30, 20], "score": 0.9},  # the car
        {"image_id": 7, "category_id": 1, "bbox": [40, 2, 6, 6], "score": 0.1},  # hardly a person
        {"image_id": 7, "category_id": 99, "bbox": [0, 0, 60, 40], "score": 0.9},
    ]
    (tmp_path / "boxes.json").write_text(json.dumps(boxes))
    found = read_boxes(tmp_path / "boxes.json", {1: 1, 3: 3, 8: 7}, 0.3)[7]
    soft = read_soft_labels(tmp_path / "l.png", (40, 60), found)
    assert (soft[4:12, 4:14] == NOT_KNOWN).all()
    assert (soft == NOT_KNOWN).sum() <= 12 * 14
    (tmp_path / "boxes.json").write_text('{"image_id": 7}')
    with pytest.raises(InputError, match="is not a list of COCO results"):
        read_boxes(tmp_path / "boxes.json", {1: 1}, 0.3)


def test_what_is_wrong_with_coco_instances_is_named(tmp_path):
    path = tmp_path / "a.json"
    with pytest.raises(InputError, match="cannot read the annotations"):
        CocoSource(path, tmp_path, CLASSES)
    path.write_text("{}")
    with pytest.raises(InputError, match=r"found none at .*images"):
        CocoSource(path, tmp_path / "images", CLASSES)
    with pytest.raises(InputError, match="is not a COCO annotation file: it has no list"):
        CocoSource(path, tmp_path, CLASSES)
    path.write_text('{"categories": [{"id": 9, "name": "boat"}], "images": [], "annotations": []}')
    with pytest.raises(InputError, match="has no object of the classes"):
        CocoSource(path, tmp_path, CLASSES)


def test_an_item_depends_on_seed_and_index_alone():
    def build(seed):
        return TrainingSet(
            [(SceneSource((128, 160)), 1.0)],
            [],
            {},
            0.0,
            0.0,
            (128, 96),
            0,
            (0.8, 1.5),
            len(CLASSES),
            seed,
            length=8,
        )

    first, again, other = build(0)[5], build(0)[5], build(1)[5]
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first.image, other.image)
    assert isinstance(first, Batch)
    assert first.image.shape == (3, 128, 96)
    assert ((first.classes > 0) & (first.classes < 8)).equal(first.ids > 0)
    assert first.possible.all()
