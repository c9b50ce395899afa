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

"""The parts of a play that need no node: what was sent, stamps, parameters, names of cameras."""

import random

import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed")

from ssap_ros.errors import InputError
from ssap_ros.replay.frames import Frame
from ssap_ros.replay.play.frame_tracker import Entry, FrameTracker
from ssap_ros.replay.play.parameters import checked_parameters
from ssap_ros.replay.play.play import camera_names
from ssap_ros.replay.play.stamps import StampWatch
from support.replays import balanced

pytestmark = pytest.mark.timeout(300)  # a busy machine takes its time to start nodes


@pytest.mark.parametrize("seed", range(20))
def test_counters_balance_whatever_the_node_publishes(seed):
    """Outputs in any order, lost, doubled or of unknown frames; stamps may be equal."""
    rng = random.Random(seed)
    tracker = FrameTracker()
    n = rng.randrange(12)
    stamps = [rng.randrange(6) for _ in range(n)]
    for index, stamp in enumerate(stamps):
        tracker.send(Entry(index, 0, stamp, stamp, float(index)))
    parts = [(s, part) for s in stamps for part in ("masks", "detections") if rng.random() < 0.8]
    rng.shuffle(parts)
    unknown = [(99, "masks")] * rng.randrange(3)
    for stamp, part in [*parts, *unknown]:
        tracker.receive(0, stamp, part, 20.0)
    expected = sum(
        min(parts.count((s, "masks")), parts.count((s, "detections"))) for s in set(stamps)
    )
    summary = vars(tracker.figures(rng.randrange(15), {"total_ms": "1/2/3", "png_ms": "-"}))
    assert balanced(summary)
    assert summary["frames_out"] == tracker.frames_out == expected
    assert summary["answers_unexpected"] == len(unknown)
    assert summary["stage_ms"] == {"total": {"p50": 1.0, "p95": 2.0, "p99": 3.0}}


def test_outputs_of_equal_stamps_go_by_order():
    tracker = FrameTracker()
    for index in range(2):
        tracker.send(Entry(index, 0, 5, 5, 0.0))
    assert tracker.receive(1, 5, "masks", 1.0) is None  # another camera
    assert tracker.receive(0, 5, "masks", 1.0).index == 0
    assert tracker.receive(0, 5, "masks", 2.0).index == 1
    assert tracker.receive(0, 5, "detections", 3.0).index == 0
    assert tracker.receive(0, 5, "detections", 3.0).index == 1
    assert tracker.receive(0, 5, "masks", 4.0) is None
    assert (tracker.frames_out, tracker.unexpected) == (2, 2)


def test_stamp_watch():
    watch = StampWatch()
    seconds = [0, 0.1, 0.2, 0.2, 0.15, 0.3, 9.0, 9.1, 0.0, 0.1]
    for index, second in enumerate(seconds):
        watch.see(Frame(index, 0, round(second * 1e9), 0))
        watch.see(Frame(index, 1, index, 0))
    assert watch.counts == {
        "duplicate_stamp": 1, "out_of_order": 1, "gap": 1, "loop_or_clock_jump": 1,
    }  # fmt: skip
    assert [event["frame"] for event in watch.events] == [3, 4, 6, 8]


def test_parameters_are_checked_before_the_play():
    given = {"score_threshold": 1, "tracking": True, "input_long_side": 160, "backend": "auto"}
    checked = checked_parameters(given)
    assert checked == given
    assert type(checked["score_threshold"]) is float  # as the node has declared it
    for name, value, words in (
        ("score_treshold", 0.5, "expected a parameter of .*score_threshold"),
        ("drop_policy", "every", "expected a parameter"),
        ("autostart", False, "expected a parameter"),
        ("score_threshold", 1.5, r"must be in \[0.0, 1.0\], got 1.5"),
        ("score_threshold", "high", "must be float, got 'high'"),
        ("tracking", 1, "must be bool, got 1"),
        ("input_long_side", True, "must be int, got True"),
        ("backend", "abacus", "must be one of"),
    ):
        with pytest.raises(InputError, match=words):
            checked_parameters({name: value})


def test_camera_names():
    assert camera_names(["/camera/front/image"]) == ("",)
    assert camera_names(["/cam/left/image", "/cam/right"]) == ("cam_left_image", "cam_right")
    for topics in (["/a/b", "/a_b"], ["/1", "/b"]):
        with pytest.raises(InputError, match="different names"):
            camera_names(topics)
