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

"""One place for all settings: descriptors, parameter file and README agree with config.py."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from ssap_ros.config import DepthConfig, NodeConfig, SsapConfig
from ssap_ros.node.parameter_docs import END, FILES, TABLES, parameter_file, with_table

ROOT = Path(__file__).resolve().parents[2]
FIELDS = [
    field
    for config in (SsapConfig, NodeConfig, DepthConfig)
    for field in dataclasses.fields(config)
]
REMEDY = "run: python -m ssap_ros.node.parameter_docs"


@pytest.mark.parametrize("name", FILES)
def test_parameter_files_are_made_from_the_settings(name: str) -> None:
    assert (ROOT / name).read_text() == parameter_file(FILES[name]), REMEDY


@pytest.mark.parametrize("name", TABLES)
def test_tables_of_the_pages_are_made_from_the_settings(name: str) -> None:
    page = (ROOT / name).read_text()
    assert END in page
    assert page == with_table(page, TABLES[name]), REMEDY
    for config in TABLES[name]:
        for field in dataclasses.fields(config):
            assert f"| `{field.name}` |" in page


def test_descriptors_say_what_the_settings_say() -> None:
    pytest.importorskip("rclpy", reason="rclpy is not installed")
    from ssap_ros.node.parameters import descriptor

    for field in FIELDS:
        described = descriptor(field)
        assert described.name == field.name
        assert described.description == field.metadata["description"]
        assert described.read_only != field.metadata.get("live", False)
        limits = [*described.floating_point_range, *described.integer_range]
        given = [(limit.from_value, limit.to_value) for limit in limits]
        assert given == ([field.metadata["range"]] if "range" in field.metadata else [])
        for choice in field.metadata.get("choices", ()):
            assert str(choice) in described.additional_constraints


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        ((), r"must be distinct names or \[\"\"\], got \[\]"),
        (("a", "a"), "must be distinct names"),
        (("a", ""), "must be distinct names"),
        (("2nd",), "must be words .*, got '2nd'"),
        (("front left",), "must be words .*, got 'front left'"),
    ],
)
def test_camera_names_must_fit_into_topics(names: tuple[str, ...], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        NodeConfig(cameras=names)


@pytest.mark.parametrize("value", [float("nan"), -1.0, 1e9])
def test_values_outside_the_range_are_refused_with_both(value: float) -> None:
    with pytest.raises(ValueError, match=r"max_image_age_ms must be in \[0.0, .*\], got "):
        NodeConfig(max_image_age_ms=value)
