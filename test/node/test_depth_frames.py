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

"""The transform into a target frame.

tf2 has no wheels: a stand-in responds as its Python API does.
"""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed")

from geometry_msgs.msg import TransformStamped
from rclpy.time import Time
from std_msgs.msg import Header

from ssap_ros.errors import InputError
from ssap_ros.node.depth import frames


class TransformError(Exception):
    """tf2_ros.TransformException."""


class Buffer:
    """Knows one transform, from `camera` to `map`, from second 5 on."""

    def lookup_transform(self, target: str, source: str, time: Time) -> TransformStamped:
        if (target, source) != ("map", "camera") or time.nanoseconds < 5_000_000_000:
            raise TransformError("extrapolation into the\npast")
        found = TransformStamped()
        found.transform.rotation.z, found.transform.rotation.w = np.sqrt(0.5), np.sqrt(0.5)
        found.transform.translation.x = 2.0
        return found


@pytest.fixture
def tf2(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    log: list[str] = []
    listener = SimpleNamespace(unregister=lambda: log.append("unregistered"))
    stand_in = SimpleNamespace(
        Buffer=Buffer,
        TransformListener=lambda _buffer, _node: listener,
        TransformException=TransformError,
    )
    monkeypatch.setattr(frames, "tf2_ros", stand_in)
    return log


def header(seconds: int) -> Header:
    header = Header(frame_id="camera")
    header.stamp.sec = seconds
    return header


def test_a_quarter_turn_and_two_metres(tf2: list[str]) -> None:
    target = frames.TargetFrame(None, "map")
    head, rotation, shift = target.of(header(6))
    assert (head.frame_id, head.stamp) == ("map", header(6).stamp)
    np.testing.assert_allclose(rotation @ [1, 0, 0] + shift, [2, 1, 0], atol=1e-9)
    target.close()
    assert tf2 == ["unregistered"]


@pytest.mark.usefixtures("tf2")
def test_no_transform_is_reported_in_one_line() -> None:
    words = "no transform from 'camera' to 'map': extrapolation into the past"
    with pytest.raises(InputError, match=words):
        frames.TargetFrame(None, "map").of(header(4))


def test_without_tf2_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames, "tf2_ros", None)
    with pytest.raises(
        InputError, match="needs the Python package tf2_ros, which is not installed"
    ):
        frames.TargetFrame(None, "map")
