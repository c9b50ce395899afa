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

"""The depth node over real DDS, on scenes whose masks, depths and boxes are known exactly."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed")
pytest.importorskip("vision_msgs", reason="vision_msgs is not installed")

from autoware_internal_debug_msgs.msg import Float64Stamped
from diagnostic_msgs.msg import DiagnosticStatus
from lifecycle_msgs.msg import State, Transition
from sensor_msgs.msg import CameraInfo, Image, PointCloud2
from std_msgs.msg import Header
from std_srvs.srv import SetBool
from vision_msgs.msg import Detection2DArray, Detection3DArray
from visualization_msgs.msg import Marker, MarkerArray

from ssap_ros import messages
from ssap_ros.messages.space import Labelled
from ssap_ros.node import qos
from ssap_ros.node.client import Connection
from ssap_ros.node.depth.publishers import FrameArrays
from ssap_ros.stages.depth import CameraRays, locate, without_classes
from support.depth_scenes import SIZE, Box, DepthScene, K, render
from support.node_client import COUNTS, NodeEnd, NodeProcess, balanced, end

pytestmark = pytest.mark.timeout(300)

PERSON = Box((-1.0, 0.6, 5.0), (0.5, 1.8, 0.4))
CAR = Box((1.5, 0.8, 8.0), (4.2, 1.4, 1.8), yaw=0.6, class_id=3)
SCENE = render([PERSON, CAR])
NAMES = {0: "background", 1: "person", 2: "bicycle", 3: "car"}
OUTPUTS = {
    "detections_3d": Detection3DArray,
    "markers": MarkerArray,
    "points": PointCloud2,
    "depth/static": Image,
    "debug/detections_3d_ms": Float64Stamped,
}


class DepthClient(NodeEnd):
    """The other end of the depth node: plays the segmentation node and the depth camera."""

    def __init__(self, domain: int, process: NodeProcess) -> None:
        super().__init__(domain, process, "ssap_depth")
        self.domain = domain
        create = self.node.create_publisher
        self.masks = create(Image, "ssap/instances", 100)
        self.detections = create(Detection2DArray, "ssap/detections", 100)
        self.label_info = create(
            messages.label_info(Header(), NAMES, 0.4).__class__, "ssap/label_info", qos.latched()
        )
        self.depth = create(Image, "depth", 100)
        self.camera_info = create(CameraInfo, "camera_info", 100)
        self.open()

    def connect(self) -> None:
        parts = (self.masks, self.detections, self.label_info, self.depth, self.camera_info)
        self.wait(lambda: all(p.get_subscription_count() for p in parts), "subscriptions")

    def name_classes(self) -> None:
        self.label_info.publish(messages.label_info(Header(), NAMES, 0.4))

    def hear(self, *topics: str) -> dict[str, list[Any]]:
        """Listen to outputs, connected when this returns."""
        got = {topic: self.listen(OUTPUTS[topic], f"/ssap_depth/{topic}", 100) for topic in topics}
        for topic in topics:
            self.wait(lambda t=topic: self.node.count_publishers(f"/ssap_depth/{t}"), topic)
        time.sleep(0.5)  # for the other side to notice
        return got

    def send(
        self,
        scene: DepthScene = SCENE,
        depth: np.ndarray | Image | None = None,
        info: CameraInfo | None = None,
        depth_header: Header | None = None,
        ids: tuple[int, ...] = (),
    ) -> Header:
        """Send a frame, depth and camera_info first as on a robot; its header."""
        header = self.header()
        other = depth_header or header
        if not isinstance(depth, Image):
            depth = messages.depth_image(other, scene.depth if depth is None else depth)
        depth.header = other
        info = info or calibration()
        info.header = other
        self.camera_info.publish(info)
        self.depth.publish(depth)
        self.masks.publish(messages.label_image(header, scene.labels))
        self.detections.publish(messages.detections(header, scene.instances, ids))
        return header

    def until(self, sent: Callable[[], Header], got: list[Any]) -> tuple[Header, Any]:
        """Send frames until one has this output; its header and the message."""
        headers: list[Header] = []
        sent_s = 0.0

        def came() -> Any:
            nonlocal sent_s
            if time.monotonic() - sent_s > 1:
                headers.append(sent())
                sent_s = time.monotonic()
            return next((m for m in got if m.header in headers), None)

        self.wait(came, "output")
        found = came()
        return found.header, found

    def send_until_rejected(
        self, sent: Callable[[], object], words: str, state: str = "rejected"
    ) -> None:
        """Send such frames until the diagnostics report them with these words."""

        def reported() -> bool:
            sent()
            status, values = self.status()
            return values["state"] == state and words in status.message

        deadline = time.monotonic() + 30
        while not reported():
            assert time.monotonic() < deadline, (words, self.status())


def calibration(k: tuple[float, ...] = K, **fields: Any) -> CameraInfo:
    return CameraInfo(**{"height": SIZE[0], "width": SIZE[1], "k": list(k), **fields})


@pytest.fixture
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., DepthClient]]:
    clients: list[DepthClient] = []

    def run(**parameters: object) -> DepthClient:
        domain = 101 + os.getpid() % 100
        log = tmp_path_factory.mktemp("depth") / "log.txt"
        process = NodeProcess(domain, log, ("-m", "ssap_ros.node.depth"), parameters)
        clients.append(DepthClient(domain, process))
        return clients[-1]

    yield run
    for client in clients:
        end(client)


def test_objects_in_space_are_those_of_the_masks(start: Callable[..., DepthClient]) -> None:
    client = start()
    client.connect()
    client.name_classes()
    got = client.hear("detections_3d", "debug/detections_3d_ms")
    header, found = client.until(lambda: client.send(ids=(7, 9)), got["detections_3d"])
    rays = CameraRays(K, SIZE)
    expected = locate(SCENE.labels, SCENE.boxes, SCENE.depth, rays)
    assert [d.id for d in found.detections] == ["7", "9"]
    assert [d.results[0].hypothesis.class_id for d in found.detections] == ["1", "3"]
    for detection, item, truth in zip(found.detections, expected, (PERSON, CAR), strict=True):
        assert detection.header == header
        assert detection.results[0].hypothesis.score == pytest.approx(0.9)
        assert detection.results[0].pose.pose == detection.bbox.center
        position, size = detection.bbox.center.position, detection.bbox.size
        np.testing.assert_allclose([position.x, position.y, position.z], item.centre, atol=1e-6)
        np.testing.assert_allclose([size.x, size.y, size.z], item.size, atol=1e-6)
        assert np.linalg.norm(np.subtract(truth.centre, item.centre)) < 0.3
        covariance = np.reshape(detection.results[0].pose.covariance, (6, 6))
        np.testing.assert_allclose(covariance[:3, :3], item.covariance, atol=1e-9)
        assert not covariance[3:].any()
        turn = detection.bbox.center.orientation
        length = rotated((turn.x, turn.y, turn.z, turn.w), (1, 0, 0))
        np.testing.assert_allclose(length, item.axes[:, 0], atol=1e-6)
    client.wait(lambda: got["debug/detections_3d_ms"], "time")
    values = client.status()[1]
    assert {"wait_ms", "detections_3d_ms", "total_ms"} <= set(values)
    assert not {"points_ms", "markers_ms", "depth_static_ms"} & set(values), "nobody listens"
    assert balanced({name: int(values[name]) for name in COUNTS})


def rotated(turn: tuple[float, ...], vector: tuple[float, ...]) -> np.ndarray:
    """The vector after a turn by the quaternion x, y, z, w."""
    axis, w = np.array(turn[:3]), turn[3]
    return vector + 2 * np.cross(axis, np.cross(axis, vector) + w * np.array(vector))


def test_points_static_depth_and_markers(start: Callable[..., DepthClient]) -> None:
    client = start(static_dilation=3)
    client.connect()
    client.name_classes()
    got = client.hear("points", "depth/static", "markers")
    millimetres = np.round(1000 * SCENE.depth).astype(np.uint16)
    header, cloud = client.until(lambda: client.send(depth=millimetres), got["points"])
    failed = client.counts()["failed"]  # a first frame may overtake its camera_info
    fields = {field.name: field.offset for field in cloud.fields}
    assert list(fields) == ["x", "y", "z", "rgb", "label", "class_id", "id"]
    kinds = dict(zip(fields, ("<f4", "<f4", "<f4", "<u4", "<u2", "<u2", "<i4"), strict=True))
    dtype = np.dtype(
        {
            "names": list(fields),
            "formats": list(kinds.values()),
            "offsets": list(fields.values()),
            "itemsize": cloud.point_step,
        }
    )
    points = np.frombuffer(cloud.data, dtype)
    rows, columns = np.nonzero(SCENE.labels)
    assert len(points) == cloud.width == len(rows)
    np.testing.assert_array_equal(points["label"], SCENE.labels[rows, columns])
    np.testing.assert_array_equal(points["class_id"], np.array([0, 1, 3])[points["label"]])
    assert not points["id"].any()
    assert len(np.unique(points["rgb"])) == 2
    z = millimetres[rows, columns] * 1e-3
    np.testing.assert_allclose(points["z"], z, atol=1e-5)
    np.testing.assert_allclose(points["x"], (columns - K[2]) / K[0] * z, atol=1e-4)
    np.testing.assert_allclose(points["y"], (rows - K[5]) / K[4] * z, atol=1e-4)

    _, static = client.until(lambda: client.send(depth=millimetres), got["depth/static"])
    assert (static.encoding, static.height, static.width) == ("16UC1", *SIZE)
    expected = without_classes(millimetres, SCENE.labels, [1, 3], {1}, 3)
    np.testing.assert_array_equal(messages.depth_of(static), expected)
    assert client.set_parameter("static_classes", ["person", "car"]).successful
    _, static = client.until(lambda: client.send(), got["depth/static"])
    assert static.encoding == "32FC1"
    expected = without_classes(SCENE.depth, SCENE.labels, [1, 3], {1, 3}, 3)
    np.testing.assert_array_equal(messages.depth_of(static), expected)

    client.wait(lambda: got["markers"], "markers")
    clear, *shown = got["markers"][-1].markers
    assert clear.action == Marker.DELETEALL
    assert [(m.ns, m.id) for m in shown] == [
        ("boxes", 1), ("texts", 1), ("boxes", 2), ("texts", 2),
    ]  # fmt: skip
    assert shown[1].text == "person 4.8 m"
    assert (shown[0].type, shown[1].type) == (Marker.CUBE, Marker.TEXT_VIEW_FACING)
    assert shown[0].scale.z == pytest.approx(1.8, abs=0.1)
    assert client.counts()["failed"] == failed
    assert header in [m.header for m in got["points"]]


def test_what_cannot_be_used_is_reported_and_the_next_frame_is_processed(
    start: Callable[..., DepthClient],
) -> None:
    client = start()
    client.connect()
    got = client.hear("detections_3d", "depth/static")
    half = np.ascontiguousarray(SCENE.depth[::2, ::2])
    broken = messages.depth_image(Header(), SCENE.depth)
    broken.data = broken.data[:1000]
    rgb = messages.rgb_image(Header(), np.zeros((*SIZE, 3), np.uint8))
    cases: list[tuple[dict[str, Any], str]] = [
        ({}, "needs the names of the classes, no label_info came"),
        ({"depth": half}, "aligned to the masks, 320 x 240, got 160 x 120"),
        ({"depth": rgb}, "depth must be 16UC1 in millimetres or 32FC1 in metres, got 'rgb8'"),
        ({"depth": broken}, "32FC1 of 320 x 240 needs rows of 1280 bytes, got 1000"),
        ({"info": calibration((0.0,) * 9)}, "focal lengths above 0 in K"),
        ({"info": calibration(height=480)}, "camera_info must be of 320 x 240"),
        ({"info": calibration(d=[0.1] * 3, distortion_model="plumb_bob")}, "'plumb_bob' with 3"),
    ]
    for arguments, words in cases:
        client.send_until_rejected(lambda a=arguments: client.send(**a), words)
    single = DepthScene(SCENE.labels, SCENE.depth, SCENE.instances[:1])
    words = "labels must be at most 1, one per detection, got 2"
    client.send_until_rejected(lambda: client.send(single), words)
    client.name_classes()
    client.until(client.send, got["depth/static"])
    client.wait_for_status(state="active")
    counts = client.counts()
    assert counts["failed"] >= len(cases) + 1
    assert counts["processed"] >= 1


def test_depth_of_another_time_is_joined_only_within_the_tolerance(
    start: Callable[..., DepthClient],
) -> None:
    client = start()
    client.connect()
    got = client.hear("detections_3d")

    def late() -> Header:
        """Depth 3 ms after the masks."""
        later = client.header()
        later.stamp.sec += 2
        later.stamp.nanosec = 2_999_937
        return client.send(depth_header=later)

    words = "within 0 ms (sync_tolerance_ms) of the masks, the nearest is 3.0 ms away"
    client.send_until_rejected(late, words, "unmatched")
    assert not got["detections_3d"]
    assert client.set_parameter("sync_tolerance_ms", 5.0).successful
    client.until(late, got["detections_3d"])
    values = client.status()[1]
    assert int(values["unmatched"]) >= 1
    assert int(values["dropped"]) >= int(values["unmatched"])
    assert balanced({name: int(values[name]) for name in COUNTS})


def test_a_rectified_camera_takes_its_projection(start: Callable[..., DepthClient]) -> None:
    client = start(rectified=True)
    client.connect()
    got = client.hear("detections_3d")
    p = [K[0], 0.0, K[2], -30.0, 0.0, K[4], K[5], 0.0, 0.0, 0.0, 1.0, 0.0]
    raw = calibration((100.0,) * 9, d=[0.5] * 5, distortion_model="plumb_bob", p=p)
    _, found = client.until(lambda: client.send(info=raw), got["detections_3d"])
    centre = found.detections[0].bbox.center.position
    np.testing.assert_allclose([centre.x, centre.y, centre.z], (-1, 0.6, 4.9), atol=0.15)


def test_the_states_and_ways_out(start: Callable[..., DepthClient]) -> None:
    client = start(autostart=False)
    assert client.status()[1]["state"] == "unconfigured"
    assert not client.change_state(Transition.TRANSITION_ACTIVATE)
    for _ in range(2):
        assert client.change_state(Transition.TRANSITION_CONFIGURE)
        client.wait_for_status(state="inactive")
        assert client.change_state(Transition.TRANSITION_ACTIVATE)
        client.connect()
        status, values = client.status()
        assert values["state"] == "waiting"
        assert status.message == "no masks yet on /ssap/instances"
        assert client.call(SetBool, "enable", SetBool.Request(data=False)).success
        client.wait(lambda: not client.masks.get_subscription_count(), "unsubscription")
        client.wait_for_status(state="disabled")
        assert client.call(SetBool, "enable", SetBool.Request(data=True)).success
        client.connect()
        assert client.change_state(Transition.TRANSITION_DEACTIVATE)
        assert client.change_state(Transition.TRANSITION_CLEANUP)
        client.wait(lambda: not client.node.count_publishers("/ssap_depth/points"), "cleanup")
    assert client.state() == State.PRIMARY_STATE_UNCONFIGURED
    assert client.process.stop() == 0
    assert "Traceback" not in client.process.log.read_text()


def test_every_frame_in_order(start: Callable[..., DepthClient]) -> None:
    client = start(drop_policy="every", input_qos="reliable")
    client.connect()
    got = client.hear("detections_3d")
    headers = [client.send() for _ in range(40)]
    client.wait(lambda: len(got["detections_3d"]) == 40, "all results")
    assert [m.header for m in got["detections_3d"]] == headers
    client.wait_for_status(received=40, processed=40, dropped=0, failed=0, waiting=0)


def test_a_wrong_type_and_a_parameter_that_does_not_fit(
    start: Callable[..., DepthClient],
) -> None:
    client = start()
    with Connection("stranger", "", client.domain) as stranger:
        stranger.node.create_publisher(CameraInfo, "ssap/instances", 10)
        client.wait_for_status(state="wrong_type")
        status, values = client.status()
        assert values["masks_topic"] == "/ssap/instances"
        wanted = "/ssap/instances must be sensor_msgs/msg/Image, got sensor_msgs/msg/CameraInfo"
        assert status.message == f"{wanted} by stranger"
    assert not client.set_parameter("sync_tolerance_ms", -1.0).successful
    assert not client.set_parameter("target_frame", "map").successful, "read-only"
    command = [sys.executable, "-m", "ssap_ros.node.depth", "--ros-args", "-p", "autostart:=3"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith("ssap_depth: error: ")


def test_in_a_target_frame_boxes_stand_upright() -> None:
    """A camera that looks 20 degrees down, 1 m above and 2 m before the origin of the map."""
    tilt = np.radians(20)
    forward = np.array([np.cos(tilt), 0, -np.sin(tilt)])
    right, down = np.array([0.0, -1, 0]), np.array([-np.sin(tilt), 0, -np.cos(tilt)])
    rotation, shift = np.stack([right, down, forward], axis=1), np.array([2.0, 0, 1])
    labelled = Labelled.of(messages.detections(Header(), SCENE.instances).detections)
    header, in_map = Header(frame_id="camera"), Header(frame_id="map")
    scene = FrameArrays(
        header, header, SCENE.labels, SCENE.depth, labelled, CameraRays(K, SIZE),
        (in_map, rotation, shift), 2,
    )  # fmt: skip
    assert scene.out_header == in_map
    for item, truth in zip(scene.objects, (PERSON, CAR), strict=True):
        np.testing.assert_allclose(item.axes[:, 2], (0, 0, 1), atol=1e-6)
        centre = rotation @ np.array(truth.centre) + shift
        assert np.linalg.norm(item.centre - centre) < 0.8
        assert np.linalg.norm(rotation.T @ (item.centre - shift) - truth.centre) < 0.8
        assert item.depth == pytest.approx(truth.centre[2], abs=1.5), "along the camera's axis"


def test_without_tf2_a_target_frame_is_refused(start: Callable[..., DepthClient]) -> None:
    try:
        import tf2_ros  # noqa: F401
    except ImportError:
        client = start(target_frame="map")
        client.wait(lambda: client.status()[0].level == DiagnosticStatus.ERROR, "refusal")
        status, values = client.status()
        assert values["state"] == "unconfigured"
        assert "target_frame 'map' needs the Python package tf2_ros" in status.message
    else:
        pytest.skip("tf2_ros is installed")
