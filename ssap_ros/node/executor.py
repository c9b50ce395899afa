"""The executor of the node: that of rclpy, unharmed by what is destroyed while it waits."""

from __future__ import annotations

from typing import Any

from rclpy.context import Context
from rclpy.exceptions import InvalidHandle
from rclpy.executors import MultiThreadedExecutor


class NodeExecutor(MultiThreadedExecutor):  # type: ignore[misc]
    """Two threads: one may be held up by a transition.

    A transition destroys publishers and subscriptions while the other thread waits for events of
    them. rclpy overlooks one that is gone already when it is collected for waiting, but then adds
    it to the wait set all the same, and the error would end the node. Collected again, it is gone.
    """

    def __init__(self, context: Context | None = None) -> None:
        super().__init__(num_threads=2, context=context)

    def wait_for_ready_callbacks(self, *arguments: Any, **keywords: Any) -> Any:
        """See rclpy.executors.Executor."""
        while True:
            try:
                return super().wait_for_ready_callbacks(*arguments, **keywords)
            except InvalidHandle:
                continue
