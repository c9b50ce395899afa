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

"""Fixtures that several test modules share; what is skipped where only a distribution is."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from ssap_ros.backends.onnxruntime import OnnxRuntimeBackend
    from support.depth_client import DepthClient, StartDepth
    from support.node_client import Starter

# pytest's own setting for this is younger than the pytest of Humble
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))

BY_PIP = {  # what package.xml cannot name
    *("cityscapesscripts", "distributed", "mcap", "nncf", "onnx", "onnxruntime", "openvino"),
    *("pycocotools", "rosbags", "torch", "zstandard"),
}


def missing_package(error: BaseException | None) -> str | None:
    """The package from pip that an import failed for, if that is the error."""
    name = (getattr(error, "name", None) or "").split(".")[0]
    return name if isinstance(error, ModuleNotFoundError) and name in BY_PIP else None


@pytest.hookimpl(hookwrapper=True)
def pytest_pycollect_makemodule() -> Iterator[None]:
    """A module is skipped where a package that it imports comes from pip and is missing."""
    module = (yield).get_result()
    collect = module.collect

    def collect_or_skip() -> Iterable[pytest.Item | pytest.Collector]:
        try:
            return collect()
        except module.CollectError as error:
            if name := missing_package(error.__cause__):
                pytest.skip(f"{name} is not installed", allow_module_level=True)
            raise

    module.collect = collect_or_skip


@pytest.fixture(scope="session")
def toy_model_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The toy network (see toy_model.py): five levels, any input size, long side 256."""
    pytest.importorskip("onnx", reason="onnx is not installed")
    from support.toy_model import write_toy_model

    path = tmp_path_factory.mktemp("models") / "toy.onnx"
    write_toy_model(path)
    return path


@pytest.fixture(scope="session")
def toy_backend(toy_model_path: Path) -> OnnxRuntimeBackend:
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    from ssap_ros.backends.onnxruntime import OnnxRuntimeBackend

    return OnnxRuntimeBackend(toy_model_path, num_threads=1)


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory, toy_model_path: Path) -> Iterator[Starter]:
    """Starts a node as a process, on a DDS domain that other runs on this machine hardly use."""
    pytest.importorskip("rclpy", reason="rclpy is not installed")
    pytest.importorskip("vision_msgs", reason="vision_msgs is not installed")
    from support.node_client import Starter

    starter = Starter(
        1 + os.getpid() % 100, toy_model_path, lambda: tmp_path_factory.mktemp("node") / "log.txt"
    )
    yield starter
    starter.end()


@pytest.fixture
def start_depth(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartDepth]:
    """Starts a depth node as a process, on such a domain."""
    pytest.importorskip("rclpy", reason="rclpy is not installed")
    pytest.importorskip("vision_msgs", reason="vision_msgs is not installed")
    from support.depth_client import DepthClient
    from support.node_client import NodeProcess, end

    clients: list[DepthClient] = []

    def run(**parameters: object) -> DepthClient:
        domain = 101 + os.getpid() % 100
        log = tmp_path_factory.mktemp("depth") / "log.txt"
        process = NodeProcess(domain, log, ("-m", "ssap_ros.node.depth"), parameters)
        clients.append(DepthClient(domain, process))
        return clients[-1]

    yield run
    for client in clients:
        end(client)
