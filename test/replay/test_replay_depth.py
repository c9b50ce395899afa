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

"""A bag with depth through both nodes: what is placed where, scored against the truth in space."""

import json

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed")

from ssap_ros.cli.command_line import main
from ssap_ros.errors import InputError
from ssap_ros.replay.bags.reader import BagReader
from ssap_ros.replay.bags.space import read_detections_3d
from ssap_ros.replay.play.play import PlayOptions
from ssap_ros.replay.replay import ReplayOptions, replay
from ssap_ros.replay.summary import ReplaySummary
from support.bag_files import (
    CAR,
    DEPTH,
    DISTANCES,
    IMAGE,
    INSTANCES,
    OBJECTS,
    PERSON,
    START,
    STEP,
    write_depth_bag,
    write_painted_bag,
)

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def played(toy_model_path, tmp_path_factory):
    folder = tmp_path_factory.mktemp("depth")
    bag = write_depth_bag(folder / "bag.mcap", 8, without=(3,))
    how = ReplayOptions(
        topics=(IMAGE,),
        gt_instances=(INSTANCES,),
        depth_topic=DEPTH,
        gt_objects=OBJECTS,
        play=PlayOptions("every", model=str(toy_model_path)),
    )
    return folder / "run", replay(str(bag), folder / "run", how).summary


def test_objects_are_where_the_truth_has_them(played):
    out, summary = played
    assert summary.problems == []
    assert (summary.frames_in, summary.frames_out, summary.frames_failed) == (8, 8, 0)
    assert summary.frames_without_depth == 1
    assert summary.objects_total == 14
    scores = summary.scores_3d
    assert (scores["frames"], scores["truth"], scores["predicted"]) == (7, 14, 14)
    assert set(scores["recall"].values()) == {1.0}
    assert scores["centre_error_m"]["p95"] < 0.2
    assert scores["classes"]["car"]["truth"] == 7
    assert scores["classes"]["bus"]["recall"]["2 m"] is None
    assert "detections_3d" not in summary.stage_ms, "those are the other node's"
    assert json.loads((out / "summary.json").read_text())["scores_3d"] == scores
    assert ReplaySummary.from_dict(summary.as_dict()) == summary
    reported = summary.describe(out)
    assert "in space: 14 objects, 100% of the truth within 0.5 m" in reported
    assert "1 frames have no depth" in reported


def test_recording_and_report_have_the_objects(played):
    out, _ = played
    rows = json.loads((out / "frames.json").read_text())
    assert [row.get("objects") for row in rows] == [2, 2, 2, None, 2, 2, 2, 2]
    assert all(len(row["centre_errors_m"]) == 2 for row in rows if "objects" in row)
    with BagReader(out / "recording.mcap") as reader:
        recorded = list(reader.messages(["/ssap_depth/detections_3d"]))
        assert [m.logged for m in recorded] == [START + k * STEP for k in range(8) if k != 3]
        for message in recorded:
            placed = read_detections_3d(reader.decode(message))
            depths = {int(item.class_id): item.centre[2] for item in placed}
            assert depths == pytest.approx(DISTANCES, abs=0.05)
            assert set(depths) == {PERSON, CAR}
    page = (out / "report.html").read_text()
    assert "Objects in space" in page
    assert "recall within 2 m" in page
    assert (out / "depth_node.log").exists()


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"gt_objects": OBJECTS}, "objects in space need depth"),
        ({"depth_topic": "/none"}, "no topic /none in"),
        (
            {"depth_topic": INSTANCES, "depth_info_topic": IMAGE},
            "must be sensor_msgs/msg/CameraInfo",
        ),
        ({"depth_topic": DEPTH, "gt_objects": INSTANCES}, "must be vision_msgs/msg/Detection3D"),
    ],
)
def test_topics_that_do_not_fit(options, reason, toy_model_path, tmp_path):
    bag = write_depth_bag(tmp_path / "bag.mcap", 2)
    how = ReplayOptions(play=PlayOptions("every", model=str(toy_model_path)), **options)
    with pytest.raises(InputError, match=reason):
        replay(str(bag), tmp_path / "out", how)


def test_depth_is_of_bags_with_one_camera(toy_model_path, tmp_path, capsys):
    bag = write_painted_bag(tmp_path / "a.mcap", 1)
    command = ["replay", str(bag), str(bag), "--out", str(tmp_path / "o"), "--depth-topic", DEPTH]
    assert main(command) == 2
    assert "--depth-topic is for one SOURCE" in capsys.readouterr().err
    how = ReplayOptions(depth_topic=DEPTH, play=PlayOptions("every", model=str(toy_model_path)))
    with pytest.raises(InputError, match="depth topics are in bags, scenes is none"):
        replay("scenes", tmp_path / "out", how)


def test_the_boards_are_painted_right():
    """The truth of these tests: the middle of each board projects into the middle of its box."""
    from support.bag_files import K, painted_depth, painted_frame

    _, labels, entries = painted_frame(4)
    depth, objects = painted_depth(labels, entries)
    for k, (item, entry) in enumerate(zip(objects, entries, strict=True), start=1):
        x, y, z = item.centre
        column, row = K[0] * x / z + K[2], K[4] * y / z + K[5]
        assert column == pytest.approx(entry.bbox[0] + entry.bbox[2] / 2)
        assert row == pytest.approx(entry.bbox[1] + entry.bbox[3] / 2)
        assert set(np.unique(depth[labels == k])) == {1000 * z}
