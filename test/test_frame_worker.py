"""The queue and the worker: nobody is lost, the newest wins, errors do not end the stream."""

from __future__ import annotations

import threading

import pytest

from ssap_ros.frame_queue import FrameCounts, FrameQueue
from ssap_ros.frame_worker import FrameWorker


def balance(counts: FrameCounts) -> int:
    return counts.processed + counts.dropped + counts.failed + counts.waiting


def test_latest_keeps_the_newest_and_counts_the_replaced() -> None:
    queue: FrameQueue[int] = FrameQueue("latest")
    queue.open()
    for frame in range(5):
        assert queue.has_room
        queue.put(frame)
        assert queue.counts.received == balance(queue.counts) == frame + 1
    assert queue.take() == 4
    assert queue.counts == FrameCounts(received=5, dropped=4, waiting=1)
    queue.finish(failed=False)
    assert queue.counts == FrameCounts(received=5, processed=1, dropped=4)


def test_every_keeps_all_in_order_and_says_when_it_is_full() -> None:
    queue: FrameQueue[int] = FrameQueue("every")
    queue.open()
    n = 0
    while queue.has_room:
        queue.put(n)
        n += 1
    assert n > 1
    for frame in range(n):
        assert queue.take() == frame
        assert queue.has_room
        queue.finish(failed=frame % 2 == 1)
    assert queue.counts == FrameCounts(received=n, processed=n - n // 2, failed=n // 2)


@pytest.mark.parametrize("policy", ["latest", "every"])
def test_closing_drops_what_waits_and_frees_the_taker(policy: str) -> None:
    queue: FrameQueue[int] = FrameQueue(policy)
    queue.put(0)
    assert queue.counts == FrameCounts(received=1, dropped=1), "it starts closed"
    queue.open()
    queue.put(1)
    queue.close()
    assert queue.take() is None
    assert queue.counts == FrameCounts(received=2, dropped=2)


def test_worker_survives_errors_and_finishes_the_frame_in_work() -> None:
    errors: list[str] = []
    done, go_on = threading.Event(), threading.Event()

    def process(frame: int) -> dict[str, float]:
        if frame == 1:
            raise ValueError("frame 1 is bad")
        if frame == 2:
            done.set()
            go_on.wait(10)
        return {"total": float(frame)}

    worker = FrameWorker("every", process, lambda e: errors.append(str(e)), lambda: None)
    worker.start()
    for frame in (0, 1, 2, 3):
        worker.put(frame)
    assert done.wait(10)
    assert worker.counts == FrameCounts(received=4, processed=1, failed=1, waiting=2)
    stopping = threading.Thread(target=worker.stop)
    stopping.start()
    go_on.set()
    stopping.join(10)
    assert errors == ["frame 1 is bad"]
    counts = worker.counts
    assert (counts.received, counts.failed, counts.waiting) == (4, 1, 0)
    assert counts.processed + counts.dropped == 3
    worker.start()
    worker.put(4)
    while worker.counts.waiting:
        pass
    assert worker.counts.processed == counts.processed + 1
    worker.stop()


def test_percentiles_of_the_stages() -> None:
    worker = FrameWorker(
        "every", lambda ms: {"total": ms, "half": ms / 2}, lambda _: None, lambda: None
    )
    assert worker.stage_percentiles() == {}
    worker.start()
    for ms in range(101):
        while not worker.has_room:
            pass
        worker.put(float(ms))
    while worker.counts.waiting:
        pass
    worker.stop()
    assert worker.stage_percentiles() == {
        "total": pytest.approx((50, 95, 99)),
        "half": pytest.approx((25, 47.5, 49.5)),
    }
