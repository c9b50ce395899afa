"""The replay's side of the node's topics: sends frames, keeps the raw answers."""

from __future__ import annotations

import threading
import time
from array import array
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image
from std_msgs.msg import Header
from vision_msgs.msg import Detection2DArray, LabelInfo

from ssap_ros.errors import ModelError, NodeError
from ssap_ros.messages import rgb_image
from ssap_ros.node.client import Connection
from ssap_ros.replay.play.frame_tracker import Entry, Ledger, Part
from ssap_ros.replay.play.node_process import NodeProcess
from ssap_ros.replay.sources import Frame
from ssap_ros.types import ImageArray

_TIMEOUT_S = 60.0  # for the node to get ready, and to answer a frame
_QUIET_S = 2.5  # two diagnostic periods and some: afterwards a missing answer does not come
_WINDOW = 4  # frames on their way under the policy `every`; the node keeps 5 answers
_DEPTH = 20  # of all topics of the replay
_IMAGE_FIELDS = ("height", "width", "encoding", "is_bigendian", "step")
_WARM_UP = "ssap_replay_warm_up"  # frame_id of the frames before the first

Keep = Callable[[Part, Entry, bytes], None]


class Link:
    """A context that talks with one node. Callbacks run in a thread of their own.

    process: the node. cameras: names of its cameras, [""] for a single one without name. every:
    nothing may be lost. keep: called with each part of an answer in CDR, from the callbacks.

    ledger: what was sent and answered. names: class name by class id.
    """

    def __init__(
        self, process: NodeProcess, cameras: Sequence[str], *, every: bool, keep: Keep
    ) -> None:
        self.ledger = Ledger()
        self.names: dict[int, str] = {}
        self._values: dict[str, dict[str, str]] = {}
        self._process, self._keep = process, keep
        self._changed = threading.Condition()
        self._warm: dict[int, set[Part]] = {camera: set() for camera in range(len(cameras))}
        self._level, self._reason, self._n_diagnostics = DiagnosticStatus.WARN, "", 0
        self._failed_before = 0

        self._connection = Connection("replay", process.namespace, process.domain_id)
        node = self._connection.node
        reliability = ReliabilityPolicy.RELIABLE if every else ReliabilityPolicy.BEST_EFFORT
        image_qos = QoSProfile(depth=_DEPTH, reliability=reliability)
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        subscribe = node.create_subscription
        self._publishers = []
        for number, camera in enumerate(cameras):
            inside = f"{camera}/" if camera else ""
            self._publishers.append(node.create_publisher(Image, f"{inside}image", image_qos))
            masks = partial(self._on, number, "masks")
            boxes = partial(self._on, number, "detections")
            subscribe(Image, f"ssap/{inside}instances", masks, _DEPTH, raw=True)
            subscribe(Detection2DArray, f"ssap/{inside}detections", boxes, _DEPTH, raw=True)
            subscribe(LabelInfo, f"ssap/{inside}label_info", self._on_label_info, latched)
        subscribe(DiagnosticArray, "/diagnostics", self._on_diagnostics, _DEPTH)

    def __enter__(self) -> Link:
        self._connection.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.__exit__()

    # What the replay does

    def wait_until_active(self) -> None:
        """Until the class names, which an active node latches, have come.

        Raises ModelError if the node rejects its model, NodeError if it dies or stays silent.
        """
        while not self._wait(lambda: bool(self.names) or self._rejected(), _TIMEOUT_S):
            if self.values.get("state") != "building":  # an engine may take many minutes
                raise self._silence("get ready")
        if self._rejected():
            raise ModelError(self._reason)

    def warm_up(self, camera: int, size: tuple[int, int]) -> None:
        """Send grey images until one is answered on every topic, so that no topic loses a frame.

        A node that fails on them is let off: the frames themselves will tell.
        """
        grey: ImageArray = np.full((*size, 3), 127, np.uint8)
        deadline = time.monotonic() + _TIMEOUT_S

        def answered() -> bool:
            return len(self._warm[camera]) == 2

        failed = self._failed_before
        while not answered() and self._failed() == failed and time.monotonic() < deadline:
            stamp = time.monotonic_ns()
            self._publishers[camera].publish(_message(Frame(0, camera, stamp, 0, _WARM_UP, grey)))
            self._wait(lambda: answered() or self._failed() > failed, 1.0)
        if self._failed() > failed:
            self._wait(lambda: False, _QUIET_S)
            self._failed_before = self._failed()

    def send(self, frame: Frame) -> None:
        """Publish a frame and enter it into the books."""
        self._check()
        msg = _message(frame)
        with self._changed:
            now_s = time.monotonic()
            self.ledger.send(Entry(frame.index, frame.camera, frame.stamp, frame.logged, now_s))
        self._publishers[frame.camera].publish(msg)

    def wait_for_room(self) -> None:
        """Until fewer than `_WINDOW` frames are under way."""
        self._expect(lambda: self._under_way() < _WINDOW, "answer")

    def drain(self) -> None:
        """Until every frame is accounted for or nothing more comes, as the node reports."""
        answered = -1
        while self.ledger.frames_out > answered or self._count("waiting"):
            answered = self.ledger.frames_out
            if self._wait(lambda: self._under_way() <= 0, _QUIET_S):
                break
        seen = self._n_diagnostics
        self._wait(lambda: self._n_diagnostics > seen, _QUIET_S)

    @property
    def failed(self) -> int:
        """Frames that the node says it could not process."""
        return self._failed() - self._failed_before

    @property
    def values(self) -> dict[str, str]:
        """The node's latest diagnostics, of its first camera; last_error of any."""
        errors = [values.get("last_error", "") for values in self._values.values()]
        first = next(iter(self._values.values()), {})
        return {**first, "last_error": next(filter(None, errors), "")}

    # Callbacks

    def _on(self, camera: int, part: Part, raw: bytes) -> None:
        now_s = time.monotonic()
        stamp, frame_id = _header_of(raw)
        if frame_id == _WARM_UP:
            with self._changed:
                self._warm[camera].add(part)
                self._changed.notify_all()
            return
        with self._changed:
            entry = self.ledger.answer(camera, stamp, part, now_s)
            self._changed.notify_all()
        if entry:
            self._keep(part, entry, raw)

    def _on_label_info(self, msg: LabelInfo) -> None:
        with self._changed:
            self.names = {entry.class_id: entry.class_name for entry in msg.class_map}
            self._changed.notify_all()

    def _on_diagnostics(self, msg: DiagnosticArray) -> None:
        for status in msg.status:
            if self._process.namespace in status.name:
                with self._changed:
                    self._values[status.name] = {e.key: e.value for e in status.values}
                    self._level, self._reason = status.level, status.message
                    self._n_diagnostics += 1
                    self._changed.notify_all()

    # Bookkeeping

    def _failed(self) -> int:
        return self._count("failed")

    def _count(self, name: str) -> int:
        return sum(int(values.get(name, "0")) for values in self._values.values())

    def _under_way(self) -> int:
        return self.ledger.frames_in - self.ledger.frames_out - self.failed

    def _rejected(self) -> bool:
        unconfigured = self.values.get("state") == "unconfigured"
        return unconfigured and self._level == DiagnosticStatus.ERROR

    def _check(self) -> None:
        self._connection.check()
        self._process.check()

    def _wait(self, condition: Callable[[], bool], timeout_s: float) -> bool:
        """Wait for the condition; False after the timeout."""
        deadline = time.monotonic() + timeout_s
        with self._changed:
            while not condition():
                left = deadline - time.monotonic()
                if left <= 0:
                    return False
                self._changed.wait(min(left, 0.2))
                self._check()
        return True

    def _expect(self, condition: Callable[[], bool], what: str) -> None:
        if not self._wait(condition, _TIMEOUT_S):
            raise self._silence(what)

    def _silence(self, what: str) -> NodeError:
        words = self._process.last_words()
        return NodeError(f"the node did not {what} within {_TIMEOUT_S:.0f} s: {words}")


def _message(frame: Frame) -> Image:
    """The frame as it was recorded, or as rgb8."""
    header = Header(frame_id=frame.frame_id)
    header.stamp.sec, header.stamp.nanosec = divmod(frame.stamp, 1_000_000_000)
    if frame.image is not None:
        return rgb_image(header, frame.image)
    fields = {name: getattr(frame.msg, name) for name in _IMAGE_FIELDS}
    data = array("B")  # rclpy takes an array as it is; numpy or bytes it copies element by element
    data.frombytes(frame.msg.data.data.cast("B"))
    return Image(header=header, data=data, **fields)


def _header_of(raw: bytes) -> tuple[int, str]:
    """Stamp in nanoseconds and frame_id of a message in little-endian CDR."""
    sec, nanosec, length = np.frombuffer(raw, "<u4", 3, offset=4).tolist()
    return sec * 1_000_000_000 + nanosec, bytes(raw[16 : 15 + length]).decode(errors="replace")
