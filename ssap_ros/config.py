"""Every setting and its default in one place; ROS parameters take name and range from here."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any


def _setting(default: Any, description: str, **metadata: Any) -> Any:
    """A dataclass field with what a parameter descriptor needs."""
    return dataclasses.field(default=default, metadata={"description": description, **metadata})


@dataclass(frozen=True)
class SsapConfig:
    """Settings of the pipeline. Raises ValueError on construction when a value is out of range."""

    model_file_path: str = _setting(
        "", "ONNX model; empty means the default model shipped with the package"
    )
    backend: str = _setting("auto", "inference backend", choices=("auto", "onnxruntime"))
    num_threads: int = _setting(0, "inference threads; 0 = all cores", range=(0, 256))
    input_long_side: int = _setting(
        0,
        "longer side of the network input in pixels; 0 = the model's own",
        range=(0, 8192),
    )
    score_threshold: float = _setting(
        0.4, "instances with a lower score are dropped", range=(0.0, 1.0), live=True
    )
    min_instance_area: int = _setting(
        100,
        "smallest instance in square pixels of the source image",
        range=(0, 100_000_000),
        live=True,
    )
    initial_level: int = _setting(
        16, "output stride at which the cascade starts", choices=(4, 8, 16, 32, 64), live=True
    )
    segmentation_refinement: bool = _setting(
        True, "refine the finest affinities with the semantic scores (Eq. 6-8)", live=True
    )

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            check_setting(field, getattr(self, field.name))


@dataclass(frozen=True)
class NodeConfig:
    """Settings of the ROS node that the pipeline does not know."""

    autostart: bool = _setting(True, "configure and activate without a lifecycle manager")
    drop_policy: str = _setting(
        "latest",
        "latest: only the newest waiting frame is processed; every: all frames, in order",
        choices=("latest", "every"),
    )
    input_reliability: str = _setting(
        "best_effort", "QoS of the image subscription", choices=("best_effort", "reliable")
    )

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            check_setting(field, getattr(self, field.name))


def check_setting(field: dataclasses.Field[Any], value: Any) -> None:
    """Raise ValueError, with the expected and the given value, if `value` does not fit."""
    choices = field.metadata.get("choices")
    if choices and value not in choices:
        raise ValueError(f"{field.name} must be one of {choices}, got {value!r}")
    low, high = field.metadata.get("range", (None, None))
    if low is not None and not low <= value <= high:
        raise ValueError(f"{field.name} must be in [{low}, {high}], got {value!r}")
