"""The node as a process of its own, over real DDS, with the toy network whose answer is known."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from toy_model import paint, probability

pytest.importorskip("rclpy", reason="rclpy is not installed")
pytest.importorskip("vision_msgs", reason="vision_msgs is not installed")

import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from lifecycle_msgs.msg import State, Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rcl_interfaces.msg import SetParametersResult
from rcl_interfaces.srv import DescribeParameters, SetParameters
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile
from sensor_msgs.msg import Image
from std_msgs.msg import Header
from vision_msgs.msg import Detection2DArray, LabelInfo

from ssap_ros.config import SsapConfig
from ssap_ros.messages import image_to_rgb, rgb_image

ROOT = Path(__file__).resolve().parents[1]
PATIENCE_S = 60
PERSON, CAR = 1, 3
SIZE = (192, 256)
COUNTS = ("received", "processed", "dropped", "failed", "waiting")

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def domain() -> int:
    """A DDS domain that other runs on this machine hardly use."""
    return 1 + os.getpid() % 100


class NodeProcess:
    """`python -m ssap_ros.node` with parameters; its output goes to `log`."""

    def __init__(self, domain: int, log: Path, **parameters: object) -> None:
        self.log = log
        settings = [f"{name}:={str(value).lower()}" for name, value in parameters.items()]
        command = [sys.executable, "-m", "ssap_ros.node", "--ros-args"]
        with log.open("w") as output:
            self.process = subprocess.Popen(
                command + [part for setting in settings for part in ("-p", setting)],
                cwd=ROOT,
                env={**os.environ, "ROS_DOMAIN_ID": str(domain)},
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def stop(self, how: signal.Signals = signal.SIGINT) -> int:
        """Send the signal and return the exit code."""
        self.process.send_signal(how)
        return self.process.wait(PATIENCE_S)


class Client:
    """The other end: publishes images, keeps what the node publishes, calls its services."""

    def __init__(self, domain: int, process: NodeProcess) -> None:
        self.process = process
        self.context = Context()
        rclpy.init(context=self.context, domain_id=domain)
        self.node = Node("test_client", context=self.context, enable_rosout=False)
        self.executor = SingleThreadedExecutor(context=self.context)
        self.executor.add_node(self.node)
        self.images = self.node.create_publisher(Image, "image", 100)
        self.instances = self.listen(Image, "/ssap/instances", 100)
        self.detections = self.listen(Detection2DArray, "/ssap/detections", 100)
        self.reports = self.listen(DiagnosticArray, "/diagnostics", 10)
        self._numbers = itertools.count(1)

    def listen(self, kind: Any, topic: str, qos: QoSProfile | int) -> list[Any]:
        received: list[Any] = []
        self.node.create_subscription(kind, topic, received.append, qos)
        return received

    def wait(self, condition: Callable[[], object], what: str) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            assert self.process.process.poll() is None, f"node died: {self.process.log.read_text()}"
            assert time.monotonic() < deadline, f"no {what}: {self.process.log.read_text()}"
            self.executor.spin_once(timeout_sec=0.1)

    def connect(self) -> None:
        """Wait until images go to the node and results come back."""
        self.wait(
            lambda: (
                self.images.get_subscription_count()
                and self.node.count_publishers("/ssap/instances")
                and self.node.count_publishers("/ssap/detections")
            ),
            "connection",
        )

    def header(self) -> Header:
        """A fresh stamp, odd enough to show any rounding."""
        header = Header(frame_id="camera/left optical")
        header.stamp.sec, header.stamp.nanosec = next(self._numbers), 999_999_937
        return header

    def send(self, msg: Image) -> None:
        self.images.publish(msg)

    def process_frame(self, picture: NDArray[np.uint8]) -> tuple[Image, Detection2DArray]:
        """Send a picture and wait for its results; best effort may lose one, so it is repeated."""
        msg = rgb_image(self.header(), picture)
        results: list[tuple[Image, Detection2DArray]] = []

        def arrived() -> bool:
            found = [
                next((m for m in received if m.header == msg.header), None)
                for received in (self.instances, self.detections)
            ]
            if None not in found:
                results.append((found[0], found[1]))
            elif time.monotonic() - sent[0] > 2:
                self.send(msg)
                sent[0] = time.monotonic()
            return bool(results)

        sent = [0.0]
        self.wait(arrived, "result")
        return results[0]

    def status(self) -> tuple[DiagnosticStatus, dict[str, str]]:
        """The next diagnostics of the node."""
        self.reports.clear()
        self.wait(lambda: self.reports, "diagnostics")
        (status,) = self.reports[-1].status
        return status, {value.key: value.value for value in status.values}

    def provoke(self, msg: Image, reason: str) -> tuple[DiagnosticStatus, dict[str, str]]:
        """Send a broken message until the diagnostics tell this reason."""
        for _ in range(PATIENCE_S):
            self.send(msg)
            status, values = self.status()
            if values["state"] == "rejected" and reason in values["last_error"]:
                return status, values
        raise AssertionError(f"expected {reason!r} in {values}")

    def wait_for_status(self, **expected: object) -> dict[str, str]:
        deadline = time.monotonic() + PATIENCE_S
        while True:
            _, values = self.status()
            if all(values[key] == str(value) for key, value in expected.items()):
                return values
            assert time.monotonic() < deadline, f"expected {expected}, got {values}"

    def call(self, kind: Any, service: str, request: Any) -> Any:
        client = self.node.create_client(kind, f"/ssap/{service}")
        self.wait(client.service_is_ready, service)
        future = client.call_async(request)
        self.wait(future.done, f"answer of {service}")
        self.node.destroy_client(client)
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

    def close(self) -> None:
        self.executor.shutdown()
        self.node.destroy_node()
        self.context.try_shutdown()


Start = Callable[..., Client]


@pytest.fixture(scope="module")
def start(
    domain: int, tmp_path_factory: pytest.TempPathFactory, toy_model_path: Path
) -> Iterator[Start]:
    """Starts a node with these parameters, and ends the one before: they share a name."""
    clients: list[Client] = []

    def end() -> None:
        for client in clients:
            if client.process.process.poll() is None:
                client.process.process.kill()
                client.process.process.wait()
            client.close()
        clients.clear()

    def start(**parameters: object) -> Client:
        end()
        log = tmp_path_factory.mktemp("node") / "log.txt"
        process = NodeProcess(domain, log, **{"model_file_path": toy_model_path, **parameters})
        clients.append(Client(domain, process))
        return clients[-1]

    yield start
    end()


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


def labels_of(msg: Image) -> NDArray[np.uint16]:
    dtype = ">u2" if msg.is_bigendian else "<u2"
    assert (msg.encoding, msg.step) == ("mono16", 2 * msg.width)
    return np.frombuffer(msg.data, dtype).reshape(msg.height, msg.width)


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
        assert detection.id == ""
    return labels


def test_masks_detections_and_overlay_of_a_known_picture(start: Start) -> None:
    client = start()
    overlays = client.listen(Image, "/ssap/overlay", 10)
    client.connect()
    client.wait(lambda: client.node.count_publishers("/ssap/overlay"), "overlay publisher")
    masks, detections = client.process_frame(PICTURE)
    labels = check_joined(masks, detections)
    assert (masks.height, masks.width) == SIZE
    found = [d.results[0].hypothesis for d in detections.detections]
    assert [h.class_id for h in found] == ["1", "1", "3"]
    expected = [probability(*painted) for painted in zip(CLASSES, CONFIDENCES, strict=True)]
    assert [h.score for h in found] == pytest.approx(expected, abs=1e-5)
    for k, (x, y, width, height) in enumerate(BOXES, start=1):
        inside = labels[y : y + height, x : x + width]
        assert np.count_nonzero(inside == k) >= inside.size - 4, "all but the corner pixels"
        assert np.count_nonzero(labels == k) <= inside.size

    msg = rgb_image(client.header(), PICTURE)
    client.wait(lambda: overlays or client.send(msg), "overlay")
    picture = image_to_rgb(overlays[-1])
    assert overlays[-1].encoding == "rgb8"
    assert picture.shape == PICTURE.shape
    assert np.array_equal(picture[150:], PICTURE[150:])
    assert not np.array_equal(picture[64:128, 176:240], PICTURE[64:128, 176:240])

    status, values = client.status()
    stages = "convert preprocess inference affinity partition instances publish total"
    for stage in [*stages.split(), "pipeline_latency"]:
        p50, p95, p99 = (float(p) for p in values[f"{stage}_ms"].split("/"))
        assert 0 <= p50 <= p95 <= p99
    assert status.name == "/ssap"
    assert values["backend"] == "onnxruntime"
    assert client.process.stop() == 0


def test_frames_good_empty_and_broken(start: Start) -> None:
    client = start()
    client.connect()
    client.wait_for_status(state="waiting", received=0)
    masks, detections = client.process_frame(EMPTY)
    assert len(detections.detections) == 0
    assert not labels_of(masks).any()

    short = rgb_image(client.header(), PICTURE)
    short.height += 1
    unknown = rgb_image(client.header(), PICTURE)
    unknown.encoding = "rgb565"
    for msg, reason in [
        (short, "data must hold step * rows = 768 * 193 = 148224 bytes, got 147456"),
        (unknown, "encoding must be one of"),
    ]:
        failed = int(client.status()[1]["failed"])
        status, values = client.provoke(msg, reason)
        assert status.level == DiagnosticStatus.ERROR
        assert status.message == values["last_error"]
        assert int(values["failed"]) > failed
        check_joined(*client.process_frame(PICTURE))

    tiny, nothing = client.process_frame(np.zeros((1, 1, 3), np.uint8))
    assert labels_of(tiny).tolist() == [[0]]
    assert len(nothing.detections) == 0
    values = client.wait_for_status(waiting=0)
    count = {k: int(values[k]) for k in COUNTS}
    assert count["failed"] >= 2
    assert count.pop("received") == sum(count.values())


def test_label_info_reaches_late_joiners_and_follows_the_threshold(start: Start) -> None:
    client = start()
    client.connect()
    client.wait_for_status(state="waiting")
    latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    infos = client.listen(LabelInfo, "/ssap/label_info", latched)
    client.wait(lambda: infos, "label info")
    assert infos[0].threshold == pytest.approx(SsapConfig().score_threshold)
    assert [c.class_id for c in infos[0].class_map] == list(range(8))
    assert infos[0].class_map[PERSON].class_name == "person"

    assert client.set_parameter("score_threshold", 0.75).successful
    client.wait(lambda: len(infos) == 2, "label info with the new threshold")
    assert infos[1].threshold == 0.75
    assert probability(CLASSES[2], CONFIDENCES[2]) < 0.75 < probability(CLASSES[1], CONFIDENCES[1])
    assert len(client.process_frame(PICTURE)[1].detections) == 2


def test_parameters_are_described_and_rejections_say_why(start: Start) -> None:
    client = start()
    for name, value, reason in [
        ("score_threshold", 1.5, "out of range"),
        ("initial_level", 5, "initial_level must be one of (4, 8, 16, 32, 64), got 5"),
        ("model_file_path", "other.onnx", "read-only"),
        ("min_instance_area", "many", "parameter type"),
    ]:
        result = client.set_parameter(name, value)
        assert not result.successful
        assert reason in result.reason
    assert client.set_parameter("initial_level", 64).successful
    request = DescribeParameters.Request(names=["score_threshold", "initial_level"])
    threshold, level = client.call(DescribeParameters, "describe_parameters", request).descriptors
    assert threshold.description
    assert threshold.floating_point_range[0].to_value == 1.0
    assert level.additional_constraints == "one of: 4, 8, 16, 32, 64"


def test_missing_model_is_reported_and_survived(start: Start, tmp_path: Path) -> None:
    client = start(model_file_path=tmp_path / "missing.onnx")
    client.wait_for_status(state="unconfigured", received=0)
    status, values = client.status()
    assert status.level == DiagnosticStatus.ERROR
    assert "model not found" in status.message
    assert "missing.onnx" in values["last_error"]
    assert client.state() == State.PRIMARY_STATE_UNCONFIGURED
    assert not client.change_state(Transition.TRANSITION_CONFIGURE)
    assert client.state() == State.PRIMARY_STATE_UNCONFIGURED
    assert client.process.stop() == 0


def test_lifecycle_by_service(start: Start) -> None:
    client = start(autostart=False)
    assert client.state() == State.PRIMARY_STATE_UNCONFIGURED
    for _ in range(2):
        assert client.change_state(Transition.TRANSITION_CONFIGURE)
        assert client.state() == State.PRIMARY_STATE_INACTIVE
        client.wait_for_status(state="inactive")
        for _ in range(2):
            assert client.change_state(Transition.TRANSITION_ACTIVATE)
            client.connect()
            check_joined(*client.process_frame(PICTURE))
            assert client.change_state(Transition.TRANSITION_DEACTIVATE)
            client.wait(lambda: client.images.get_subscription_count() == 0, "unsubscription")
        assert client.change_state(Transition.TRANSITION_CLEANUP)
        assert client.state() == State.PRIMARY_STATE_UNCONFIGURED
        client.wait(lambda: not client.node.count_publishers("/ssap/instances"), "cleanup")
    assert client.change_state(Transition.TRANSITION_UNCONFIGURED_SHUTDOWN)
    assert client.state() == State.PRIMARY_STATE_FINALIZED
    assert client.process.stop() == 0


def test_every_frame_in_order(start: Start) -> None:
    client = start(drop_policy="every", input_reliability="reliable")
    client.connect()
    headers = [client.header() for _ in range(40)]
    for header in headers:
        client.send(rgb_image(header, PICTURE))
    client.wait(lambda: len(client.detections) == len(client.instances) == 40, "all results")
    assert [msg.header for msg in client.instances] == headers
    assert [msg.header for msg in client.detections] == headers
    client.wait_for_status(received=40, processed=40, dropped=0, failed=0, waiting=0)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_latest_under_load_keeps_the_balance_and_ends_cleanly(
    start: Start, how: signal.Signals
) -> None:
    client = start()
    client.connect()
    big = paint(np.kron(rectangles(*BOXES), np.ones((4, 4), np.int32)), CLASSES)

    def flooded() -> bool:
        client.send(rgb_image(client.header(), big))
        return len(client.reports) > 3 and len(client.instances) > 3

    client.wait(flooded, "results under load")
    for report in client.reports:
        values = {value.key: value.value for value in report.status[0].values}
        count = {k: int(values[k]) for k in COUNTS}
        assert count.pop("received") == sum(count.values())
        assert count["failed"] == 0
        assert count["waiting"] <= 2
    stamps = [msg.header.stamp.sec for msg in client.instances]
    assert stamps == sorted(stamps)
    for _ in range(5):
        client.send(rgb_image(client.header(), big))
    assert client.process.stop(how) == 0
    assert "Traceback" not in client.process.log.read_text()


def test_a_second_interrupt_does_not_disturb_the_way_out(start: Start) -> None:
    """The terminal and ros2 launch may both send one."""
    client = start()
    client.connect()
    client.process.process.send_signal(signal.SIGINT)
    time.sleep(0.05)
    assert client.process.stop(signal.SIGINT) == 0
