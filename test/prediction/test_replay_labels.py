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

"""ssap replay --export-labels: the masks of a bag's replay as a data set to train on."""

import json

import numpy as np
import pytest
from pycocotools.coco import COCO

pytest.importorskip("rclpy", reason="ROS 2 is not installed")
pytest.importorskip("torch")

from ssap_ros.cli.command_line import main
from ssap_ros.data.image_files import read_image
from ssap_ros.training.sources import CocoSource
from support.bag_files import CAR, PERSON, painted_frame, write_painted_bag
from support.toy_model import CLASSES

pytestmark = pytest.mark.timeout(300)  # a busy machine takes its time to start nodes


def test_labels_of_a_bag(tmp_path, toy_model_path):
    bag = write_painted_bag(tmp_path / "drive.mcap", 5)
    out, labels = tmp_path / "out", tmp_path / "labels"
    arguments = ["replay", bag, "--out", out, "--policy", "every", "--model", toy_model_path]
    arguments += ["--export-labels", labels, "--every", "2"]
    assert main([str(argument) for argument in arguments]) == 0
    assert json.loads((out / "summary.json").read_text())["frames_out"] == 5
    names = sorted(file.name for file in (labels / "images").glob("*.png"))
    assert names == [f"drive_{k:06}.png" for k in (0, 2, 4)]
    coco = COCO(labels / "annotations.json")
    source = CocoSource(labels / "annotations.json", labels / "images", CLASSES)
    for index, number in enumerate((0, 2, 4)):
        image, truth, _ = painted_frame(number)
        np.testing.assert_array_equal(read_image(labels / "images" / names[index]), image)
        entries = coco.imgToAnns[index + 1]
        assert {entry["category_id"] for entry in entries} == {PERSON, CAR}
        sample = source.sample(index, np.random.default_rng(0))
        for entry in entries:
            mask = coco.annToMask(entry).astype(bool)
            true = truth == (1 if entry["category_id"] == PERSON else 2)
            assert (mask & true).sum() / (mask | true).sum() > 0.8
            (label,) = np.unique(sample.instances[mask])
            assert sample.class_ids[label] == entry["category_id"]


def test_the_folder_of_the_replay_is_refused(tmp_path, toy_model_path, capsys):
    bag = write_painted_bag(tmp_path / "drive.mcap", 1)
    out = tmp_path / "out"
    arguments = ["replay", bag, "--out", out, "--export-labels", out, "--model", toy_model_path]
    assert main([str(argument) for argument in arguments]) == 2
    assert "write the labels to another one" in capsys.readouterr().err
    assert not out.exists()
