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

"""From a configuration to a loaded backend: cache, building process and named engines."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ssap_ros.backends.base import ModelError
from ssap_ros.config import SsapConfig
from ssap_ros.pipeline import SsapPipeline
from support import tensorrt_contract
from support.simulated_gpu import SimulatedGpu
from support.simulated_machine import load
from support.toy_model import paint

RELEASE = tensorrt_contract.RELEASES[0]


def test_an_engine_is_built_once_and_used(machine: tuple[SsapConfig, SimulatedGpu]) -> None:
    config, _ = machine
    for builds in (True, False):
        backend, said = load(config)
        assert said[0] == "TensorRT: Toy GPU, compute capability 8.7, CUDA 12.6"
        assert ("building engine, 0 s" in said) == builds
        instances = np.zeros((192, 256), np.int32)
        instances[32:96, 32:96], instances[32:96, 96:160] = 1, 2
        assert len(SsapPipeline(backend, config)(paint(instances, [3, 3])).instances) == 2
        backend.close()
    [engine] = Path(config.engine_cache_dir).glob("toy-*.engine")
    assert engine.read_bytes() == b"plan"
    sidecar = json.loads(engine.with_suffix(".json").read_text())
    assert sidecar["key"]["gpu"] == "Toy GPU"
    assert sidecar["convolutions"] == {"half": 1, "float": 0, "other": 0}
    [timings] = Path(config.engine_cache_dir).glob("timing-*.cache")
    assert timings.read_bytes() == b"timings"


def test_an_engine_that_does_not_load_is_built_again(
    machine: tuple[SsapConfig, SimulatedGpu],
) -> None:
    config, gpu = machine
    load(config)[0].close()
    engine_class = gpu.contract.module.ICudaEngine
    answers = [None, object.__new__(engine_class)]
    gpu.contract.behaviour["Runtime.deserialize_cuda_engine"] = lambda *_: answers.pop(0)
    backend, said = load(config)
    backend.close()
    assert f"TensorRT {RELEASE} cannot load the engine; building it" in said
    assert "building engine, 0 s" in said


def test_an_engine_that_never_loads_is_an_error(machine: tuple[SsapConfig, SimulatedGpu]) -> None:
    config, gpu = machine
    gpu.contract.behaviour["Runtime.deserialize_cuda_engine"] = lambda *_: None
    with pytest.raises(ModelError, match=r"cannot be used: TensorRT 10\.3\.0 cannot load"):
        load(config)
    assert (gpu.contexts, gpu.allocations) == (0, {})


def test_a_named_engine_is_used_where_it_fits(machine: tuple[SsapConfig, SimulatedGpu]) -> None:
    config, _ = machine
    load(config)[0].close()
    [engine] = Path(config.engine_cache_dir).glob("toy-*.engine")

    def with_engine(path: str, **changes: Any) -> list[str]:
        empty = Path(config.engine_cache_dir).parent / "empty"
        fields = {"engine_cache_dir": str(empty), "engine_file_path": path, **changes}
        backend, said = load(SsapConfig(model_file_path=config.model_file_path, **fields))
        backend.close()
        return said

    assert "building engine, 0 s" not in with_engine(str(engine))
    said = with_engine(str(engine.with_name("other.engine")))
    assert said[1].endswith("other.engine; looking in the cache")
    assert "building engine, 0 s" in said
    assert "building engine, 0 s" in with_engine(str(engine), force_engine_update=True)
