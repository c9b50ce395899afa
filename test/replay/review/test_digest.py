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

"""Digests of frames and runs."""

import numpy as np
import pytest

from support.bag_files import (
    painted_frame,
)

pytest.importorskip("rclpy", reason="ROS 2 is not installed")

from ssap_ros.replay.review.digest import frame_digest, run_digest

pytestmark = pytest.mark.timeout(300)  # a busy machine takes its time to start nodes


def test_digests_see_every_pixel_and_value():
    _, labels, entries = painted_frame(0)
    digests = {frame_digest(labels, entries)}
    changed = labels.copy()
    changed[-1, -1] = 1
    digests |= {
        frame_digest(changed, entries),
        frame_digest(labels.T, entries),
        frame_digest(labels, entries[::-1]),
        frame_digest(labels, [entries[0]._replace(score=np.nextafter(1.0, 0)), entries[1]]),
        frame_digest(labels, [entries[0]._replace(track="9"), entries[1]]),
        frame_digest(labels, entries[:1]),
    }
    assert len(digests) == 7
    assert frame_digest(labels, entries) == frame_digest(labels.copy(), list(entries))
    runs = [[(0, 5, "aa" * 32)], [(0, 5, None)], [(1, 5, "aa" * 32)], [(0, 6, "aa" * 32)], []]
    assert len({run_digest(run) for run in runs}) == len(runs)
