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

"""Frames on their way from the subscriptions to the worker; every one of them is accounted for."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Generic, TypeVar

Frame = TypeVar("Frame")

_EVERY_CAPACITY = 8


class Outcome(Enum):
    """What became of a frame; the value is its counter in FrameCounts."""

    PROCESSED = "processed"
    DROPPED = "dropped"
    FAILED = "failed"


@dataclass(frozen=True)
class FrameCounts:
    """What became of a camera's frames: received = processed + dropped + failed + waiting, always.

    Attributes:
        waiting: In the queue or being worked on.
    """

    received: int = 0
    processed: int = 0
    dropped: int = 0
    failed: int = 0
    waiting: int = 0


class FrameQueue(Generic[Frame]):
    """Hands the frames of several cameras from one thread to another, to each camera its turn.

    Starts closed.

    Args:
        cameras: Their names.
        policy: "latest" holds one frame per camera, and a newer one takes its place; "every" holds
            some and gives them out in order. Its producer waits for `has_capacity` before it puts.
    """

    def __init__(self, cameras: Sequence[str], policy: str) -> None:
        self._newest_wins = policy == "latest"
        self._frames: dict[str, deque[Frame]] = {camera: deque() for camera in cameras}
        self._counts = dict.fromkeys(cameras, FrameCounts())
        self._turns = deque(cameras)  # the camera that was served last stands at the end
        self._changed = threading.Condition()
        self._open = False

    def has_capacity(self, camera: str) -> bool:
        """Whether `put` takes a frame of the camera without exceeding the capacity."""
        return self._newest_wins or len(self._frames[camera]) < _EVERY_CAPACITY

    def counts(self, camera: str) -> FrameCounts:
        """The counts of this moment, over all openings."""
        with self._changed:
            return self._counts[camera]

    def open(self) -> None:
        """Let frames pass."""
        with self._changed:
            self._open = True

    def close(self) -> None:
        """Drop what waits, and let `take` return nothing; frames in work may still be finished."""
        with self._changed:
            self._open = False
            for camera in self._frames:
                self._drop_waiting(camera)
            self._changed.notify_all()

    def put(self, camera: str, frame: Frame) -> None:
        """Add a frame; a closed queue drops it."""
        with self._changed:
            self._count(camera, received=1)
            if not self._open:
                self._count(camera, dropped=1)
                return
            if self._newest_wins:
                self._drop_waiting(camera)
            self._count(camera, waiting=1)
            self._frames[camera].append(frame)
            self._changed.notify_all()

    def refuse(self, camera: str) -> None:
        """Count a frame that is dropped before it could be put."""
        with self._changed:
            self._count(camera, received=1, dropped=1)

    def take(self, at_most: int = 1) -> list[tuple[str, Frame]]:
        """Wait for frames and take some, one per camera, those first that waited longest.

        Each is in work until `account`.

        Returns:
            The frames with the names of their cameras; empty once the queue is closed.
        """
        with self._changed:
            self._changed.wait_for(lambda: any(self._frames.values()) or not self._open)
            ready = [camera for camera in self._turns if self._frames[camera]][:at_most]
            for camera in ready:
                self._turns.remove(camera)
                self._turns.append(camera)
            return [(camera, self._frames[camera].popleft()) for camera in ready]

    def account(self, camera: str, outcome: Outcome) -> None:
        """Account for a frame in work."""
        with self._changed:
            self._count(camera, waiting=-1, **{outcome.value: 1})

    def _drop_waiting(self, camera: str) -> None:
        n = len(self._frames[camera])
        self._count(camera, waiting=-n, dropped=n)
        self._frames[camera].clear()

    def _count(self, camera: str, **changes: int) -> None:
        counts = self._counts[camera]
        self._counts[camera] = replace(
            counts, **{name: getattr(counts, name) + n for name, n in changes.items()}
        )
