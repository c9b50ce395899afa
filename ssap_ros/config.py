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

"""Every setting and its default in one place; ROS parameters take name and range from here."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from typing import Any

from ssap_ros.errors import InputError

_CAMERA_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def _setting(default: Any, description: str, **metadata: Any) -> Any:
    """A dataclass field with what a parameter descriptor needs."""
    return dataclasses.field(default=default, metadata={"description": description, **metadata})


@dataclass(frozen=True)
class SsapConfig:
    """Settings of the pipeline.

    Raises:
        InputError: A value is out of range.
    """

    model_file_path: str = _setting(
        "", "ONNX model; empty means the default model shipped with the package"
    )
    backend: str = _setting(
        "auto",
        "inference backend; auto: the first of TensorRT, OpenVINO and ONNX Runtime that can run",
        choices=("auto", "tensorrt", "openvino", "onnxruntime"),
    )
    engine_file_path: str = _setting(
        "", "TensorRT engine to use where it fits; empty, or incompatible: the one in the cache"
    )
    engine_cache_dir: str = _setting(
        "", "folder that built engines are kept in; empty means ~/.cache/ssap_ros/engines"
    )
    force_engine_update: bool = _setting(False, "build the engine again although there is one")
    precision: str = _setting(
        "auto",
        "arithmetic; auto: fp16 on a GPU, on a CPU bf16 where it has that; int8 needs a model of "
        "`ssap export --int8`; ONNX Runtime computes in the types of the model",
        choices=("auto", "fp32", "fp16", "bf16", "int8"),
    )
    gpu_id: int = _setting(0, "GPU that TensorRT runs on", range=(0, 63))
    max_batch: int = _setting(1, "most images in one pass of a TensorRT engine", range=(1, 8))
    num_threads: int = _setting(0, "inference threads; 0 = all cores", range=(0, 256))
    input_long_side: int = _setting(
        0,
        "longer side of the network input in pixels; 0 = the model's own",
        range=(0, 8192),
    )
    score_threshold: float = _setting(
        0.4,
        "instances with a lower score are dropped; see score_hysteresis",
        range=(0.0, 1.0),
        live=True,
    )
    class_score_thresholds: tuple[str, ...] = _setting(
        ("",),
        'the score_threshold of single classes, like ["person: 0.6"]; [""] = none has its own',
        live=True,
    )
    classes: tuple[str, ...] = _setting(
        ("",), 'names of the classes whose instances are wanted; [""] = all', live=True
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
    partition_budget_ms: float = _setting(
        0.0,
        "time for the graph partition, after which coarser labels are used; 0 = no limit",
        range=(0.0, 10_000.0),
        live=True,
    )

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            check_setting(field, getattr(self, field.name))
        class_scores(self)


@dataclass(frozen=True)
class StreamConfig:
    """Settings that both nodes have.

    Raises:
        InputError: A value is out of range.
    """

    autostart: bool = _setting(True, "configure and activate without a lifecycle manager")
    input_qos: str = _setting(
        "best_effort",
        "reliability of the subscriptions; best_effort receives from every publisher",
        choices=("best_effort", "reliable"),
    )
    output_qos: str = _setting(
        "reliable",
        "reliability of the results; reliable serves every subscriber",
        choices=("reliable", "best_effort"),
    )
    drop_policy: str = _setting(
        "latest",
        "latest: only the newest waiting frame of a camera is processed; every: all, in order",
        choices=("latest", "every"),
    )
    max_processing_time_ms: float = _setting(
        0.0,
        "frames that take longer from arrival to publication are reported; 0 = no limit",
        range=(0.0, 3_600_000.0),
        live=True,
    )

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            check_setting(field, getattr(self, field.name))


@dataclass(frozen=True)
class NodeConfig(StreamConfig):
    """Settings of the ROS node that the pipeline does not know.

    A camera called "" is the only one, and its topics have no prefix.

    Raises:
        InputError: A value is out of range.
    """

    cameras: tuple[str, ...] = _setting(
        ("",), 'names of several cameras, each a prefix of its topics; [""] = one without prefix'
    )
    image_transport: str = _setting(
        "raw",
        "raw: subscribe image; compressed: subscribe image/compressed (jpeg or png)",
        choices=("raw", "compressed"),
    )
    significant_bits: int = _setting(
        0, "bits that a 16-bit camera really uses, such as 10, 12 or 14; 0 = all", range=(0, 16)
    )
    score_hysteresis: float = _setting(
        0.2,
        "how far below its threshold the score of an instance may be where the frame before showed "
        "one; 0 = every frame on its own",
        range=(0.0, 1.0),
        live=True,
    )
    tracking: bool = _setting(
        False, "give the detections an id that stays with the object from frame to frame", live=True
    )
    mask_classes: tuple[str, ...] = _setting(
        ("person",), "names of the classes whose instances are in ~/mask", live=True
    )
    mask_dilation: int = _setting(
        0, "how far ~/mask reaches beyond the instances, in pixels", range=(0, 1000), live=True
    )
    max_image_age_ms: float = _setting(
        0.0,
        "images whose stamp is older when their turn comes are dropped; 0 = no limit",
        range=(0.0, 3_600_000.0),
        live=True,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        names = self.cameras
        if len(set(names)) != len(names) or not names or ("" in names and len(names) > 1):
            raise InputError(f'cameras must be distinct names or [""], got {list(names)}')
        for name in filter(None, names):
            if not _CAMERA_NAME.fullmatch(name):
                raise InputError(
                    f"cameras must be words of a-z, A-Z, 0-9 and _ that do not start with a digit, "
                    f"got {name!r}"
                )


@dataclass(frozen=True)
class DepthConfig(StreamConfig):
    """Settings of the node that joins masks and depth.

    Raises:
        InputError: A value is out of range.
    """

    sync_tolerance_ms: float = _setting(
        0.0,
        "how far the stamp of a depth image may be from that of the masks; 0 = equal stamps",
        range=(0.0, 1000.0),
        live=True,
    )
    target_frame: str = _setting(
        "", "frame that objects and points are published in, by tf2; empty = the camera's own"
    )
    rectified: bool = _setting(
        False,
        "depth and masks are of a rectified image: take the projection P of camera_info and no "
        "distortion, instead of K and D",
    )
    static_classes: tuple[str, ...] = _setting(
        ("person",),
        "names of the classes whose instances are left out of ~/depth/static",
        live=True,
    )
    static_dilation: int = _setting(
        5,
        "how far around them ~/depth/static has no depth either, in pixels",
        range=(0, 1000),
        live=True,
    )
    mask_erosion: int = _setting(
        2, "pixels at the rim of a mask that no box is made of", range=(0, 100), live=True
    )


def class_scores(config: SsapConfig) -> dict[str, float]:
    """Read `class_score_thresholds`.

    Returns:
        The least score by class name.

    Raises:
        InputError: An entry is not `name: score`.
    """
    scores = {}
    for entry in filter(None, config.class_score_thresholds):
        name, _, text = entry.rpartition(":")
        try:
            score = float(text)
        except ValueError:
            score = -1.0
        if not name.strip() or not 0 <= score <= 1:
            raise InputError(
                f'class_score_thresholds must be like "person: 0.6" with scores in [0, 1], '
                f"got {entry!r}"
            )
        scores[name.strip()] = score
    return scores


def check_setting(field: dataclasses.Field[Any], value: Any) -> None:
    """Raise InputError, with the expected and the given value, if `value` does not fit."""
    choices = field.metadata.get("choices")
    if choices and value not in choices:
        raise InputError(f"{field.name} must be one of {choices}, got {value!r}")
    low, high = field.metadata.get("range", (None, None))
    if low is not None and not low <= value <= high:
        raise InputError(f"{field.name} must be in [{low}, {high}], got {value!r}")
