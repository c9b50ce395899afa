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

"""Which frames and pictures a report shows."""

import cv2
import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed")

from ssap_ros.replay.report.frame_writer import FrameWriter
from ssap_ros.replay.report.sample_frames import FrameSelection

pytestmark = pytest.mark.timeout(300)  # a busy machine takes its time to start nodes


def test_a_selection_keeps_extremes_apart():
    selection, drawn = FrameSelection("worst", spread=15, size=3), []
    picture = {"": np.zeros((4, 4, 3), np.uint8)}
    measures = np.random.default_rng(0).random(300)
    for index, measure in enumerate(measures):
        selection.offer(index, (measure, 0), "", lambda i=index: drawn.append(i) or picture)
    shown = selection.frames()
    assert [e.measure for e in shown] == sorted(e.measure for e in shown)
    assert shown[0].measure[0] == measures.min()
    assert len({e.index // 15 for e in shown}) == 3
    assert len(drawn) < 60


def test_pictures_are_spread_and_prefer_instances(tmp_path):
    writer = FrameWriter(tmp_path, 10.0)
    n = 50
    for i in range(n):
        writer.add(i, np.full((33, 47, 3), 4 * i, np.uint8), n_instances=int(i % 7 == 3))
    writer.close()
    kept = [int(path.stem.removeprefix("frame_")) for path in sorted(tmp_path.glob("*.png"))]
    assert 3 <= len(kept) <= 8
    assert min(kept) < n / 4
    assert max(kept) > 3 * n / 4
    assert all(i % 7 == 3 for i in kept[:-1])


def test_video_fills_gaps(tmp_path):
    writer = FrameWriter(tmp_path, 10.0)
    for i in (0, 4, 5):
        writer.add(i, np.full((32, 48, 3), 30 * i, np.uint8), 0)
    writer.close()
    video = cv2.VideoCapture(str(tmp_path / "overlay.mp4"))
    shades = [int(video.read()[1].mean()) for _ in range(6)]
    np.testing.assert_allclose(shades, [0, 0, 0, 0, 120, 150], atol=8)
    assert not video.grab()
