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

"""What the diagnostics say in every situation."""

from __future__ import annotations

import pytest

from ssap_ros.node import status
from ssap_ros.node.status import CameraStatus, Level, ModelStatus


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr(status.time, "monotonic", lambda: now[0])
    return now


def test_the_life_of_an_engine(clock: list[float]) -> None:
    host = ModelStatus()
    assert host.summary() == (Level.WARN, "unconfigured", "no model loaded")
    host.building()
    clock[0] += 41
    assert host.summary() == (Level.WARN, "building", "building engine, 41 s")
    assert host.building_s == 41
    host.progress("building engine, 42 s, layer 3 of 9")
    assert host.summary() == (Level.WARN, "building", "building engine, 42 s, layer 3 of 9")
    host.failed("cannot configure", FileNotFoundError("no such\nmodel"))
    assert host.building_s == 0
    message = "cannot configure: no such model"
    assert host.summary() == (Level.ERROR, "unconfigured", message)
    host.building()
    host.loaded()
    assert host.summary() is None
    assert host.last_error == ""
    for times in (1, 2):
        host.pass_failed(ValueError())
        level, state, text = host.summary() or (None, "", "")
        assert (level, state) == (Level.ERROR, "backend_error")
        assert text == f"backend error: ValueError ({times} so far, overcome 0 times)"
    host.pass_succeeded()
    host.pass_succeeded()
    assert host.summary() is None
    assert (host.backend_errors, host.recoveries) == (2, 1)
    assert host.last_error == "backend error: ValueError"
    host.released()
    assert host.summary() == (Level.WARN, "unconfigured", "no model loaded")


def test_the_life_of_a_camera(clock: list[float]) -> None:
    camera = CameraStatus()
    assert camera.summary()[:2] == (Level.WARN, "inactive")
    camera.inactive(enabled=False)
    assert camera.summary()[:2] == (Level.OK, "disabled")
    camera.active({"image": "/image"})
    assert camera.summary() == (Level.WARN, "waiting", "no image yet on /image")
    camera.qos_problem = "nothing fits"
    assert camera.summary() == (Level.ERROR, "qos_mismatch", "nothing fits")
    camera.came("image")
    assert camera.summary() == (Level.OK, "active", "processing /image")
    camera.rejected(ValueError("encoding is unknown"))
    assert camera.summary() == (Level.ERROR, "rejected", "frame failed: encoding is unknown")
    camera.succeeded(took_ms=20, budget_ms=0)
    assert camera.summary()[:2] == (Level.OK, "active")
    assert camera.last_error == "frame failed: encoding is unknown"
    camera.too_old(900, 500)
    level, state, text = camera.summary()
    assert (level, state) == (Level.WARN, "too_old")
    assert text.startswith("image dropped, 900 ms old where max_image_age_ms is 500;")
    camera.succeeded(took_ms=20, budget_ms=0)
    clock[0] += 7
    assert camera.summary() == (Level.WARN, "stale", "no image for 7 s on /image")
    camera.inactive()
    assert camera.summary()[:2] == (Level.WARN, "inactive")
    camera.subscribing()
    camera.active({"image": "/image"})
    assert camera.summary()[:2] == (Level.WARN, "waiting")


def test_an_image_that_comes_while_the_node_subscribes_counts(clock: list[float]) -> None:
    camera = CameraStatus()
    camera.subscribing()
    camera.came("image")
    camera.active({"image": "/image"})
    assert camera.summary()[1] == "active"
    clock[0] += 7
    assert camera.summary()[1] == "stale"


def test_a_node_with_several_inputs_tells_which_one_is_missing(clock: list[float]) -> None:
    camera = CameraStatus()
    camera.active({"masks": "/masks", "depth": "/depth"})
    camera.came("depth")
    assert camera.summary() == (Level.WARN, "waiting", "no masks yet on /masks")
    clock[0] += 3
    camera.came("masks")
    assert camera.summary() == (Level.WARN, "stale", "no depth for 3 s on /depth")
    camera.came("depth")
    camera.unmatched("no depth within 0 ms of the masks")
    assert camera.summary() == (Level.WARN, "unmatched", "no depth within 0 ms of the masks")
    camera.succeeded(took_ms=1, budget_ms=0)
    assert camera.summary() == (Level.OK, "active", "processing /masks")
    assert camera.last_error == "no depth within 0 ms of the masks"
    assert camera.take_rate() == pytest.approx(1 / 3, rel=0.01)


def test_an_input_of_which_one_message_is_enough_is_never_stale(clock: list[float]) -> None:
    camera = CameraStatus()
    camera.active({"depth": "/depth", "camera_info": "/info"}, once=("camera_info",))
    camera.came("depth")
    assert camera.summary() == (Level.WARN, "waiting", "no camera_info yet on /info")
    camera.came("camera_info")
    clock[0] += 3
    camera.came("depth")
    assert camera.summary()[1] == "active"
    clock[0] += 3
    assert camera.summary() == (Level.WARN, "stale", "no depth for 3 s on /depth")


def test_over_budget_tells_how_often_and_how_much_since_the_last_report() -> None:
    camera = CameraStatus()
    camera.active({"image": "/image"})
    camera.came("image")
    for took_ms in (40, 63, 50, 55):
        camera.succeeded(took_ms, budget_ms=50)
    text = "2 of 4 frames took longer than 50 ms, the slowest 13 ms longer"
    assert camera.summary() == (Level.WARN, "over_budget", text)
    camera.succeeded(30, budget_ms=50)
    assert camera.summary()[:2] == (Level.OK, "active")


def test_the_rate_is_that_since_the_last_question(clock: list[float]) -> None:
    camera = CameraStatus()
    for _ in range(20):
        camera.came("image")
    clock[0] += 2
    assert camera.take_rate() == 10
    clock[0] += 1
    assert camera.take_rate() == 0
