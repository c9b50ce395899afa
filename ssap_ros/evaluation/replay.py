"""Plays a source into the node over DDS and keeps what the node answers.

The node runs as a process of its own, as on a vehicle, in a namespace and DDS domain that only this
replay uses. Frames are stamped when they are published, and answers are matched by stamp.
"""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.context import Context
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.signals import SignalHandlerOptions
from sensor_msgs.msg import Image
from std_msgs.msg import Header
from vision_msgs.msg import Detection2DArray, LabelInfo

from ssap_ros import messages
from ssap_ros.backends import ModelError, model_path
from ssap_ros.config import SsapConfig
from ssap_ros.errors import InputError, NodeError
from ssap_ros.evaluation.ledger import Answer, Ledger
from ssap_ros.evaluation.node_process import NodeProcess
from ssap_ros.evaluation.pictures import PictureBook
from ssap_ros.evaluation.progress import ProgressLine
from ssap_ros.evaluation.sources import Frame, FrameSource, open_source
from ssap_ros.types import ImageArray

_TIMEOUT_S = 60.0  # for the node to get ready, and to answer a frame
_QUIET_S = 2.5  # two diagnostic periods and some: afterwards a missing answer does not come
_WINDOW = 4  # frames on their way under the policy `every`; the node keeps 5 answers
_DEPTH = 20  # of all topics of the replay
_PRELOAD_BYTES = 256 << 20  # decoded before the clock starts, to take no time from it


def replay(
    source: str,
    out: Path,
    *,
    max_frames: int | None = None,
    policy: str = "latest",
    model: str = "",
) -> dict[str, Any]:
    """Play `source` (see open_source) to a fresh node; write its answers to the folder `out`.

    policy: `latest` plays in real time and lets the node skip what it cannot keep up with; `every`
        waits for the node, so that nothing is lost.
    model: ONNX file; empty means the default model.

    Writes overlay.mp4, frame_*.png, summary.json and node.log. Returns the summary; in it
    frames_in = frames_out + frames_dropped + frames_failed. Raises InputError for the source or the
    folder, ModelError for the model, NodeError if the node dies or falls silent.
    """
    frames = open_source(source, max_frames)
    path = model_path(SsapConfig(model_file_path=model))
    try:
        out.mkdir(parents=True, exist_ok=True)
        (out / "node.log").write_bytes(b"")
    except OSError as error:
        raise InputError(f"cannot write to the folder {out}: {error.strerror}") from error
    for stale in (*out.glob("frame_*.png"), out / "overlay.mp4", out / "summary.json"):
        stale.unlink(missing_ok=True)
    progress = ProgressLine("replay")
    pictures = PictureBook(out, frames.fps)
    with NodeProcess(path, policy, out / "node.log") as node:
        progress.show("starting the node", force=True)
        head, rest = _preload(frames)
        with _Link(node, policy, pictures) as link:
            link.wait_until_active()
            link.warm_up(head[0][1].shape)
            _play(link, itertools.chain(head, rest), frames, policy, progress)
            link.drain()
            progress.show(_status(link, frames), force=True)
            summary = {"source": source, **link.summary(), "model": str(path)}
    pictures.close()
    progress.end()
    (out / "summary.json").write_text(json.dumps(summary, indent=2) + "\n")
    return summary


def _preload(frames: FrameSource) -> tuple[list[Frame], Iterator[Frame]]:
    """The first frames, decoded, as many as memory may hold; and the iterator of the others."""
    rest, head, size = iter(frames), [], 0
    for stamp, image in rest:
        head.append((stamp, image))
        size += image.nbytes
        if size >= _PRELOAD_BYTES:
            break
    return head, rest


def _play(
    link: _Link, frames: Iterable[Frame], source: FrameSource, policy: str, progress: ProgressLine
) -> None:
    start = first = None
    for stamp, image in frames:
        if policy == "every":
            link.wait_for_room()
        else:
            now = time.monotonic()
            start, first = (now, stamp) if start is None or first is None else (start, first)
            time.sleep(max(start + (stamp - first) * 1e-9 - now, 0.0))
        link.publish(image)
        progress.show(_status(link, source))


def _status(link: _Link, source: FrameSource) -> str:
    ledger, total = link.ledger, f"/{source.n_frames}" if source.n_frames else ""
    unreadable = f", {source.skipped} unreadable" if source.skipped else ""
    return (
        f"{ledger.frames_in}{total} frames played{unreadable}, {ledger.frames_out} answered, "
        f"{ledger.n_instances} objects"
    )


class _Link:
    """The replay's side of the topics. Callbacks run in a thread of their own.

    ledger: what was sent and answered; shared with the callbacks, guarded by a lock.
    """

    def __init__(self, process: NodeProcess, policy: str, pictures: PictureBook) -> None:
        self.ledger = Ledger()
        self._process, self._pictures = process, pictures
        self._changed = threading.Condition()
        self._warm = Ledger()
        self._names: dict[str, str] = {}
        self._error: Exception | None = None
        self._values: dict[str, str] = {}  # the node's latest diagnostics
        self._level, self._reason, self._n_diagnostics = DiagnosticStatus.WARN, "", 0
        self._failed_before = 0

        self._context = Context()
        rclpy.init(
            context=self._context,
            domain_id=process.domain_id,
            signal_handler_options=SignalHandlerOptions.NO,
        )
        self._node = rclpy.create_node(
            "replay",
            namespace=process.namespace,
            context=self._context,
            use_global_arguments=False,
        )
        every = policy == "every"
        reliability = ReliabilityPolicy.RELIABLE if every else ReliabilityPolicy.BEST_EFFORT
        image_qos = QoSProfile(depth=_DEPTH, reliability=reliability)
        self._publisher = self._node.create_publisher(Image, "image", image_qos)
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        subscribe = self._node.create_subscription
        subscribe(Image, "ssap/instances", self._on_instances, _DEPTH)
        subscribe(Detection2DArray, "ssap/detections", self._on_detections, _DEPTH)
        subscribe(Image, "ssap/overlay", self._on_overlay, _DEPTH)
        subscribe(LabelInfo, "ssap/label_info", self._on_label_info, latched)
        subscribe(DiagnosticArray, "/diagnostics", self._on_diagnostics, _DEPTH)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)
        self._thread = threading.Thread(target=self._spin, name="replay", daemon=True)

    def __enter__(self) -> _Link:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._executor.shutdown()
        self._context.try_shutdown()
        self._thread.join()
        self._node.destroy_node()

    def _spin(self) -> None:
        try:
            self._executor.spin()
        except ExternalShutdownException:
            pass
        except Exception as error:  # handed to the thread that waits for the answers
            self._error = error

    # What the replay does

    def wait_until_active(self) -> None:
        """Until the class names, which an active node latches, have come."""
        self._expect(lambda: bool(self._names) or self._rejected(), "get ready")
        if self._rejected():
            raise ModelError(self._reason)

    def warm_up(self, shape: tuple[int, ...]) -> None:
        """Send grey images until one is answered on every topic, so that no topic loses a frame.

        A node that fails on them is let off: the frames themselves will tell.
        """
        grey: ImageArray = np.full(shape, 127, np.uint8)
        deadline = time.monotonic() + _TIMEOUT_S

        def answered() -> bool:
            return any(answer.complete for answer in self._warm.answers.values())

        while not answered() and not self._failed() and time.monotonic() < deadline:
            self._send(grey, self._warm)
            self._wait(lambda: answered() or self._failed() > 0, 1.0)
        if self._failed():
            self._wait(lambda: False, _QUIET_S)
            self._failed_before = self._failed()

    def publish(self, image: ImageArray) -> None:
        """Send the next frame."""
        self._check()
        self._send(image, self.ledger)

    def wait_for_room(self) -> None:
        """Until fewer than `_WINDOW` frames are under way."""
        self._expect(lambda: self._under_way() < _WINDOW, "answer")

    def drain(self) -> None:
        """Until every frame is accounted for or nothing more comes, as the node reports."""
        answered = -1
        while self.ledger.frames_out > answered or self._values.get("waiting", "0") != "0":
            answered = self.ledger.frames_out
            if self._wait(lambda: self._under_way() <= 0, _QUIET_S):
                break
        seen = self._n_diagnostics
        self._wait(lambda: self._n_diagnostics > seen, _QUIET_S)

    def summary(self) -> dict[str, Any]:
        """See Ledger.summary."""
        with self._changed:
            failed = self._failed() - self._failed_before
            return self.ledger.summary(failed, self._names, self._values)

    # Callbacks

    def _on_instances(self, msg: Image) -> None:
        now = time.monotonic()
        with self._answer(msg.header) as answer:
            answer.masks_s = now

    def _on_detections(self, msg: Detection2DArray) -> None:
        with self._answer(msg.header) as answer:
            answer.class_ids = [d.results[0].hypothesis.class_id for d in msg.detections]

    def _on_overlay(self, msg: Image) -> None:
        with self._answer(msg.header) as answer:
            answer.overlay = messages.image_to_rgb(msg)

    @contextmanager
    def _answer(self, header: Header) -> Iterator[Answer]:
        """The answer that the header's stamp belongs to; pictures are made of a complete one."""
        stamp = header.stamp.sec * 1_000_000_000 + header.stamp.nanosec
        ours = self.ledger.answers.get(stamp)
        answer = ours or self._warm.answers.get(stamp) or Answer(0, 0.0)
        with self._changed:
            yield answer
            if ours:
                self.ledger.settle(ours)
            self._changed.notify_all()
        if ours and ours.complete and ours.overlay is not None:
            self._pictures.add(ours.index, ours.overlay, len(ours.class_ids or ()))
            ours.overlay = None

    def _on_label_info(self, msg: LabelInfo) -> None:
        with self._changed:
            self._names = {str(entry.class_id): entry.class_name for entry in msg.class_map}
            self._changed.notify_all()

    def _on_diagnostics(self, msg: DiagnosticArray) -> None:
        for status in msg.status:
            if self._process.namespace in status.name:
                with self._changed:
                    self._values = {entry.key: entry.value for entry in status.values}
                    self._level, self._reason = status.level, status.message
                    self._n_diagnostics += 1
                    self._changed.notify_all()

    # Bookkeeping

    def _send(self, image: ImageArray, ledger: Ledger) -> None:
        stamp = time.time_ns()
        header = Header(frame_id="replay")
        header.stamp.sec, header.stamp.nanosec = divmod(stamp, 1_000_000_000)
        msg = messages.rgb_image(header, image)
        with self._changed:
            ledger.send(stamp, time.monotonic())
        self._publisher.publish(msg)

    def _failed(self) -> int:
        return int(self._values.get("failed", "0"))

    def _under_way(self) -> int:
        failed = self._failed() - self._failed_before
        return self.ledger.frames_in - self.ledger.frames_out - failed

    def _rejected(self) -> bool:
        unconfigured = self._values.get("state") == "unconfigured"
        return unconfigured and self._level == DiagnosticStatus.ERROR

    def _check(self) -> None:
        if self._error is not None:
            raise self._error
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
            words = self._process.last_words()
            raise NodeError(f"the node did not {what} within {_TIMEOUT_S:.0f} s: {words}")
