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

"""The node as a process of its own over real DDS, and the other end of its topics."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState
from numpy.typing import NDArray
from rcl_interfaces.msg import SetParametersResult
from rcl_interfaces.srv import SetParameters
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header
from vision_msgs.msg import Detection2DArray

from ssap_ros.messages import labels_of, rgb_image
from ssap_ros.node.client import Connection
from support.toy_model import paint

ROOT = Path(__file__).resolve().parents[2]
NODE = ("-m", "ssap_ros.node")
SLOW_NODE = (str(Path(__file__).with_name("slow_node.py")),)
PATIENCE_S = 60
LOST_AFTER_S = 5.0
COUNTS = ("received", "processed", "dropped", "failed", "waiting")
PERSON, CAR = 1, 3
SIZE = (192, 256)


class NodeProcess:
    """A node with parameters as a process; its output goes to `log`.

    program: what Python runs, `-m ssap_ros.node` unless a test has a node of its own.
    """

    def __init__(
        self, domain: int, log: Path, program: tuple[str, ...], parameters: dict[str, object]
    ) -> None:
        self.log = log
        settings = [f"{name}:={_yaml(value)}" for name, value in parameters.items()]
        command = [sys.executable, *program, "--ros-args"]
        with log.open("w") as output:
            self.process = subprocess.Popen(
                command + [part for setting in settings for part in ("-p", setting)],
                cwd=ROOT,
                env={**os.environ, "ROS_DOMAIN_ID": str(domain)},
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def shared_memory(self) -> set[Path]:
        """The segments of the middleware that the node owns: it holds their locks."""
        files = Path(f"/proc/{self.process.pid}/fd").iterdir()
        locks = [str(file.readlink()) for file in files]
        own = {Path(lock.removesuffix("_el")) for lock in locks if lock.endswith("_el")}
        return {path for path in own if "port" not in path.name}

    def stop(self, how: signal.Signals = signal.SIGINT) -> int:
        """Send the signal and return the exit code."""
        self.process.send_signal(how)
        return self.process.wait(PATIENCE_S)


def _yaml(value: object) -> str:
    """A value on the command line of a node: JSON is YAML, but a path is no string to JSON."""
    return json.dumps(str(value) if isinstance(value, Path) else value)


class CameraEnd:
    """The topics of one camera, seen from outside.

    name: of the camera, empty for the only one. image_qos: of the publisher of its images.
    """

    def __init__(self, client: Client, name: str, image_qos: QoSProfile | int) -> None:
        self.name, self._client = name, client
        self.source = f"/{name}/" if name else "/"
        self.prefix = f"/ssap/{name}/" if name else "/ssap/"
        self.images = client.node.create_publisher(Image, f"{self.source}image", image_qos)
        self.instances = client.listen(Image, f"{self.prefix}instances", 100)
        self.detections = client.listen(Detection2DArray, f"{self.prefix}detections", 100)

    def send(self, msg: Image) -> None:
        self.images.publish(msg)

    def connect(self) -> None:
        """Wait until images go to the node and results come back."""
        self._client.wait(
            lambda: (
                self.images.get_subscription_count()
                and self._client.node.count_publishers(f"{self.prefix}instances")
                and self._client.node.count_publishers(f"{self.prefix}detections")
            ),
            "connection",
        )

    def results(self, header: Header) -> tuple[Image, Detection2DArray] | None:
        """What came for this header, once both have come."""
        image = next((m for m in self.instances if m.header == header), None)
        found = next((m for m in self.detections if m.header == header), None)
        return (image, found) if image is not None and found is not None else None

    def process_frame(
        self, msg: Image | CompressedImage, send: Callable[[Any], None] | None = None
    ) -> tuple[Image, Detection2DArray]:
        """Send an image and wait for its results; best effort may lose one, so it is repeated."""
        sent_s = 0.0

        def arrived() -> bool:
            nonlocal sent_s
            if self.results(msg.header) is None and time.monotonic() - sent_s > 2:
                (send or self.send)(msg)
                sent_s = time.monotonic()
            return self.results(msg.header) is not None

        self._client.wait(arrived, "result")
        results = self.results(msg.header)
        assert results is not None
        return results


class NodeEnd:
    """The other end of a node called `name`: keeps what it publishes, calls its services."""

    def __init__(self, domain: int, process: NodeProcess, name: str) -> None:
        self.process, self._name = process, name
        self._connection = Connection("test_client", "", domain)
        self.node = self._connection.node
        self.reports = self.listen(DiagnosticArray, "/diagnostics", 10)
        self._numbers = itertools.count(1)
        self._services: dict[str, Any] = {}

    def listen(self, kind: Any, topic: str, qos: QoSProfile | int) -> list[Any]:
        received: list[Any] = []
        self.node.create_subscription(kind, topic, received.append, qos)
        return received

    def wait(self, condition: Callable[[], object], what: str) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            assert self.process.process.poll() is None, f"node died: {self.process.log.read_text()}"
            assert time.monotonic() < deadline, f"no {what}: {self.process.log.read_text()}"
            self._connection.check()
            time.sleep(0.01)

    def header(self) -> Header:
        """A fresh stamp, odd enough to show any rounding."""
        header = Header(frame_id="camera/left optical")
        header.stamp.sec, header.stamp.nanosec = next(self._numbers), 999_999_937
        return header

    def status(self, camera: str = "") -> tuple[DiagnosticStatus, dict[str, str]]:
        """The next diagnostics of the node, or of one of its cameras."""
        self.reports.clear()
        name = f"/{self._name}: {camera}" if camera else f"/{self._name}"

        def own() -> list[DiagnosticStatus]:
            return [s for report in self.reports for s in report.status if s.name == name]

        self.wait(own, "diagnostics")
        status = own()[-1]
        return status, {value.key: value.value for value in status.values}

    def wait_for_status(self, camera: str = "", **expected: object) -> dict[str, str]:
        deadline = time.monotonic() + PATIENCE_S
        while True:
            _, values = self.status(camera)
            if all(values[key] == str(value) for key, value in expected.items()):
                return values
            assert time.monotonic() < deadline, f"expected {expected}, got {values}"

    def counts(self, camera: str = "") -> dict[str, int]:
        """The counters, once nothing waits any more; they must balance at any time."""
        values = self.wait_for_status(camera, waiting=0)
        counts = {key: int(values[key]) for key in COUNTS}
        assert balanced(counts)
        return counts

    def call(self, kind: Any, service: str, request: Any) -> Any:
        if service not in self._services:
            self._services[service] = self.node.create_client(kind, f"/{self._name}/{service}")
        client = self._services[service]
        self.wait(client.service_is_ready, service)
        future, sent_s = client.call_async(request), time.monotonic()

        def responded() -> bool:
            """Asks again: Fast DDS drops a response whose reader it has not discovered in time."""
            nonlocal future, sent_s
            if kind is not ChangeState and time.monotonic() - sent_s > LOST_AFTER_S:
                future, sent_s = client.call_async(request), time.monotonic()
            return bool(future.done())

        self.wait(responded, f"response of {service}")
        return future.result()

    def change_state(self, transition: int) -> bool:
        request = ChangeState.Request(transition=Transition(id=transition))
        return bool(self.call(ChangeState, "change_state", request).success)

    def state(self) -> int:
        return int(self.call(GetState, "get_state", GetState.Request()).current_state.id)

    def set_parameter(self, name: str, value: object) -> SetParametersResult:
        parameter = Parameter(name, value=value).to_parameter_msg()
        request = SetParameters.Request(parameters=[parameter])
        (result,) = self.call(SetParameters, "set_parameters", request).results
        return result

    def open(self) -> None:
        """Begin to receive."""
        self._connection.__enter__()

    def close(self) -> None:
        self._connection.__exit__()


class Client(NodeEnd, CameraEnd):
    """The other end of the segmentation node.

    It is itself the other end of the camera without a name.
    """

    def __init__(
        self,
        domain: int,
        process: NodeProcess,
        cameras: tuple[str, ...] = (),
        image_qos: QoSProfile | int = 100,
    ) -> None:
        NodeEnd.__init__(self, domain, process, "ssap")
        self.cameras = {name: CameraEnd(self, name, image_qos) for name in cameras}
        if not cameras:
            CameraEnd.__init__(self, self, "", image_qos)
        self.open()

    def process_picture(self, picture: NDArray[np.uint8]) -> tuple[Image, Detection2DArray]:
        return self.process_frame(rgb_image(self.header(), picture))

    def provoke(self, msg: Image, reason: str) -> tuple[DiagnosticStatus, dict[str, str]]:
        """Send a broken message until the diagnostics tell this reason."""
        for _ in range(PATIENCE_S):
            self.send(msg)
            status, values = self.status()
            if values["state"] == "rejected" and reason in values["last_error"]:
                return status, values
        raise AssertionError(f"expected {reason!r} in {values}")


class Starter:
    """Starts nodes on one model, each ending the one before: they share a name."""

    def __init__(self, domain: int, model: Path, logs: Callable[[], Path]) -> None:
        self._domain, self._model, self._logs = domain, model, logs
        self._client: Client | None = None

    def __call__(
        self,
        *,
        program: tuple[str, ...] = NODE,
        image_qos: QoSProfile | int = 100,
        **parameters: object,
    ) -> Client:
        self.end()
        # in single precision the toy network reads the colours exactly
        parameters = {"model_file_path": self._model, "precision": "fp32", **parameters}
        process = NodeProcess(self._domain, self._logs(), program, parameters)
        names = parameters.get("cameras", ())
        assert isinstance(names, tuple)
        self._client = Client(self._domain, process, names, image_qos)
        return self._client

    def end(self) -> None:
        """Interrupt the node: one that is killed may leave its shared memory locked to others."""
        client, self._client = self._client, None
        if client is None:
            return
        end(client)


def end(client: NodeEnd) -> None:
    """Interrupt a node and hang up; it must end well."""
    try:
        if client.process.process.poll() is None:
            assert client.process.stop() == 0, client.process.log.read_text()
    finally:
        client.process.process.kill()
        client.process.process.wait()
        client.close()


def balanced(counts: dict[str, int]) -> bool:
    return counts["received"] == sum(counts[key] for key in COUNTS[1:])


def rectangles(*boxes: tuple[int, int, int, int]) -> NDArray[np.int32]:
    instances = np.zeros(SIZE, np.int32)
    for k, (x, y, width, height) in enumerate(boxes, start=1):
        instances[y : y + height, x : x + width] = k
    return instances


EMPTY = paint(rectangles(), [])
BOXES = [(32, 32, 64, 96), (96, 32, 48, 96), (176, 64, 64, 64)]
CLASSES = [PERSON, PERSON, CAR]
CONFIDENCES = [255, 170, 30]
PICTURE = paint(rectangles(*BOXES), CLASSES, CONFIDENCES)


def check_joined(instances: Image, detections: Detection2DArray) -> NDArray[np.uint16]:
    """The joined contract: pixel k is detection k, and its box is the mask's box."""
    labels = labels_of(instances)
    assert instances.header == detections.header
    assert set(np.unique(labels)) - {0} == set(range(1, len(detections.detections) + 1))
    scores = [d.results[0].hypothesis.score for d in detections.detections]
    assert scores == sorted(scores, reverse=True)
    for k, detection in enumerate(detections.detections, start=1):
        ys, xs = np.nonzero(labels == k)
        box, centre = detection.bbox, detection.bbox.center.position
        assert detection.header == detections.header
        assert (box.size_x, box.size_y) == (np.ptp(xs) + 1, np.ptp(ys) + 1)
        assert (centre.x - box.size_x / 2, centre.y - box.size_y / 2) == (xs.min(), ys.min())
        assert len(detection.results) == 1
    return labels
