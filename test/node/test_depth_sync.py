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

"""Frames are joined by their stamps: each once, in order, none lost without a reason."""

from __future__ import annotations

import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed")
pytest.importorskip("vision_msgs", reason="vision_msgs is not installed")

from sensor_msgs.msg import Image
from std_msgs.msg import Header
from vision_msgs.msg import Detection2DArray

from ssap_ros.node.depth.sync import DepthFrame, FrameSync

MS = 1_000_000


def header(ms: int) -> Header:
    header = Header()
    header.stamp.sec, header.stamp.nanosec = divmod(ms * MS, 1_000_000_000)
    return header


class Joined:
    """A synchroniser and what came out of it."""

    def __init__(self, tolerance_ms: int = 0) -> None:
        self.frames: list[DepthFrame] = []
        self.reasons: list[str] = []
        self.sync = FrameSync(self.frames.append, self.reasons.append, lambda: tolerance_ms * MS)

    def masks(self, *stamps: int) -> None:
        for ms in stamps:
            self.sync.put_masks(Image(header=header(ms)))

    def detections(self, *stamps: int) -> None:
        for ms in stamps:
            self.sync.put_detections(Detection2DArray(header=header(ms)))

    def depth(self, *stamps: int) -> None:
        for ms in stamps:
            self.sync.put_depth(Image(header=header(ms), encoding="16UC1"))

    def pairs(self) -> list[tuple[int, int]]:
        """The stamps of masks and depth of every frame, in milliseconds."""
        for frame in self.frames:
            assert frame.detections.header == frame.masks.header
        stamps = [(f.masks.header.stamp, f.depth.header.stamp) for f in self.frames]
        return [tuple(s.sec * 1000 + s.nanosec // MS for s in pair) for pair in stamps]


def test_the_parts_may_come_in_any_order() -> None:
    joined = Joined()
    joined.depth(0, 33, 66)
    joined.masks(0)
    joined.detections(0)
    joined.detections(33)
    joined.masks(33)
    joined.masks(100)
    joined.detections(100)
    joined.depth(100)
    assert joined.pairs() == [(0, 0), (33, 33), (100, 100)]
    assert joined.reasons == []
    assert joined.sync.n_pending == 0


def test_masks_without_the_rest_are_dropped_when_a_later_frame_is_complete() -> None:
    joined = Joined()
    joined.masks(0, 33, 66)
    joined.detections(33, 66)
    joined.depth(2, 66)
    assert joined.pairs() == [(66, 66)]
    assert joined.reasons == [
        "no detections came with the stamp of the masks",
        "no depth within 0 ms (sync_tolerance_ms) of the masks, the nearest is 31.0 ms away",
    ]


def test_a_stream_without_depth_does_not_pile_up() -> None:
    joined = Joined()
    for number in range(20):
        joined.detections(number)
        joined.masks(number)
    assert joined.sync.n_pending + len(joined.reasons) == 20
    assert joined.sync.n_pending == 8
    assert joined.reasons[0].endswith("of the masks, there is none at all")
    assert joined.sync.clear() == 8
    assert joined.sync.n_pending == 0


def test_the_nearest_depth_within_the_tolerance_is_taken_once_no_nearer_can_follow() -> None:
    joined = Joined(tolerance_ms=10)
    joined.depth(93)
    joined.masks(100)
    joined.detections(100)
    assert joined.pairs() == [], "one at 100 may still come"
    joined.depth(104)
    assert joined.pairs() == [(100, 104)]
    joined.masks(150)
    joined.detections(150)
    joined.depth(161)
    assert joined.pairs() == [(100, 104)], "11 ms are too many"
    joined.depth(200)
    joined.masks(200)
    joined.detections(200)
    assert joined.pairs() == [(100, 104), (200, 200)]
    assert joined.reasons == [
        "no depth within 10 ms (sync_tolerance_ms) of the masks, the nearest is 11.0 ms away"
    ]


def test_equal_stamps_replace_each_other_and_are_counted() -> None:
    joined = Joined()
    joined.masks(0, 0)
    joined.detections(0)
    joined.depth(0)
    assert joined.pairs() == [(0, 0)]
    assert len(joined.reasons) == 1


def test_it_says_when_more_would_be_too_many() -> None:
    joined = Joined()
    joined.masks(*range(100, 107))
    assert joined.sync.takes_masks()
    joined.masks(107)
    assert not joined.sync.takes_masks(), "the eight may all be completed"
    joined.detections(100)
    joined.depth(99)
    assert not joined.sync.takes_masks()
    joined.depth(101)
    assert joined.sync.takes_masks(), "the first cannot be completed any more"

    joined = Joined()
    joined.masks(0)
    joined.depth(*range(19))
    assert joined.sync.takes_depth()
    joined.depth(19, 20)
    assert not joined.sync.takes_depth()
    joined.masks(5)
    assert joined.sync.takes_depth()
