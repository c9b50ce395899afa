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

"""The threads that process frames, so that the thread that receives them stays free."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from ssap_ros.node.queue import Frame, FrameQueue, Outcome

Batch = Sequence[tuple[str, Frame]]
Predicted = TypeVar("Predicted")
Segmented = TypeVar("Segmented")

_MOST_SEGMENTING = 3


def segmenting_threads() -> int:
    """How many threads of FrameWorker keep up with a GPU: one per two cores, up to three."""
    return max(1, min(_MOST_SEGMENTING, len(os.sched_getaffinity(0)) // 2))


@dataclass(frozen=True)
class _Turn(Generic[Predicted]):
    """A predicted frame on its way, with what tells it and the next one that they may publish."""

    camera: str
    frame: Predicted
    come: threading.Event
    over: threading.Event


class FrameWorker(Generic[Frame, Predicted, Segmented]):
    """Takes frames from the queue, has them worked on in three steps and accounts for them.

    A step returns what became of a frame that ends there, and else what the next step is to get.

    Args:
        predict: The first step, for the frames of one or several cameras; one entry for each.
        segment: The second step, for one frame, maybe in several threads at once.
        publish: The last step, one frame after the other, in the order in which they were taken.
        on_error: Called with what these raised; the frames concerned failed.
        on_capacity: Called when a full queue has capacity again.
    """

    def __init__(
        self,
        frames: FrameQueue[Frame],
        predict: Callable[[Batch[Frame]], Sequence[Predicted | Outcome]],
        segment: Callable[[Predicted], Segmented | Outcome],
        publish: Callable[[Segmented], Outcome],
        on_error: Callable[[Exception], None],
        on_capacity: Callable[[], None],
    ) -> None:
        self._frames = frames
        self._predict, self._segment, self._publish = predict, segment, publish
        self._on_error, self._on_capacity = on_error, on_capacity
        self._threads: list[threading.Thread] = []

    def start(self, max_batch: int = 1, *, segmenting: int = 0) -> None:
        """Begin to process what is put.

        Args:
            max_batch: Frames at a time.
            segmenting: Threads that segment and publish, each one frame, while another predicts the
                next; 0 = one thread does everything.
        """
        self._frames.open()
        self._turns: queue.Queue[_Turn[Predicted] | None] = queue.Queue()
        self._free = threading.Semaphore(segmenting)
        targets: list[Callable[[], None]] = [lambda: self._run(max_batch)]
        if segmenting:
            targets = [lambda: self._run_predict(max_batch, segmenting)]
            targets += [self._run_segment] * segmenting
        self._threads = [
            threading.Thread(target=run, name="ssap_worker", daemon=True) for run in targets
        ]
        for thread in self._threads:
            thread.start()

    def stop(self, timeout_s: float | None = None) -> bool:
        """Finish the frames in work, drop those that wait; False if that took too long."""
        if self._threads:
            self._frames.close()
        for thread in self._threads:
            thread.join(timeout_s)
        self._threads = [thread for thread in self._threads if thread.is_alive()]
        return not self._threads

    def _run(self, max_batch: int) -> None:
        while batch := self._frames.take(max_batch):
            for camera, frame in self._predicted(batch):
                self._end(camera, self._next(self._segment, frame))

    def _run_predict(self, max_batch: int, segmenting: int) -> None:
        come = threading.Event()
        come.set()
        while batch := self._frames.take(max_batch):
            for camera, frame in self._predicted(batch):
                self._free.acquire()  # never more than one further frame: the results stay fresh
                over = threading.Event()
                self._turns.put(_Turn(camera, frame, come, over))
                come = over
        for _ in range(segmenting):
            self._turns.put(None)

    def _run_segment(self) -> None:
        while (turn := self._turns.get()) is not None:
            segmented = self._next(self._segment, turn.frame)
            turn.come.wait()
            self._end(turn.camera, segmented)
            turn.over.set()
            self._free.release()

    def _predicted(self, batch: Batch[Frame]) -> list[tuple[str, Predicted]]:
        """Predict; account for the frames that end here, and return the others."""
        self._on_capacity()
        results: Sequence[Predicted | Outcome] = [Outcome.FAILED] * len(batch)
        try:
            results = self._predict(batch)
        except Exception as error:  # bad frames must not end the stream
            self._on_error(error)
        others = []
        for (camera, _), result in zip(batch, results, strict=True):
            if isinstance(result, Outcome):
                self._frames.account(camera, result)
            else:
                others.append((camera, result))
        return others

    def _end(self, camera: str, segmented: Segmented | Outcome) -> None:
        """Publish, unless the frame has ended before, and account for it."""
        if isinstance(segmented, Outcome):
            self._frames.account(camera, segmented)
        else:
            self._frames.account(camera, self._next(self._publish, segmented))

    def _next(self, step: Callable[[Any], Any], frame: Any) -> Any:
        try:
            return step(frame)
        except Exception as error:
            self._on_error(error)
            return Outcome.FAILED
