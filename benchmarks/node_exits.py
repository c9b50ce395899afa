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

"""Do the nodes end, and end well, whenever they are asked to?

    .venv/bin/python benchmarks/node_exits.py --runs 20 --json benchmarks/results/node_exits.json

Starts the segmentation node and the depth node again and again, brings each into a state of its
life cycle, sends SIGINT or SIGTERM at a random moment, and takes the exit code and the time until
it is gone. In `configuring` the signal comes while the model is loaded, in `active` while frames
come in and results are listened to, the first ones included. Exit code 1 if a node ended with
another code than 0, with a traceback, or not at all.
"""

from __future__ import annotations

import argparse
import itertools
import os
import platform
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from lifecycle_msgs.msg import State, Transition
from lifecycle_msgs.srv import ChangeState, GetState
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header
from vision_msgs.msg import Detection3DArray

from ssap_ros.cli.options import positive
from ssap_ros.common.outputs import claim_file, write_json
from ssap_ros.errors import NodeError
from ssap_ros.messages import depth_image, detections, label_image, rgb_image
from ssap_ros.node.client import Connection
from ssap_ros.types import Instance

CONFIGURE = Transition.TRANSITION_CONFIGURE
CONFIGURED = (CONFIGURE, State.PRIMARY_STATE_INACTIVE)
ACTIVATED = (Transition.TRANSITION_ACTIVATE, State.PRIMARY_STATE_ACTIVE)
ENDED = (Transition.TRANSITION_UNCONFIGURED_SHUTDOWN, State.PRIMARY_STATE_FINALIZED)
WAYS = {
    "unconfigured": (),
    "configuring": (),
    "inactive": (CONFIGURED,),
    "active": (CONFIGURED, ACTIVATED),
    "finalized": (ENDED,),
}
SIGNALS = (signal.SIGINT, signal.SIGTERM)
NODES = {
    "ssap": ("ssap_ros.node", "instances", Image),
    "ssap_depth": ("ssap_ros.node.depth", "detections_3d", Detection3DArray),
}  # name: module, an output and its type
SIZE = (96, 128)
SPREAD_S = {"active": 1.0}  # of the moment of the signal
SHORT_SPREAD_S = 0.3  # in the other states
PATIENCE_S = 60.0
ANSWER_S = 5.0


class Asker(Connection):
    """Asks a node for its state and for transitions, sends it frames and hears the results."""

    def __init__(self, domain: int, namespace: str, name: str) -> None:
        super().__init__("exits", namespace, domain)
        self._get_state = self.node.create_client(GetState, f"{name}/get_state")
        self._change_state = self.node.create_client(ChangeState, f"{name}/change_state")
        _, output, kind = NODES[name]
        self.node.create_subscription(kind, f"{name}/{output}", lambda _: None, 1)
        self._frame = [
            (self.node.create_publisher(type(message), topic, 1), message)
            for topic, message in frame_of(name).items()
        ]
        self.node.create_timer(0.05, self._send)

    def state(self) -> int:
        """The state of the node."""
        deadline = time.monotonic() + PATIENCE_S
        while (response := self._ask(self._get_state, GetState.Request())) is None:
            if time.monotonic() > deadline:
                raise NodeError("the node does not tell its state")
        return int(response.current_state.id)

    def begin(self, transition: int) -> None:
        """Ask for a transition, and do not wait for it."""
        self._change_state.call_async(ChangeState.Request(transition=Transition(id=transition)))

    def change_state(self, transition: int, goal: int) -> None:
        """Ask for a transition until it has led to its goal."""
        while self.state() != goal:
            self.begin(transition)
            self._wait(lambda: self.state() == goal)

    def _send(self) -> None:
        stamp = self.node.get_clock().now().to_msg()
        for publisher, message in self._frame:
            message.header.stamp = stamp
            publisher.publish(message)

    def _ask(self, client: Any, request: Any) -> Any:
        """The response of the node; None if it was lost, as happens while they find each other."""
        self._wait(client.service_is_ready)
        future = client.call_async(request)
        self._wait(future.done)
        return future.result() if future.done() else None

    def _wait(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + ANSWER_S
        while not condition() and time.monotonic() < deadline:
            self.check()
            time.sleep(0.002)


def frame_of(name: str) -> dict[str, Any]:
    """The messages of a frame for a node, by topic."""
    header = Header()
    if name == "ssap":
        return {"image": rgb_image(header, np.zeros((*SIZE, 3), np.uint8))}
    labels = np.zeros(SIZE, np.uint16)
    labels[20:60, 30:50] = 1
    instance = Instance(class_id=1, score=0.9, bbox=(30, 20, 20, 40), area=800)
    k = [100.0, 0.0, 64.0, 0.0, 100.0, 48.0, 0.0, 0.0, 1.0]
    return {
        "camera_info": CameraInfo(height=SIZE[0], width=SIZE[1], k=k),
        "depth": depth_image(header, np.full(SIZE, 2.0, np.float32)),
        "ssap/instances": label_image(header, labels),
        "ssap/detections": detections(header, [instance]),
    }


def run(domain: int, number: int, name: str, state: str, how: signal.Signals) -> tuple[str, float]:
    """One life of a node: how it ended (exit code, traceback or hang), and the seconds it took."""
    namespace = f"/run_{number}"  # of its own: one that is gone may be listed for a while
    command = [sys.executable, "-m", NODES[name][0], "--ros-args", "-p", "autostart:=false"]
    environment = {**os.environ, "ROS_DOMAIN_ID": str(domain)}
    with tempfile.TemporaryFile("w+") as log, Asker(domain, namespace, name) as asker:
        node = subprocess.Popen(
            [*command, "-r", f"__ns:={namespace}"], env=environment, stdout=log, stderr=log
        )
        asker.state()
        for transition, goal in WAYS[state]:
            asker.change_state(transition, goal)
        if state == "configuring":
            asker.begin(CONFIGURE)
        time.sleep(random.uniform(0, SPREAD_S.get(state, SHORT_SPREAD_S)))
        sent = time.monotonic()
        node.send_signal(how)
        try:
            end = str(node.wait(PATIENCE_S))
        except subprocess.TimeoutExpired:
            end = "hang"
            node.kill()
            node.wait()
        seconds = time.monotonic() - sent
        log.seek(0)
        text = log.read()
    if "Traceback" in text:
        end = "traceback"
    if end != "0":
        print(f"{name}, {state}, {how.name}: {end}\n{text}", file=sys.stderr)
    return end, seconds


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--runs",
        type=positive,
        default=20,
        metavar="N",
        help="per node, state and signal (default: 20)",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="file for all figures")
    return parser


def main() -> int:
    """Run the command line."""
    options = _parser().parse_args()
    if options.json:
        claim_file(options.json)
    domain = 1 + os.getpid() % 100
    results = []
    for name, state, how in itertools.product(NODES, WAYS, SIGNALS):
        first = len(results) * options.runs
        runs = [run(domain, first + k, name, state, how) for k in range(options.runs)]
        ends, seconds = zip(*runs, strict=True)
        results.append(
            {
                "node": name,
                "state": state,
                "signal": how.name,
                "ends": {end: ends.count(end) for end in sorted(set(ends))},
                "median_s": round(float(np.median(seconds)), 3),
                "max_s": round(max(seconds), 3),
            }
        )
        print(results[-1], flush=True)
    if options.json:
        machine = {
            "cores": os.cpu_count(),
            "python": platform.python_version(),
            "rclpy": version("ros-rclpy"),
        }
        write_json(options.json, {"machine": machine, "results": results})
    return int(any(set(result["ends"]) != {"0"} for result in results))


if __name__ == "__main__":
    sys.exit(main())
