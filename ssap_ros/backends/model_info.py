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

"""ModelInfo as JSON: the text that travels in the ONNX metadata under METADATA_KEY."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

from ssap_ros.types import ModelInfo

METADATA_KEY = "ssap_ros"


def model_info_to_json(info: ModelInfo) -> str:
    """Write a ModelInfo for the metadata of an ONNX model.

    Returns:
        One JSON object with the field names as keys.

    Raises:
        ValueError: No network can have these values.
    """
    _check(info)
    return json.dumps(dataclasses.asdict(info))


def model_info_of(properties: Mapping[str, str]) -> ModelInfo:
    """Read what a model says about itself from its ONNX metadata.

    Returns:
        The ModelInfo.

    Raises:
        ValueError: There is none, or it is invalid; see `model_info_from_json`.
    """
    if METADATA_KEY not in properties:
        raise ValueError(f"not an SSAP model, its metadata lack the key {METADATA_KEY!r}")
    return model_info_from_json(properties[METADATA_KEY])


def model_info_from_json(text: str) -> ModelInfo:
    """Read a ModelInfo from one JSON object.

    Returns:
        The ModelInfo.

    Raises:
        ValueError: `text` is no JSON object, lacks a key, has an unknown one, or holds a value that
            no network can have. The message says what was expected and what came.
    """
    try:
        fields = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"model info must be JSON: {error}") from None
    if not isinstance(fields, dict):
        raise ValueError(f"model info must be a JSON object, got {type(fields).__name__}")
    expected = {field.name for field in dataclasses.fields(ModelInfo)}
    if fields.keys() | {"score_logistic"} != expected:  # younger than the first models
        raise ValueError(f"model info must have the keys {sorted(expected)}, got {sorted(fields)}")
    values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in fields.items()}
    info = ModelInfo(**values)
    _check(info)
    return info


def is_quantized(model: bytes) -> bool:
    """Whether an ONNX file holds int8 layers, between QuantizeLinear and DequantizeLinear."""
    return b"QuantizeLinear" in model


def _check(info: ModelInfo) -> None:
    n_classes = len(info.classes) if isinstance(info.classes, tuple) else 0
    _require(
        _is_tuple_of(info.classes, str) and len(set(info.classes)) == n_classes > 0,
        "classes must be distinct names",
        info.classes,
    )
    _require(
        _is_tuple_of(info.thing_ids, int)
        and 0 < len(set(info.thing_ids)) == len(info.thing_ids) <= 255
        and all(0 <= i < n_classes for i in info.thing_ids),
        f"thing_ids must be 1 to 255 distinct class ids below {n_classes}",
        info.thing_ids,
    )
    _require(
        _is_tuple_of(info.levels, int)
        and len(info.levels) > 0
        and info.levels[0] > 0
        and all(b == 2 * a for a, b in zip(info.levels, info.levels[1:], strict=False)),
        "levels must be positive strides, each twice the one before",
        info.levels,
    )
    _require(
        _is_int(info.window) and info.window >= 3 and info.window % 2 == 1,
        "window must be an odd integer >= 3",
        info.window,
    )
    _require(_is_rgb(info.mean), "mean must be three numbers", info.mean)
    _require(
        _is_rgb(info.std) and min(info.std) > 0, "std must be three positive numbers", info.std
    )
    coarsest = info.levels[-1]
    _require(
        info.input_size is None
        or (
            _is_tuple_of(info.input_size, int)
            and len(info.input_size) == 2
            and all(side > 0 and side % coarsest == 0 for side in info.input_size)
        ),
        f"input_size must be null or [height, width] in multiples of {coarsest}",
        info.input_size,
    )
    _require(
        _is_int(info.long_side) and info.long_side > 0,
        "long_side must be a positive integer",
        info.long_side,
    )
    _require(
        _is_tuple_of(info.score_logistic, (int, float))  # type: ignore[arg-type]
        and len(info.score_logistic) == 2
        and info.score_logistic[0] > 0,
        "score_logistic must be a slope above 0 and an offset",
        info.score_logistic,
    )


def _require(condition: bool, expectation: str, value: Any) -> None:
    if not condition:
        raise ValueError(f"{expectation}, got {value!r}")


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_tuple_of(value: Any, kind: type) -> bool:
    return isinstance(value, tuple) and all(
        isinstance(item, kind) and not isinstance(item, bool) for item in value
    )


def _is_rgb(value: Any) -> bool:
    return _is_tuple_of(value, (int, float)) and len(value) == 3  # type: ignore[arg-type]
