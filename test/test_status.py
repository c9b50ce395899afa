"""What the diagnostics say in every situation."""

from __future__ import annotations

import pytest

from ssap_ros import status
from ssap_ros.status import Level, NodeStatus


def test_the_life_of_a_node(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(status.time, "monotonic", lambda: now)
    node = NodeStatus()
    assert node.summary() == (Level.WARN, "unconfigured", "no model loaded")
    node.failed("cannot configure", FileNotFoundError("no such model"))
    message = "cannot configure: no such model"
    assert node.summary() == (Level.ERROR, "unconfigured", message)
    node.configured()
    assert node.summary()[:2] == (Level.WARN, "inactive")
    assert node.last_error == ""
    node.active("/image")
    assert node.summary() == (Level.WARN, "waiting", "no image yet on /image")
    node.image_came()
    assert node.summary() == (Level.OK, "active", "processing /image")
    node.failed("frame failed", ValueError())
    assert node.summary() == (Level.ERROR, "rejected", "frame failed: ValueError")
    node.succeeded()
    assert node.summary()[:2] == (Level.OK, "active")
    assert node.last_error == "frame failed: ValueError"
    now += 7
    assert node.summary() == (Level.WARN, "stale", "no image for 7 s on /image")
    node.inactive()
    assert node.summary()[:2] == (Level.WARN, "inactive")
    node.active("/image")
    assert node.summary()[:2] == (Level.WARN, "waiting")
    node.inactive()
    node.unconfigured()
    assert node.summary()[:2] == (Level.WARN, "unconfigured")
