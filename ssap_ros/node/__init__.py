"""The ROS node and what it is made of; `python -m ssap_ros.node` runs it.

Queue, worker, status and the like need no ROS: nothing is imported before it is asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

__all__ = ["SsapNode", "main"]


def main(args: Sequence[str] | None = None) -> int:
    """Run the node until SIGINT or SIGTERM, see `ssap_ros.node.node.main`."""
    from ssap_ros.node.node import main as run

    return run(args)


def __getattr__(name: str) -> Any:
    if name == "SsapNode":
        from ssap_ros.node.node import SsapNode

        return SsapNode
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
