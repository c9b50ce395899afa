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

"""Fixtures of several tests of TensorRT on a simulated GPU."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ssap_ros.config import SsapConfig

if TYPE_CHECKING:
    from support.simulated_gpu import SimulatedGpu


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[SsapConfig, SimulatedGpu]:
    """A configuration for a simulated GPU, and the GPU."""
    from support.simulated_machine import simulated_machine
    from support.tensorrt_contract import RELEASES

    gpu = simulated_machine(tmp_path, monkeypatch, RELEASES[0], (1, 3, 256, 256))
    model = str(tmp_path / "toy.onnx")
    return SsapConfig(model_file_path=model, engine_cache_dir=str(tmp_path / "cache")), gpu
