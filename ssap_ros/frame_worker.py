"""The thread that processes frames, so that the thread that receives them stays free."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Generic

from ssap_ros.frame_queue import Frame, FrameQueue

Batch = Sequence[tuple[str, Frame]]


class FrameWorker(Generic[Frame]):
    """Takes frames from the queue, lets `process` work on them and accounts for them.

    process: works on the frames of one or several cameras and returns what became of each:
        "processed", "dropped" or "failed". If it raises, all of them failed.
    on_error: is told what `process` raised.
    on_room: called when a full queue has room again.
    """

    def __init__(
        self,
        queue: FrameQueue[Frame],
        process: Callable[[Batch[Frame]], Sequence[str]],
        on_error: Callable[[Exception], None],
        on_room: Callable[[], None],
    ) -> None:
        self._queue = queue
        self._process = process
        self._on_error = on_error
        self._on_room = on_room
        self._thread: threading.Thread | None = None

    def start(self, max_batch: int = 1) -> None:
        """Begin to process what is put, up to `max_batch` frames at a time."""
        self._queue.open()
        self._thread = threading.Thread(
            target=self._run, args=(max_batch,), name="ssap_worker", daemon=True
        )
        self._thread.start()

    def stop(self, timeout_s: float | None = None) -> bool:
        """Finish the frames in work, drop those that wait; False if that took too long."""
        if self._thread is not None:
            self._queue.close()
            self._thread.join(timeout_s)
            if self._thread.is_alive():
                return False
            self._thread = None
        return True

    def _run(self, max_batch: int) -> None:
        while batch := self._queue.take(max_batch):
            self._on_room()
            outcomes: Sequence[str] = ["failed"] * len(batch)
            try:
                outcomes = self._process(batch)
            except Exception as error:  # bad frames must not end the stream
                self._on_error(error)
            finally:
                for (camera, _), outcome in zip(batch, outcomes, strict=True):
                    self._queue.finish(camera, outcome)
