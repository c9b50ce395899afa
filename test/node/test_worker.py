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

"""The queue and the worker: nobody is lost, the newest wins, all get their turn."""

from __future__ import annotations

import random
import sys
import threading
import time
from collections.abc import Sequence

import numpy as np
import pytest

from ssap_ros.backends.onnxruntime import OnnxRuntimeBackend
from ssap_ros.config import SsapConfig
from ssap_ros.node.queue import FrameCounts, FrameQueue, Outcome
from ssap_ros.node.stage_times import StageTimes
from ssap_ros.node.worker import FrameWorker
from ssap_ros.pipeline import Prediction, SsapPipeline
from ssap_ros.types import FrameResult
from support.toy_model import paint

CAMERAS = ("a", "b", "c")


def balanced(counts: FrameCounts) -> bool:
    return counts.received == sum((counts.processed, counts.dropped, counts.failed, counts.waiting))


def test_latest_keeps_the_newest_and_counts_the_replaced() -> None:
    queue: FrameQueue[int] = FrameQueue([""], "latest")
    queue.open()
    for frame in range(5):
        assert queue.has_capacity("")
        queue.put("", frame)
        assert queue.counts("").received == frame + 1
        assert balanced(queue.counts(""))
    assert queue.take() == [("", 4)]
    assert queue.counts("") == FrameCounts(received=5, dropped=4, waiting=1)
    queue.account("", Outcome.PROCESSED)
    assert queue.counts("") == FrameCounts(received=5, processed=1, dropped=4)


def test_every_keeps_all_in_order_and_says_when_it_is_full() -> None:
    queue: FrameQueue[int] = FrameQueue([""], "every")
    queue.open()
    n = 0
    while queue.has_capacity(""):
        queue.put("", n)
        n += 1
    assert n > 1
    for frame in range(n):
        assert queue.take() == [("", frame)]
        assert queue.has_capacity("")
        queue.account("", Outcome.FAILED if frame % 2 else Outcome.PROCESSED)
    assert queue.counts("") == FrameCounts(received=n, processed=n - n // 2, failed=n // 2)


@pytest.mark.parametrize("policy", ["latest", "every"])
def test_closing_drops_what_waits_and_frees_the_taker(policy: str) -> None:
    queue: FrameQueue[int] = FrameQueue([""], policy)
    queue.put("", 0)
    assert queue.counts("") == FrameCounts(received=1, dropped=1), "it starts closed"
    queue.open()
    queue.put("", 1)
    queue.close()
    assert queue.take() == []
    assert queue.counts("") == FrameCounts(received=2, dropped=2)


def test_cameras_take_turns_whoever_is_louder() -> None:
    queue: FrameQueue[int] = FrameQueue(CAMERAS, "latest")
    queue.open()
    served = []
    for step in range(30):
        for camera in CAMERAS:
            for _ in range(9 if camera == "b" else 1):
                queue.put(camera, step)
        ((camera, frame),) = queue.take()
        assert frame == step, "the newest"
        served.append(camera)
        queue.account(camera, Outcome.PROCESSED)
    assert all(set(served[i : i + 3]) == set(CAMERAS) for i in range(28))


def test_a_silent_camera_does_not_hold_up_the_others_and_is_next_when_it_speaks() -> None:
    queue: FrameQueue[int] = FrameQueue(CAMERAS, "every")
    queue.open()
    for frame in range(4):
        queue.put("a", frame)
        queue.put("b", frame)
    assert [queue.take()[0][0] for _ in range(4)] == ["a", "b", "a", "b"]
    queue.put("c", 0)
    assert queue.take() == [("c", 0)]


def test_a_batch_has_one_frame_per_camera() -> None:
    queue: FrameQueue[int] = FrameQueue(CAMERAS, "every")
    queue.open()
    for camera, frame in (("a", 1), ("a", 2), ("b", 3), ("c", 4)):
        queue.put(camera, frame)
    assert queue.take(2) == [("a", 1), ("b", 3)]
    assert queue.take(9) == [("c", 4), ("a", 2)]


@pytest.mark.parametrize("policy", ["latest", "every"])
def test_counters_balance_after_any_sequence(policy: str) -> None:
    rng = random.Random(5)
    queue: FrameQueue[int] = FrameQueue(CAMERAS, policy)
    in_work: list[str] = []
    for step in range(3000):
        act, camera = rng.choice("ppptfoc"), rng.choice(CAMERAS)
        if act == "p" and queue.has_capacity(camera):
            queue.put(camera, step)
        elif act == "t" and any(queue.counts(c).waiting > in_work.count(c) for c in CAMERAS):
            in_work += [name for name, _ in queue.take(rng.randint(1, 3))]
        elif act == "f" and in_work:
            queue.account(
                in_work.pop(0), rng.choice([Outcome.PROCESSED, Outcome.DROPPED, Outcome.FAILED])
            )
        elif act == "o":
            queue.open()
        elif act == "c" and step % 10 == 0:
            queue.close()
        assert all(balanced(queue.counts(c)) for c in CAMERAS)
        assert all(queue.counts(c).waiting >= in_work.count(c) for c in CAMERAS)


def test_readers_see_a_balance_while_frames_come_and_go() -> None:
    queue: FrameQueue[int] = FrameQueue([""], "latest")
    queue.open()
    end = threading.Event()

    def produce() -> None:
        while not end.is_set():
            queue.put("", 0)

    def consume() -> None:
        while queue.take():
            queue.account("", Outcome.PROCESSED)

    threads = [threading.Thread(target=run) for run in (produce, consume)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    for thread in threads:
        thread.start()
    try:
        assert all(balanced(queue.counts("")) for _ in range(5000))
    finally:
        sys.setswitchinterval(interval)
        end.set()
        queue.close()
        for thread in threads:
            thread.join()


@pytest.mark.parametrize("segmenting", [0, 1, 3])
def test_worker_survives_errors_and_finishes_the_frame_in_work(segmenting: int) -> None:
    errors: list[str] = []
    done, go_on = threading.Event(), threading.Event()
    queue: FrameQueue[int] = FrameQueue([""], "every")

    def predict(batch: Sequence[tuple[str, int]]) -> list[int | str]:
        ((_, frame),) = batch
        if frame == 1:
            raise ValueError("frame 1 is bad")
        return [frame]

    def segment(frame: int) -> int | Outcome:
        if frame == 2:
            done.set()
            go_on.wait(10)
        return frame

    worker = FrameWorker(
        queue,
        predict,
        segment,
        lambda _: Outcome.PROCESSED,
        lambda e: errors.append(str(e)),
        lambda: None,
    )
    worker.start(segmenting=segmenting)
    for frame in (0, 1, 2, 3):
        queue.put("", frame)
    assert done.wait(10)
    assert queue.counts("") == FrameCounts(received=4, processed=1, failed=1, waiting=2)
    assert not worker.stop(timeout_s=0.01), "a frame is in work"
    stopping = threading.Thread(target=worker.stop)
    stopping.start()
    go_on.set()
    stopping.join(10)
    assert errors == ["frame 1 is bad"]
    counts = queue.counts("")
    assert (counts.received, counts.failed, counts.waiting) == (4, 1, 0)
    assert counts.processed in ((2, 3) if segmenting else (2,)), (
        "frame 3 may have been predicted already"
    )
    worker.start(segmenting=segmenting)
    queue.put("", 4)
    while queue.counts("").waiting:
        pass
    assert queue.counts("").processed == counts.processed + 1
    assert worker.stop()


@pytest.mark.parametrize("segmenting", [1, 3])
def test_as_many_frames_are_segmented_at_once_and_one_more_is_predicted(segmenting: int) -> None:
    n_frames = 8
    predicted: list[int] = []
    begun: set[int] = set()
    published: list[int] = []
    gates = [threading.Event() for _ in range(n_frames)]
    queue: FrameQueue[int] = FrameQueue([""], "every")

    def predict(batch: Sequence[tuple[str, int]]) -> list[int]:
        predicted.append(batch[0][1])
        return [batch[0][1]]

    def segment(frame: int) -> int:
        begun.add(frame)
        gates[frame].wait(10)
        return frame

    def publish(frame: int) -> Outcome:
        published.append(frame)
        return Outcome.PROCESSED

    def state() -> tuple[list[int], set[int], list[int]]:
        return predicted, begun, published

    worker = FrameWorker(queue, predict, segment, publish, lambda _: None, lambda: None)
    worker.start(segmenting=segmenting)
    for frame in range(n_frames):
        queue.put("", frame)
    for done in range(n_frames):
        expected = (
            list(range(min(done + segmenting + 1, n_frames))),
            set(range(min(done + segmenting, n_frames))),
            list(range(done)),
        )
        deadline = time.monotonic() + 10
        while state() != expected and time.monotonic() < deadline:
            time.sleep(0.001)
        assert state() == expected
        time.sleep(0.02)
        assert state() == expected, "no further ahead"
        gates[done].set()
    while queue.counts("").waiting:
        time.sleep(0.001)
    assert worker.stop()
    assert published == list(range(n_frames))


def test_frames_are_published_in_order_however_long_each_takes() -> None:
    rng = random.Random(0)
    published: list[tuple[str, int]] = []
    queue: FrameQueue[int] = FrameQueue(CAMERAS, "every")
    frames = [(rng.choice(CAMERAS), frame) for frame in range(120)]
    delays = [rng.choice((0.0, 0.001, 0.004)) for _ in frames]

    def segment(named: tuple[str, int]) -> tuple[str, int] | Outcome:
        time.sleep(delays[named[1]])
        if named[1] % 10 == 3:
            raise ValueError("a bad frame")
        return Outcome.DROPPED if named[1] % 10 == 6 else named

    def publish(named: tuple[str, int]) -> Outcome:
        published.append(named)
        if named[1] % 10 == 9:
            raise ValueError("cannot be published")
        return Outcome.PROCESSED

    errors: list[str] = []
    worker = FrameWorker(
        queue, list, segment, publish, lambda e: errors.append(str(e)), lambda: None
    )
    worker.start(max_batch=2, segmenting=3)
    for camera, frame in frames:
        while not queue.has_capacity(camera):
            time.sleep(0.001)
        queue.put(camera, frame)
    while any(queue.counts(camera).waiting for camera in CAMERAS):
        time.sleep(0.001)
    assert worker.stop()
    for camera in CAMERAS:
        mine = [frame for name, frame in frames if name == camera]
        assert [frame for name, frame in published if name == camera] == [
            frame for frame in mine if frame % 10 not in (3, 6)
        ]
        assert queue.counts(camera) == FrameCounts(
            received=len(mine),
            processed=sum(frame % 10 not in (3, 6, 9) for frame in mine),
            dropped=sum(frame % 10 == 6 for frame in mine),
            failed=sum(frame % 10 in (3, 9) for frame in mine),
        )
    assert sorted(errors) == ["a bad frame"] * 12 + ["cannot be published"] * 12


def test_the_pipeline_gives_the_same_results_side_by_side(toy_backend: OnnxRuntimeBackend) -> None:
    pipeline = SsapPipeline(toy_backend, SsapConfig())
    images = []
    for shift in range(0, 64, 8):
        instances = np.zeros((128, 256), np.int32)
        instances[32:96, shift : shift + 64], instances[32:96, shift + 64 : shift + 128] = 1, 2
        images.append(paint(instances, [3, 1]))
    results: list[FrameResult] = []
    queue: FrameQueue[np.ndarray] = FrameQueue([""], "every")

    def predict(batch: Sequence[tuple[str, np.ndarray]]) -> list[Prediction]:
        return pipeline.predict([image for _, image in batch])

    def publish(result: FrameResult) -> Outcome:
        results.append(result)
        return Outcome.PROCESSED

    worker = FrameWorker(queue, predict, pipeline.segment, publish, lambda _: None, lambda: None)
    worker.start(segmenting=3)
    for image in images:
        queue.put("", image)
    while queue.counts("").waiting:
        time.sleep(0.001)
    assert worker.stop()
    for image, result in zip(images, results, strict=True):
        expected = pipeline(image)
        np.testing.assert_array_equal(result.labels, expected.labels)
        assert result.instances == expected.instances
        assert list(result.stage_ms) == list(expected.stage_ms)


def test_percentiles_of_the_stages() -> None:
    times = StageTimes()
    assert times.percentiles() == {}
    for ms in range(101):
        times.add({"total": float(ms), "half": ms / 2})
    assert times.percentiles() == {
        "total": {"p50": 50, "p95": 95, "p99": 99},
        "half": {"p50": 25, "p95": 47.5, "p99": 49.5},
    }
