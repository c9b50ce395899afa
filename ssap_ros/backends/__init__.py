"""Inference engines behind one protocol; `load_backend` loads the configured one."""

from __future__ import annotations

from pathlib import Path

from ssap_ros.backends.base import InferenceBackend, ModelError
from ssap_ros.config import SsapConfig
from ssap_ros.resources import default_model_path

__all__ = ["InferenceBackend", "ModelError", "load_backend", "model_path"]


def load_backend(config: SsapConfig) -> InferenceBackend:
    """Load `config.model_file_path` into an engine. Raises ModelError if that cannot be done."""
    try:
        from ssap_ros.backends.onnxruntime_backend import OnnxRuntimeBackend
    except ImportError as error:
        raise ModelError(f"ONNX Runtime cannot be imported: {error}") from error
    return OnnxRuntimeBackend(model_path(config), config.num_threads)


def model_path(config: SsapConfig) -> Path:
    """The model file that `config` means: its own or the one shipped with the package.

    Raises ModelError if it does not exist.
    """
    named = config.model_file_path
    path = Path(named).expanduser() if named else default_model_path()
    if not path.is_file():
        raise ModelError(f"model not found: {path}")
    return path
