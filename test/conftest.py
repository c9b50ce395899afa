"""Fixtures that several test modules share."""

from __future__ import annotations

from pathlib import Path

import pytest
from toy_model import write_toy_model

from ssap_ros.backends.onnxruntime_backend import OnnxRuntimeBackend


@pytest.fixture(scope="session")
def toy_model_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The toy network (see toy_model.py): five levels, any input size, long side 256."""
    path = tmp_path_factory.mktemp("models") / "toy.onnx"
    write_toy_model(path)
    return path


@pytest.fixture(scope="session")
def toy_backend(toy_model_path: Path) -> OnnxRuntimeBackend:
    return OnnxRuntimeBackend(toy_model_path, num_threads=1)
