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

"""Truth of a bag, and the scores against it: hand-made frames whose scores are known."""

import numpy as np
import pytest

from ssap_ros.data.segments import OTHER_CLASS, Segments
from ssap_ros.errors import InputError
from ssap_ros.replay.bags import messages
from ssap_ros.replay.bags.ground_truth import ANY_CLASS, NOT_ANNOTATED, GroundTruth, Truth
from ssap_ros.replay.bags.messages import Detection
from ssap_ros.replay.bags.writer import BagWriter
from ssap_ros.replay.review.scores import ReplayScores
from support.bag_files import DETECTIONS, INSTANCES, LABEL_INFO, START, STEP, write_painted_bag

MODEL = {0: "background", 1: "person", 2: "car"}
NOWHERE = (0.0, 0.0, 0.0, 0.0)
ALL = np.ones(2, bool)


def segments(ids, class_ids, scores=None, crowd=None):
    return Segments(
        np.asarray(ids),
        np.array(class_ids, np.int64),
        np.array(scores if scores is not None else [], float),
        np.array(crowd if crowd is not None else [], bool),
    )


def truth(ids, class_ids, crowd=None, void=None):
    ids = np.asarray(ids)
    return Truth(
        segments(ids, class_ids, crowd=crowd),
        np.zeros(ids.shape, bool) if void is None else np.asarray(void, bool),
    )


@pytest.fixture
def bag(tmp_path):
    """Two frames of one stamp and one of another; class ids that are not the model's."""
    labels = [np.array([[0, 1, 1], [2, 2, NOT_ANNOTATED]]), np.array([[1, 1, 1], [0, 0, 0]])]
    boxes = [
        [Detection("30", 1.0, NOWHERE), Detection("10", 0.0, NOWHERE)],
        [Detection("99", 1.0, NOWHERE)],
    ]
    path = tmp_path / "truth.mcap"
    with BagWriter(path) as writer:
        writer.add_topic(INSTANCES, messages.IMAGE)
        writer.add_topic(DETECTIONS, messages.DETECTIONS)
        writer.add_topic(LABEL_INFO, messages.LABEL_INFO)
        names = {10: "person", 30: "car", 99: "horse"}
        head = messages.header(START, "")
        writer.write(LABEL_INFO, START, messages.label_info(head, names))
        for number, stamp in enumerate((START, START, START + STEP)):
            head = messages.header(stamp, "camera")
            pixels = labels[number % 2].astype(np.uint16)
            writer.write(INSTANCES, START + number, messages.image(head, "mono16", pixels))
            entries = messages.detections(head, boxes[number % 2])
            writer.write(DETECTIONS, START + number, entries)
    return path


def test_truth_topics(bag):
    with GroundTruth(bag, INSTANCES, None, MODEL) as source:
        assert source.classes == {1: "person", 2: "car"}
        late = source.at(START + STEP)
        first, second = source.at(START), source.at(START)
        assert source.at(START) is None
        assert source.at(START + 1) is None
    np.testing.assert_array_equal(first.segments.ids, [[0, 1, 1], [2, 2, 0]])
    np.testing.assert_array_equal(first.void, [[0, 0, 0], [0, 0, 1]])
    assert first.segments.class_ids.tolist() == [2, 1]
    assert first.segments.crowd.tolist() == [False, True]
    assert second.segments.class_ids.tolist() == [OTHER_CLASS]
    np.testing.assert_array_equal(late.segments.ids, first.segments.ids)


def test_truth_without_classes(tmp_path):
    path = tmp_path / "instances.mcap"
    with BagWriter(path) as writer:
        writer.add_topic("/labels", messages.IMAGE)
        pixels = np.array([[0, 1], [3, NOT_ANNOTATED]], np.uint16)
        writer.write("/labels", 5, messages.image(messages.header(5, ""), "mono16", pixels))
    with GroundTruth(path, "/labels", None, MODEL) as source:
        assert source.class_agnostic
        assert source.classes == {ANY_CLASS: "object"}
        assert source.at(5).segments.class_ids.tolist() == [ANY_CLASS] * 3


def test_truth_that_does_not_fit(bag, tmp_path):
    with pytest.raises(InputError, match="no class of the truth"):
        GroundTruth(bag, INSTANCES, None, {0: "background", 1: "tree"})
    with pytest.raises(InputError, match="no topic /x"):
        GroundTruth(bag, "/x", None, MODEL)
    path = tmp_path / "bad.mcap"
    with BagWriter(path) as writer:
        writer.add_topic("/gt/instances", messages.IMAGE)
        writer.add_topic("/gt/detections", messages.DETECTIONS)
        head = messages.header(5, "")
        labels = np.full((2, 2), 2, np.uint16)
        writer.write("/gt/instances", 5, messages.image(head, "mono16", labels))
        entries = [Detection("1", 1.0, NOWHERE)]
        writer.write("/gt/detections", 5, messages.detections(head, entries))
    with (
        GroundTruth(path, "/gt/instances", None, MODEL) as source,
        pytest.raises(InputError, match="is invalid"),
    ):
        source.at(5)


def test_scores_of_a_perfect_and_an_empty_prediction():
    ids = np.zeros((20, 20), int)
    ids[2:10, 2:10], ids[12:18, 5:15] = 1, 2
    scores = ReplayScores({1: "person", 2: "car"})
    row = scores.add(segments(ids, [1, 2], [0.9, 0.8]), ALL[:2], truth(ids, [1, 2]))
    assert row == {"tp": 2, "fp": 0, "fn": 0, "iou": 2, "quality": 1}
    result = scores.result()
    assert [result[k] for k in ("AP", "AP50", "PQ", "SQ", "RQ", "mIoU")] == pytest.approx([1] * 6)
    row = scores.add(segments(np.zeros((20, 20), int), []), ALL[:0], truth(ids, [1, 2]))
    assert row == {"tp": 0, "fp": 0, "fn": 2, "iou": 0, "quality": 0}
    assert scores.result()["RQ"] == pytest.approx(2 / 3)
    assert scores.result()["frames"] == 2
    empty = np.zeros((20, 20), int)
    assert scores.add(segments(empty, []), ALL[:0], truth(empty, []))["quality"] == 1


def test_what_is_not_shown_counts_in_average_precision_alone():
    ids = np.zeros((20, 20), int)
    ids[2:10, 2:10] = 1
    scores = ReplayScores({1: "person"})
    row = scores.add(segments(ids, [1], [0.3]), ~ALL[:1], truth(ids, [1]))
    assert (row["tp"], row["fn"]) == (0, 1)
    assert scores.result()["AP"] == pytest.approx(1)
    assert scores.result()["classes"]["person"]["IoU"] == 0


@pytest.mark.parametrize("kind", ["void", "crowd"])
def test_what_is_not_annotated_is_not_counted(kind):
    """A prediction in the void, or among its crowd, is neither right nor wrong."""
    ids = np.zeros((20, 20), int)
    ids[2:10, 2:10] = 1
    found = ids.copy()
    found[12:18, 5:15] = 2
    if kind == "void":
        output = truth(ids, [1], void=found == 2)
    else:
        output = truth(found, [1, 1], crowd=[False, True])
    scores = ReplayScores({1: "person", 2: "car"})
    row = scores.add(segments(found, [1, 1], [0.9, 0.95]), ALL[:2], output)
    assert (row["tp"], row["fp"], row["fn"]) == (1, 0, 0)
    assert scores.result()["AP"] == pytest.approx(1)
    scores = ReplayScores({1: "person", 2: "car"})
    row = scores.add(segments(found, [1, 1], [0.9, 0.95]), ALL[:2], truth(ids, [1]))
    assert row["fp"] == 1


def test_merged_scores_are_those_of_all_frames():
    rng = np.random.default_rng(0)
    parts = [ReplayScores({1: "person", 2: "car"}) for _ in range(3)]
    whole = ReplayScores({1: "person", 2: "car"})
    for part in (0, 0, 1, 2, 2, 2):
        ids = np.kron(rng.integers(0, 4, (4, 4)), np.ones((8, 8), int))
        found = np.roll(ids, rng.integers(0, 3), axis=1)
        scores = np.sort(rng.random(3))[::-1]
        sample = (
            segments(found, rng.integers(1, 3, 3), scores),
            scores >= 0.3,
            truth(ids, rng.integers(1, 3, 3)),
        )
        parts[part].add(*sample)
        whole.add(*sample)
    for part in parts[1:]:
        parts[0].merge(part)
    assert parts[0].result() == whole.result()
    assert parts[0].curves() == whole.curves()
    assert 0 < whole.result()["AP"] < 1


def test_those_kept_are_renumbered():
    kept = segments([[1, 2], [3, 0]], [5, 6, 7]).keep(np.array([True, False, True]))
    np.testing.assert_array_equal(kept.ids, [[1, 0], [2, 0]])
    assert kept.class_ids.tolist() == [5, 7]


def test_painted_bag_holds_truth(tmp_path):
    path = write_painted_bag(tmp_path / "bag.mcap", 2)
    model = {0: "background", 3: "car"}
    with GroundTruth(path, INSTANCES, DETECTIONS, model) as source:
        assert source.classes == {3: "car"}
        assert source.at(START + STEP).segments.class_ids.tolist() == [OTHER_CLASS, 3]
