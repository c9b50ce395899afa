"""The thread that processes frames, so that the thread that receives them stays free."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

import numpy as np

from ssap_ros.frame_queue import FrameCounts, FrameQueue

Frame = TypeVar("Frame")

WINDOW = 500
PERCENTILES = (50, 95, 99)


class FrameWorker(Generic[Frame]):
    """Runs `process` on one frame after the other and keeps the books.

    policy: see FrameQueue.
    process: works on a frame and returns the milliseconds of its stages. Whatever it raises counts
        the frame as failed and goes to `on_error`; the next frame comes as usual.
    on_room: called when a full queue has room again.
    """

    def __init__(
        self,
        policy: str,
        process: Callable[[Frame], Mapping[str, float]],
        on_error: Callable[[Exception], None],
        on_room: Callable[[], None],
    ) -> None:
        self._queue: FrameQueue[Frame] = FrameQueue(policy)
        self._process = process
        self._on_error = on_error
        self._on_room = on_room
        self._thread: threading.Thread | None = None
        self._times = StageTimes()
        self.put = self._queue.put
        self.stage_percentiles = self._times.percentiles

    @property
    def has_room(self) -> bool:
        """Whether the queue takes a frame without exceeding its capacity."""
        return self._queue.has_room

    @property
    def counts(self) -> FrameCounts:
        """What became of the frames since the worker was made."""
        return self._queue.counts

    def start(self) -> None:
        """Begin to process what is put."""
        self._queue.open()
        self._thread = threading.Thread(target=self._run, name="ssap_worker", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Finish the frame in work, drop those that wait."""
        if self._thread is not None:
            self._queue.close()
            self._thread.join()
            self._thread = None

    def _run(self) -> None:
        while (frame := self._queue.take()) is not None:
            self._on_room()
            try:
                self._times.add(self._process(frame))
            except Exception as error:  # one bad frame must not end the stream
                self._queue.finish(failed=True)
                self._on_error(error)
            else:
                self._queue.finish(failed=False)


class StageTimes:
    """Wall times of the last 500 frames by stage; written and read by different threads."""

    def __init__(self) -> None:
        self._times: dict[str, deque[float]] = {}
        self._lock = threading.Lock()

    def add(self, stage_ms: Mapping[str, float]) -> None:
        """Add the milliseconds of one frame."""
        with self._lock:
            for stage, milliseconds in stage_ms.items():
                self._times.setdefault(stage, deque(maxlen=WINDOW)).append(milliseconds)

    def percentiles(self) -> dict[str, tuple[float, ...]]:
        """Milliseconds (p50, p95, p99) by stage, in the order of their first appearance."""
        with self._lock:
            times = {stage: list(values) for stage, values in self._times.items()}
        return {
            stage: tuple(float(p) for p in np.percentile(values, PERCENTILES))
            for stage, values in times.items()
        }
