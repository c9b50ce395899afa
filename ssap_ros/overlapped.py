"""Two halves of a work that can go on at the same time, for the piece before and the piece after.

The network's half of a frame keeps the GPU busy and the partition's half the CPU. While one frame
is partitioned the next is perceived; it waits for its turn then, so that no more than two are in
work and none grows old in a queue.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Work = TypeVar("Work")
Half = TypeVar("Half")


def overlapped(
    take: Callable[[], Work | None],
    first: Callable[[Work], Half],
    second: Callable[[Half], object],
) -> None:
    """Do `second(first(work))` for all that `take` gives, in its order, until it gives None.

    `take` and `first` run in the calling thread, `second` in a thread of its own, at the same time
    as `first` of the next. Latency does not grow: `second` starts as soon as `first` is done and
    the `second` before is. What any of them raises ends the work and is raised here.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="ssap_second") as executor:
        running: Future[object] | None = None
        while (work := take()) is not None:
            half = first(work)
            if running is not None:
                running.result()
            running = executor.submit(second, half)
        if running is not None:
            running.result()
