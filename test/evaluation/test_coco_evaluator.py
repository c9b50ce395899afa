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

"""Scores of painted pictures whose average precision is known by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from ssap_ros.config import SsapConfig
from ssap_ros.errors import InputError
from ssap_ros.evaluation.evaluators import ImageSet, open_evaluator
from ssap_ros.evaluation.images import evaluate_images, report
from ssap_ros.evaluation.predict import PredictionSettings, connected_components
from support.toy_model import paint

PERSON, CAR = 1, 3
CATEGORIES = {"truck": 8, "person": 7, "car": 3, "dog": 5}
Box = tuple[int, int, int, int]


class Folder:
    """Pictures of 192 x 256 pixels with rectangles as objects, and their annotation file."""

    def __init__(self, path: Path) -> None:
        self.images = path
        self.annotations = path / "annotations.json"
        self.dataset: dict[str, Any] = {
            "images": [],
            "annotations": [],
            "categories": [{"id": id_, "name": name} for name, id_ in CATEGORIES.items()],
        }

    def add(
        self,
        painted: list[tuple[int, Box]],
        annotated: list[tuple[str, Box]],
        confidence: int = 255,
    ) -> None:
        """A picture of `painted` (class id, box) for which `annotated` is the truth."""
        instances = np.zeros((192, 256), np.int32)
        for number, (_, (x, y, width, height)) in enumerate(painted, start=1):
            instances[y : y + height, x : x + width] = number
        rgb = paint(instances, [class_id for class_id, _ in painted], [confidence] * len(painted))
        image_id = len(self.dataset["images"]) + 1
        name = f"{image_id}.png"
        cv2.imwrite(str(self.images / name), cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))
        self.dataset["images"].append(
            {"id": image_id, "file_name": name, "height": 192, "width": 256}
        )
        for category, (x, y, width, height) in annotated:
            corners = [x, y, x + width, y, x + width, y + height, x, y + height]
            self.dataset["annotations"].append(
                {
                    "id": len(self.dataset["annotations"]) + 1,
                    "image_id": image_id,
                    "category_id": CATEGORIES[category],
                    "bbox": [x, y, width, height],
                    "segmentation": [corners],
                }
            )

    def evaluate(self, model: Path, **arguments: Any) -> dict[str, Any]:
        self.annotations.write_text(json.dumps(self.dataset))
        return evaluate(self.annotations, self.images, model, **arguments)


def evaluate(
    annotations: Path, images: Path, model: Path, grouping: Any = "affinity", **arguments: Any
) -> dict[str, Any]:
    config = SsapConfig(model_file_path=str(model), num_threads=1)
    settings = PredictionSettings(config, grouping)
    open_evaluator.cache_clear()  # the files change between calls
    return report(
        evaluate_images(ImageSet("coco", annotations, images), settings, **arguments), settings
    )


LEFT, RIGHT = (32, 32, 64, 128), (96, 32, 64, 128)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def test_perfect_predictions_score_one(folder: Folder, toy_model_path: Path) -> None:
    folder.add([(PERSON, LEFT), (PERSON, RIGHT)], [("person", LEFT), ("person", RIGHT)])
    folder.add([(CAR, LEFT), (PERSON, RIGHT)], [("car", LEFT), ("person", RIGHT)], confidence=40)
    folder.add([], [("dog", LEFT)])
    scores = folder.evaluate(toy_model_path)
    one = pytest.approx(1)
    assert (scores["AP"], scores["AP50"]) == (one, one)
    assert scores["classes"] == {
        "car": {"AP": one, "AP50": one},
        "person": {"AP": one, "AP50": one},
        "truck": {"AP": None, "AP50": None},
    }
    assert (scores["images"], scores["grouping"]) == (3, "affinity")
    assert scores["model"] == scores["config"]["model_file_path"] == str(toy_model_path)
    json.dumps(scores)


def test_connected_components_join_what_touches(folder: Folder, toy_model_path: Path) -> None:
    folder.add([(PERSON, LEFT), (PERSON, RIGHT)], [("person", LEFT), ("person", RIGHT)])
    folder.add([(CAR, LEFT), (PERSON, RIGHT)], [("car", LEFT), ("person", RIGHT)])
    scores = folder.evaluate(toy_model_path, grouping="components")
    assert scores["classes"]["car"]["AP"] == pytest.approx(1)
    assert scores["classes"]["person"]["AP"] < 0.4
    assert scores["grouping"] == "components"


def test_half_of_the_objects_found_scores_half_of_the_recalls(
    folder: Folder, toy_model_path: Path
) -> None:
    folder.add([(PERSON, LEFT)], [("person", LEFT), ("person", RIGHT)])
    scores = folder.evaluate(toy_model_path)
    assert scores["AP"] == pytest.approx(51 / 101)


def test_nothing_found_scores_zero(folder: Folder, toy_model_path: Path) -> None:
    folder.add([], [("person", LEFT)])
    scores = folder.evaluate(toy_model_path)
    assert (scores["AP"], scores["classes"]["car"]["AP"]) == (0, None)


def test_limit_and_progress(folder: Folder, toy_model_path: Path) -> None:
    for _ in range(3):
        folder.add([(CAR, LEFT)], [("car", LEFT)])
    folder.add([], [("car", LEFT)])
    calls: list[tuple[int, int]] = []
    scores = folder.evaluate(
        toy_model_path, limit=3, progress=lambda done, total: calls.append((done, total))
    )
    assert (scores["AP"], scores["images"]) == (pytest.approx(1), 3)
    assert calls == [(1, 3), (2, 3), (3, 3)]


def test_bad_input_is_reported_in_one_line(folder: Folder, toy_model_path: Path) -> None:
    folder.add([(CAR, LEFT)], [("car", LEFT)])
    folder.evaluate(toy_model_path)
    entry = folder.dataset["images"][0]

    def error(annotations: Path) -> str:
        with pytest.raises(InputError) as caught:
            evaluate(annotations, folder.images, toy_model_path)
        assert "\n" not in str(caught.value)
        return str(caught.value)

    def error_of(dataset: Any) -> str:
        folder.annotations.write_text(json.dumps(dataset))
        return error(folder.annotations)

    assert "cannot read the annotations" in error(folder.images / "absent.json")
    assert "is not a COCO annotation file" in error(folder.images / "1.png")
    assert "is not a COCO annotation file" in error_of([1, 2])
    assert "is not a COCO annotation file" in error_of({"images": [], "annotations": []})
    assert "no category is a class of the model" in error_of(folder.dataset | {"categories": []})
    entry["height"] = 100
    assert "must be 256 x 100, got 256 x 192" in error_of(folder.dataset)
    entry["file_name"] = "absent.png"
    assert "1 of 1 images are missing" in error_of(folder.dataset)
    del entry["file_name"]
    assert "it has no file_name" in error_of(folder.dataset)


def test_a_class_that_is_written_otherwise_is_reported(
    folder: Folder, toy_model_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder.add([(CAR, LEFT)], [("car", LEFT)])
    folder.dataset["categories"].append({"id": 40, "name": " Person"})
    folder.evaluate(toy_model_path)
    assert "' Person' is left out, the class is 'person'" in caplog.text


def test_components_are_counted_by_class() -> None:
    classes = np.uint8([[1, 1, 0, 3], [0, 0, 1, 3], [2, 0, 0, 1]])
    labels = connected_components([], [classes])
    assert labels.dtype == np.int32
    np.testing.assert_array_equal(labels, [[1, 1, 0, 3], [0, 0, 1, 3], [2, 0, 0, 1]])
