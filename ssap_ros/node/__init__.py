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

"""The ROS node and what it is made of; `python -m ssap_ros.node` runs it.

Queue, worker, status and the like need no ROS: nothing is imported before it is asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ssap_ros.node.node import SsapNode

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
