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

"""The states of the node: every transition, the illegal ones, failures, and every way out."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed")
pytest.importorskip("vision_msgs", reason="vision_msgs is not installed")

from diagnostic_msgs.msg import DiagnosticStatus
from lifecycle_msgs.msg import State, Transition
from std_srvs.srv import SetBool

from ssap_ros.messages import rgb_image
from support.node_client import PATIENCE_S, PICTURE, SLOW_NODE, Client, Starter, check_joined

pytestmark = pytest.mark.timeout(300)

LEGAL = {
    State.PRIMARY_STATE_UNCONFIGURED: {
        Transition.TRANSITION_CONFIGURE,
        Transition.TRANSITION_UNCONFIGURED_SHUTDOWN,
    },
    State.PRIMARY_STATE_INACTIVE: {
        Transition.TRANSITION_ACTIVATE,
        Transition.TRANSITION_CLEANUP,
        Transition.TRANSITION_INACTIVE_SHUTDOWN,
    },
    State.PRIMARY_STATE_ACTIVE: {
        Transition.TRANSITION_DEACTIVATE,
        Transition.TRANSITION_ACTIVE_SHUTDOWN,
    },
    State.PRIMARY_STATE_FINALIZED: set(),
}
ALL = sorted(set().union(*LEGAL.values()))


INTERRUPTED = """
import signal, sys, threading
from ssap_ros.node.node import main

step = {step}

def interrupted(self):
    result = step(self)
    if {at}:
        signal.raise_signal(signal.SIGINT)
    return result

{step} = interrupted
sys.exit(main())
"""
MOMENTS = {  # of the pool of the executor: a Python function, and when it is the pool's
    "a thread of the pool starts": (
        "threading.Thread.start",
        "self.name.startswith('ThreadPoolExecutor')",
    ),
    "its lock is taken": (
        "threading.Condition.__enter__",
        "sys._getframe(1).f_code is threading.Semaphore.acquire.__code__"
        " and any(t.name.startswith('ThreadPoolExecutor') for t in threading.enumerate())",
    ),
}


def refuse_the_illegal(client: Client) -> None:
    state = client.state()
    for transition in ALL:
        if transition not in LEGAL[state]:
            assert not client.change_state(transition)
            assert client.state() == state, f"transition {transition}"


@pytest.mark.parametrize(
    ("parameter", "reason"),
    [
        ("score_threshold:=abc", "expecting type 'DOUBLE': score_threshold"),
        ("initial_level:=5", "initial_level must be one of (4, 8, 16, 32, 64), got 5"),
    ],
)
def test_a_parameter_that_does_not_fit_is_one_line_and_exit_code_2(
    parameter: str, reason: str
) -> None:
    command = [sys.executable, "-m", "ssap_ros.node", "--ros-args", "-p", parameter]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.strip().startswith("ssap: error: ")
    assert done.stderr.strip().endswith(reason)
    assert "\n" not in done.stderr.strip()


def test_every_transition_and_every_illegal_one(start: Starter) -> None:
    client = start(autostart=False)
    refuse_the_illegal(client)
    for _ in range(2):
        assert client.change_state(Transition.TRANSITION_CONFIGURE)
        assert client.state() == State.PRIMARY_STATE_INACTIVE
        client.wait_for_status(state="inactive")
        refuse_the_illegal(client)
        for _ in range(2):
            assert client.change_state(Transition.TRANSITION_ACTIVATE)
            client.connect()
            check_joined(*client.process_picture(PICTURE))
            refuse_the_illegal(client)
            assert client.change_state(Transition.TRANSITION_DEACTIVATE)
            client.wait(lambda: client.images.get_subscription_count() == 0, "unsubscription")
        assert client.change_state(Transition.TRANSITION_CLEANUP)
        assert client.state() == State.PRIMARY_STATE_UNCONFIGURED
        client.wait(lambda: not client.node.count_publishers("/ssap/instances"), "cleanup")
    assert client.change_state(Transition.TRANSITION_UNCONFIGURED_SHUTDOWN)
    refuse_the_illegal(client)
    assert client.process.stop() == 0


def test_shutdown_while_active(start: Starter) -> None:
    client = start()
    client.wait(lambda: client.state() == State.PRIMARY_STATE_ACTIVE, "active")
    assert client.change_state(Transition.TRANSITION_ACTIVE_SHUTDOWN)
    assert client.state() == State.PRIMARY_STATE_FINALIZED
    client.wait(lambda: not client.node.count_publishers("/ssap/instances"), "cleanup")
    assert client.process.stop(signal.SIGTERM) == 0


@pytest.mark.parametrize(
    ("content", "reason"), [(None, "model not found"), (b"no model", "not a model")]
)
def test_a_failure_to_configure_is_reported_and_can_be_overcome(
    start: Starter, tmp_path: Path, toy_model_path: Path, content: bytes | None, reason: str
) -> None:
    model = tmp_path / "model.onnx"
    if content is not None:
        model.write_bytes(content)
    client = start(model_file_path=model)
    client.wait(lambda: client.status()[0].level == DiagnosticStatus.ERROR, "report of the failure")
    status, values = client.status()
    assert values["state"] == "unconfigured"
    assert reason in status.message
    assert "model.onnx" in values["last_error"]
    assert client.state() == State.PRIMARY_STATE_UNCONFIGURED
    assert not client.change_state(Transition.TRANSITION_CONFIGURE)
    model.write_bytes(toy_model_path.read_bytes())
    assert client.change_state(Transition.TRANSITION_CONFIGURE)
    assert client.change_state(Transition.TRANSITION_ACTIVATE)
    client.connect()
    check_joined(*client.process_picture(PICTURE))


def test_enable_switches_the_subscriptions(start: Starter) -> None:
    client = start()
    client.connect()
    check_joined(*client.process_picture(PICTURE))
    assert client.call(SetBool, "enable", SetBool.Request(data=False)).message == "disabled"
    client.wait(lambda: client.images.get_subscription_count() == 0, "unsubscription")
    client.wait_for_status(state="disabled")
    assert client.call(SetBool, "enable", SetBool.Request(data=True)).success
    client.connect()
    check_joined(*client.process_picture(PICTURE))


def test_services_respond_while_an_engine_is_built(
    start: Starter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = tmp_path / "gate"
    monkeypatch.setenv("SSAP_TEST_GATE", str(gate))
    client = start(program=SLOW_NODE)
    client.wait(lambda: client.state() == State.TRANSITION_STATE_CONFIGURING, "configuring")
    client.wait_for_status(state="building")
    status, values = client.status()
    assert status.level == DiagnosticStatus.WARN
    assert status.message == f"building engine, {values['building_s']} s"
    assert not client.change_state(Transition.TRANSITION_ACTIVATE)
    assert client.set_parameter("score_threshold", 0.3).successful
    later, _ = client.status()
    assert later.message != status.message, "the seconds go on"
    gate.touch()
    client.wait_for_status(state="waiting")
    assert client.process.stop() == 0


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_an_engine_build_can_be_interrupted(
    start: Starter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: signal.Signals
) -> None:
    monkeypatch.setenv("SSAP_TEST_GATE", str(tmp_path / "never"))
    client = start(program=SLOW_NODE)
    client.wait_for_status(state="building")
    memory = client.process.shared_memory()
    assert memory
    assert client.process.stop(how) == 0
    assert "Traceback" not in client.process.log.read_text()
    assert not [path for path in memory if path.exists()], "left behind, of hundreds of megabytes"


def test_a_pass_that_hangs_does_not_hold_up_the_way_out(
    start: Starter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSAP_TEST_PASS_S", "1000")
    client = start(program=SLOW_NODE)
    client.connect()
    client.wait(
        lambda: (
            client.send(rgb_image(client.header(), PICTURE))
            or "pass of" in client.process.log.read_text()
        ),
        "a pass",
    )
    assert client.process.stop(signal.SIGTERM) == 0


def test_a_lost_device_is_reported_and_the_engine_comes_back(
    start: Starter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fault = tmp_path / "fault"
    monkeypatch.setenv("SSAP_TEST_FAULT", str(fault))
    client = start(program=SLOW_NODE)
    client.connect()
    check_joined(*client.process_picture(PICTURE))
    fault.touch()
    client.wait(
        lambda: (
            client.send(rgb_image(client.header(), PICTURE))
            or client.status()[1]["state"] == "backend_error"
        ),
        "report of the lost device",
    )
    status, values = client.status()
    assert status.level == DiagnosticStatus.ERROR
    assert "the device is lost" in status.message
    assert int(values["backend_errors"]) >= 1
    assert (values["recoveries"], int(values["failed"]) >= 1) == ("0", True)
    fault.unlink()
    check_joined(*client.process_picture(PICTURE))
    client.wait_for_status(recoveries=1)
    assert client.counts()["failed"] >= 1


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(
    "transitions", [(), (Transition.TRANSITION_CONFIGURE,)], ids=["unconfigured", "inactive"]
)
def test_every_state_ends_cleanly(
    start: Starter, how: signal.Signals, transitions: tuple[int, ...]
) -> None:
    client = start(autostart=False)
    for transition in transitions:
        assert client.change_state(transition)
    client.state()
    assert client.process.stop(how) == 0
    assert "Traceback" not in client.process.log.read_text()


@pytest.mark.parametrize("moment", MOMENTS)
def test_an_interrupt_at_a_bad_moment_ends_the_node(start: Starter, moment: str) -> None:
    """A KeyboardInterrupt there would leave a thread unknown, or a lock locked, for ever."""
    step, at = MOMENTS[moment]
    client = start(program=("-c", INTERRUPTED.format(step=step, at=at)), autostart=False)
    assert client.process.process.wait(PATIENCE_S) == 0
    assert "Traceback" not in client.process.log.read_text()
