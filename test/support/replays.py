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

"""Replays by the tests."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ssap_ros.replay.play.play import PlayOptions
from ssap_ros.replay.replay import ReplayOptions


def every(model: Path, **options: Any) -> ReplayOptions:
    """Every frame gets an output of the model."""
    return ReplayOptions(play=PlayOptions("every", model=str(model)), **options)


def balanced(summary: Mapping[str, Any]) -> bool:
    """Whether each frame that came in is accounted for once."""
    parts = ("frames_out", "frames_dropped", "frames_failed")
    assert all(summary[part] >= 0 for part in parts)
    return bool(summary["frames_in"] == sum(summary[part] for part in parts))
