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

"""Fixtures of several tests of replays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="session")
def scored(
    toy_model_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Path, dict[str, Any]]:
    """A bag with truth, out of order, with a loop and equal stamps; its replay."""
    from ssap_ros.replay.replay import replay
    from support.bag_files import INSTANCES, START, STEP, write_painted_bag
    from support.replays import every

    folder = tmp_path_factory.mktemp("scored")
    stamps = [START + number * STEP for number in (0, 1, 2, 2, 4, 3, 5, 0, 1, 2)]
    bag = write_painted_bag(folder / "bag.mcap", 10, stamps, ("rgb8", "bgr8"))
    result = replay(str(bag), folder / "run", every(toy_model_path, gt_instances=(INSTANCES,)))
    return bag, folder / "run", result.summary.as_dict()
