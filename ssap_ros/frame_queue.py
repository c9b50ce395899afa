"""Frames on their way from the subscription to the worker; every one of them is accounted for."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from typing import Generic, TypeVar

Frame = TypeVar("Frame")

_EVERY_CAPACITY = 8


@dataclass(frozen=True)
class FrameCounts:
    """What became of the frames: received = processed + dropped + failed + waiting, always.

    waiting: in the queue or being worked on.
    """

    received: int = 0
    processed: int = 0
    dropped: int = 0
    failed: int = 0
    waiting: int = 0


class FrameQueue(Generic[Frame]):
    """Hands frames from one thread to another.

    policy: "latest" holds one frame, and a newer one takes its place; "every" holds some and gives
        them out in order. The producer of "every" waits for `has_room` before it puts.

    Starts closed.
    """

    def __init__(self, policy: str) -> None:
        self._newest_wins = policy == "latest"
        self._frames: deque[Frame] = deque()
        self._changed = threading.Condition()
        self._open = False
        self._received = self._processed = self._dropped = self._failed = self._in_work = 0

    @property
    def has_room(self) -> bool:
        """Whether `put` takes a frame without exceeding the capacity."""
        return self._newest_wins or len(self._frames) < _EVERY_CAPACITY

    @property
    def counts(self) -> FrameCounts:
        """The counts of this moment, over all openings."""
        with self._changed:
            waiting = len(self._frames) + self._in_work
            return FrameCounts(
                self._received, self._processed, self._dropped, self._failed, waiting
            )

    def open(self) -> None:
        """Let frames pass."""
        with self._changed:
            self._open = True

    def close(self) -> None:
        """Drop what waits, and let `take` return None; a frame in work may still be finished."""
        with self._changed:
            self._open = False
            self._drop_waiting()
            self._changed.notify_all()

    def put(self, frame: Frame) -> None:
        """Add a frame; a closed queue drops it."""
        with self._changed:
            self._received += 1
            if self._newest_wins or not self._open:
                self._drop_waiting()
            if self._open:
                self._frames.append(frame)
                self._changed.notify_all()
            else:
                self._dropped += 1

    def take(self) -> Frame | None:
        """Wait for the next frame, in work until `finish`; None once the queue is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._frames or not self._open)
            if not self._open:
                return None
            self._in_work += 1
            return self._frames.popleft()

    def finish(self, *, failed: bool) -> None:
        """Account for the frame in work."""
        with self._changed:
            self._in_work -= 1
            if failed:
                self._failed += 1
            else:
                self._processed += 1

    def _drop_waiting(self) -> None:
        self._dropped += len(self._frames)
        self._frames.clear()
