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

import queue
import threading
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from ssap_ros.node.queue import Frame, FrameQueue, Outcome

Batch = Sequence[tuple[str, Frame]]
Predicted = TypeVar("Predicted")


class FrameWorker(Generic[Frame, Predicted]):
    """Takes frames from the queue, has them worked on in two halves and accounts for them.

    Args:
        predict: The first half, for the frames of one or several cameras; returns one entry each:
            what `finish` is to get, or what became of the frame.
        finish: The second half, for one frame; returns what became of it.
        on_error: Called with what these two raised; the frames concerned failed.
        on_capacity: Called when a full queue has capacity again.
    """

    def __init__(
        self,
        frames: FrameQueue[Frame],
        predict: Callable[[Batch[Frame]], Sequence[Predicted | Outcome]],
        finish: Callable[[Predicted], Outcome],
        on_error: Callable[[Exception], None],
        on_capacity: Callable[[], None],
    ) -> None:
        self._frames = frames
        self._predict, self._finish = predict, finish
        self._on_error, self._on_capacity = on_error, on_capacity
        self._threads: list[threading.Thread] = []

    def start(self, max_batch: int = 1, *, overlap: bool = False) -> None:
        """Begin to process what is put.

        Args:
            max_batch: Frames at a time.
            overlap: Predict the next frames in one thread while another finishes these.
        """
        self._frames.open()
        work = [self._run_overlapping, self._run_finish] if overlap else [self._run]
        self._halves: queue.Queue[list[tuple[str, Predicted]] | None] = queue.Queue()
        self._threads = [
            threading.Thread(target=run, args=(max_batch,), name="ssap_worker", daemon=True)
            for run in work
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
            for camera, predicted in self._first_half(batch):
                self._second_half(camera, predicted)

    def _run_overlapping(self, max_batch: int) -> None:
        while batch := self._frames.take(max_batch):
            predicted = self._first_half(batch)
            self._halves.join()  # never more than one frame ahead: the results stay fresh
            self._halves.put(predicted)
        self._halves.put(None)

    def _run_finish(self, _: int) -> None:
        while (half := self._halves.get()) is not None:
            for camera, predicted in half:
                self._second_half(camera, predicted)
            self._halves.task_done()

    def _first_half(self, batch: Batch[Frame]) -> list[tuple[str, Predicted]]:
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

    def _second_half(self, camera: str, predicted: Predicted) -> None:
        outcome = Outcome.FAILED
        try:
            outcome = self._finish(predicted)
        except Exception as error:
            self._on_error(error)
        self._frames.account(camera, outcome)
