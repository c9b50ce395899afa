"""The depth node and what it is made of; `python -m ssap_ros.node.depth` runs it."""

from __future__ import annotations

from collections.abc import Sequence


def main(args: Sequence[str] | None = None) -> int:
    """Run the node until SIGINT or SIGTERM, see `ssap_ros.node.depth.node.main`."""
    from ssap_ros.node.depth.node import main as run

    return run(args)
