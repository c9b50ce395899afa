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

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed")
pytest.importorskip("vision_msgs", reason="vision_msgs is not installed")

from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header
from vision_msgs.msg import Detection2DArray

from ssap_ros.node.depth.sync import DepthFrame, FrameSync

MS = 1_000_000


def header(ms: int) -> Header:
    header = Header()
    header.stamp.sec, header.stamp.nanosec = divmod(ms * MS, 1_000_000_000)
    return header


def stamp_ms(header: Header) -> int:
    return int(header.stamp.sec * 1000 + header.stamp.nanosec // MS)


class Joined:
    """A synchroniser that has had a camera_info, unless not wanted, and what came out of it."""

    def __init__(self, tolerance_ms: int = 0, *, calibrated: bool = True) -> None:
        self.frames: list[DepthFrame] = []
        self.reasons: list[str] = []
        self.sync = FrameSync(self.frames.append, self.reasons.append, lambda: tolerance_ms * MS)
        if calibrated:
            self.camera_info(0)

    def camera_info(self, ms: int) -> None:
        self.sync.put_camera_info(CameraInfo(header=header(ms)))

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
        return [(stamp_ms(f.masks.header), stamp_ms(f.depth.header)) for f in self.frames]


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


def test_frames_wait_for_the_first_camera_info_and_take_the_nearest() -> None:
    joined = Joined(calibrated=False)
    for ms in (0, 33):
        joined.depth(ms)
        joined.masks(ms)
        joined.detections(ms)
    assert joined.frames == []
    assert joined.sync.n_pending == 2
    joined.camera_info(5)
    assert joined.pairs() == [(0, 0), (33, 33)]
    joined.camera_info(66)
    joined.depth(66)
    joined.masks(66)
    joined.detections(66)
    stamps = [frame.camera_info.header.stamp.nanosec // MS for frame in joined.frames]
    assert stamps == [5, 5, 66]
    assert joined.reasons == []


def test_masks_that_wait_for_a_camera_info_do_not_pile_up() -> None:
    joined = Joined(calibrated=False)
    for ms in range(9):
        assert joined.sync.takes_masks() == (ms < 8), "eight may all be completed"
        joined.depth(ms)
        joined.detections(ms)
        joined.masks(ms)
    assert joined.reasons == ["no camera_info has come yet"]
    joined.camera_info(0)
    assert joined.pairs() == [(ms, ms) for ms in range(1, 9)]


def arrivals(rng: np.random.Generator, tolerance_ms: int) -> list[tuple[str, int]]:
    """Input and stamp of every message: three streams, each in order, some messages lost.

    The stamps of masks and detections are equal, those of depth are off by up to two tolerances and
    far from those of other frames, so that only one pairing is right.
    """
    entries = []
    for name in ("masks", "detections", "depth"):
        arrived = 0.0
        for number in range(40):
            arrived = max(arrived, 100 * number + float(rng.uniform(0, 300)))
            stamp = 1000 + 100 * number
            if name == "depth":
                stamp += int(rng.integers(-2 * tolerance_ms, 2 * tolerance_ms + 1))
            if rng.random() > 0.15:
                entries.append((arrived, name, stamp))
    return [(name, stamp) for _, name, stamp in sorted(entries)]


@pytest.mark.parametrize("tolerance_ms", [0, 10])
@pytest.mark.parametrize("seed", range(20))
def test_the_pairs_are_those_of_message_filters(seed: int, tolerance_ms: int) -> None:
    filters = pytest.importorskip("message_filters", reason="message_filters is not installed")
    inputs = {name: filters.SimpleFilter() for name in ("masks", "detections", "depth")}
    theirs: list[tuple[int, int]] = []
    if tolerance_ms:  # theirs are nearer than the slop, ours at most as far as the tolerance
        slop_s = (tolerance_ms + 0.5) / 1000
        other = filters.ApproximateTimeSynchronizer([*inputs.values()], 40, slop_s)
    else:
        other = filters.TimeSynchronizer([*inputs.values()], 40)
    other.registerCallback(
        lambda *parts: theirs.append(tuple(stamp_ms(parts[i].header) for i in (0, 2)))
    )
    joined = Joined(tolerance_ms)
    for name, ms in arrivals(np.random.default_rng(seed), tolerance_ms):
        getattr(joined, name)(ms)
        inputs[name].signalMessage(Image(header=header(ms)))
    joined.depth(9000)  # no nearer one follows the last
    assert joined.pairs() == theirs
    assert len(theirs) > 5
