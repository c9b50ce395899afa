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

"""The real node on a person whose score wavers: what is shown, and that a scored replay agrees."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from support.bag_files import CAR, DETECTIONS, IMAGE, INSTANCES, LABEL_INFO, PERSON, START, STEP
from support.toy_model import CLASSES, paint, score

pytest.importorskip("rclpy", reason="ROS 2 is not installed")

from ssap_ros.replay.bags import messages
from ssap_ros.replay.bags.messages import Detection
from ssap_ros.replay.bags.writer import BagWriter
from ssap_ros.replay.batch import rescore
from ssap_ros.replay.play.play import PlayOptions
from ssap_ros.replay.replay import ReplayOptions, replay

pytestmark = pytest.mark.timeout(300)

SCORES = (0.3, 0.6, 0.25, 0.3, 0.15, 0.3, 0.45)
STAYS = (0, 1, 1, 1, 0, 0, 1)
EACH_ON_ITS_OWN = (0, 1, 0, 0, 0, 0, 1)
BOX = (40, 24, 32, 80)  # x, y, width, height
CELLS = BOX[2] * BOX[3] // 4**2 * (256 / 192) ** 2  # at the toy model's long side of 256


@pytest.fixture(scope="module")
def bag(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A person that stands there beside a car that is sure, with truth."""
    path = tmp_path_factory.mktemp("wavering") / "bag.mcap"
    labels = np.zeros((128, 192), np.uint16)
    x, y, width, height = BOX
    labels[y : y + height, x : x + width] = 1
    labels[60:112, 100:180] = 2
    boxes = (float(x), float(y), float(width), float(height)), (100.0, 60.0, 80.0, 52.0)
    entries = [Detection(str(k), 1.0, box) for k, box in zip((PERSON, CAR), boxes, strict=True)]
    with BagWriter(path) as writer:
        for topic, kind in [
            (IMAGE, messages.IMAGE),
            (INSTANCES, messages.IMAGE),
            (DETECTIONS, messages.DETECTIONS),
        ]:
            writer.add_topic(topic, kind)
        writer.add_topic(LABEL_INFO, messages.LABEL_INFO, latched=True)
        info = messages.label_info(messages.header(START, ""), dict(enumerate(CLASSES)))
        writer.write(LABEL_INFO, START, info)
        for number, wanted in enumerate(SCORES):
            stamp = START + number * STEP
            head = messages.header(stamp, "camera")
            confidence = min(range(256), key=lambda c: abs(score(PERSON, c, int(CELLS)) - wanted))
            rgb = paint(labels, [PERSON, CAR], [confidence, 255])
            writer.write(IMAGE, stamp, messages.image(head, "rgb8", rgb))
            writer.write(INSTANCES, stamp, messages.image(head, "mono16", labels))
            writer.write(DETECTIONS, stamp, messages.detections(head, entries))
    return path


def run(bag: Path, model: Path, out: Path, *, truth: bool, **parameters: Any) -> dict[str, Any]:
    """Replay the bag; how many persons each frame shows, with flicker and scores."""
    options = ReplayOptions(
        gt_instances=(INSTANCES,) if truth else (),
        topics=(IMAGE,),
        play=PlayOptions("every", model=str(model), parameters=parameters),
    )
    result = replay(str(bag), out, options)
    assert result.summary.problems == []
    if truth:
        again = rescore(str(bag), out, options)
        assert again is not None
        assert result.scores is not None
        assert again.result() == result.scores.result()
    rows = json.loads((out / "frames.json").read_text())
    return {
        "persons": tuple(row["instances"] - 1 for row in rows),
        "flicker": [row["flicker"] for row in rows],
        "missed": tuple(row.get("fn") for row in rows),
    }


def test_an_object_stays_while_its_score_dips(
    bag: Path, toy_model_path: Path, tmp_path: Path
) -> None:
    seen = run(bag, toy_model_path, tmp_path / "seen", truth=False)
    assert seen["persons"] == STAYS
    scored = run(bag, toy_model_path, tmp_path / "scored", truth=True)
    assert scored["persons"] == STAYS
    assert scored["flicker"] == seen["flicker"]
    assert scored["missed"] == tuple(1 - n for n in STAYS)


def test_parameters_say_how_much_it_may_dip(
    bag: Path, toy_model_path: Path, tmp_path: Path
) -> None:
    for truth in (False, True):
        out = tmp_path / f"alone{truth}"
        alone = run(bag, toy_model_path, out, truth=truth, score_hysteresis=0.0)
        assert alone["persons"] == EACH_ON_ITS_OWN
        out = tmp_path / f"class{truth}"
        own = {"class_score_thresholds": ("person: 0.28",), "score_hysteresis": 0.05}
        by_class = run(bag, toy_model_path, out, truth=truth, **own)
        assert by_class["persons"] == (1, 1, 1, 1, 0, 1, 1)
