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

"""What a result was made with: machine, software, model."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ssap_ros.replay.review.digest import file_digest

_PACKAGES = ("onnxruntime", "numpy", "opencv-python-headless", "rosbags", "mcap", "pycocotools")
_CARD = "MODEL_CARD.md"


def describe_environment() -> dict[str, str]:
    """Names and versions; nothing that tells whose machine it is."""
    versions = {}
    for package in _PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return {
        "processor": _processor(),
        "cores": str(len(os.sched_getaffinity(0))),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "ros": os.environ.get("ROS_DISTRO", "wheels"),
        "ssap_ros": importlib.metadata.version("ssap_ros"),
        **versions,
    }


def describe_model(path: Path, names: Mapping[int, str]) -> dict[str, Any]:
    """Name, size, SHA-256 and classes of the model, and its card where one lies beside it."""
    card = path.with_name(_CARD)
    return {
        "file": path.name,
        "bytes": path.stat().st_size,
        "sha256": file_digest(path),
        "classes": {str(k): names[k] for k in sorted(names)},
        "card": card.read_text(errors="replace") if card.is_file() else "",
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, "") or platform.processor() or platform.machine()
