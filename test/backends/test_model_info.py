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

"""The metadata of a model survive the way through JSON, and invalid ones are refused."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from ssap_ros.backends.model_info import model_info_from_json, model_info_to_json
from support.toy_model import toy_info


@pytest.mark.parametrize("input_size", [None, (128, 256)])
def test_round_trip(input_size: tuple[int, int] | None) -> None:
    info = toy_info(input_size=input_size)
    assert model_info_from_json(model_info_to_json(info)) == info


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("classes", []),
        ("classes", ["person", "person"]),
        ("classes", "person"),
        ("thing_ids", []),
        ("thing_ids", [8]),
        ("thing_ids", [1, 1]),
        ("thing_ids", [True]),
        ("levels", [4, 8, 32]),
        ("levels", [0, 0]),
        ("levels", []),
        ("window", 4),
        ("window", 5.0),
        ("mean", [1, 2]),
        ("std", [1, 0, 1]),
        ("input_size", [100, 64]),
        ("input_size", 64),
        ("long_side", 0),
    ],
)
def test_invalid_value_is_named(key: str, value: Any) -> None:
    fields = dataclasses.asdict(toy_info()) | {key: value}
    with pytest.raises(ValueError, match=key):
        model_info_from_json(json.dumps(fields))


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"classes": ["a"]}'])
def test_text_without_the_keys_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="model info"):
        model_info_from_json(text)


def test_invalid_info_is_not_written() -> None:
    with pytest.raises(ValueError, match="long_side"):
        model_info_to_json(toy_info(long_side=0))
