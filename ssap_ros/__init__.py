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

"""Single-shot instance segmentation with an affinity pyramid (SSAP) for ROS 2.

Start reading at `ssap_ros.pipeline`: it shows the way of an image to its instances. The names below
are the public API; they are imported when they are first used, so that `import ssap_ros` needs
neither ROS nor a network runtime.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ssap_ros.config import SsapConfig
    from ssap_ros.errors import SsapError
    from ssap_ros.partition import (
        cascaded_graph_partition,
        edge_costs,
        greedy_additive,
        kernighan_lin,
        multicut_objective,
    )
    from ssap_ros.pipeline import SsapPipeline
    from ssap_ros.types import FrameResult, Instance

__all__ = [
    "FrameResult",
    "Instance",
    "SsapConfig",
    "SsapError",
    "SsapPipeline",
    "cascaded_graph_partition",
    "edge_costs",
    "greedy_additive",
    "kernighan_lin",
    "multicut_objective",
]

_HOMES = {
    "FrameResult": "types",
    "Instance": "types",
    "SsapConfig": "config",
    "SsapError": "errors",
    "SsapPipeline": "pipeline",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return import_module("importlib.metadata").version("ssap_ros")  # that of package.xml
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"ssap_ros.{_HOMES.get(name, 'partition')}"), name)
