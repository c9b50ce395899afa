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

"""Fields of the JSON files of COCO, read in spite of the ways in which tools write them."""

from __future__ import annotations

from typing import Any


def entries_of(dataset: Any, part: str) -> list[dict[str, Any]]:
    """Read a list of a COCO file.

    Returns:
        Its entries.

    Raises:
        TypeError: It is not there, or is no list.
    """
    if not isinstance(dataset, dict) or part not in dataset:
        raise TypeError(f"it has no list of {part}")
    entries = dataset[part]
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise TypeError(f"expected a list of {part}, each with its fields, got {entries!r}"[:150])
    return entries


def file_name(entry: dict[str, Any]) -> str:
    """Read the path in an entry.

    Returns:
        The path, with slashes.

    Raises:
        KeyError: It has none.
        TypeError: It is no path.
    """
    name = entry["file_name"]
    if not isinstance(name, str) or not name or "\0" in name:
        raise TypeError(f"its file_name must be a path, got {name!r}"[:100])
    return name.replace("\\", "/")


def is_crowd(entry: dict[str, Any]) -> int:
    """Read `iscrowd`, also if it is written as a truth value, or left out.

    Returns:
        0 or 1.

    Raises:
        ValueError: It is another value.
        TypeError: It is no number and no text.
    """
    crowd = entry.get("iscrowd") or 0
    crowd = int(crowd) if isinstance(crowd, bool) else whole_number(crowd)
    if crowd not in (0, 1):
        raise ValueError(f"iscrowd must be 0 or 1, got {crowd}")
    return crowd


def whole_number(value: Any) -> int:
    """Read a whole number, also one that is written as text or with a point.

    Returns:
        The number.

    Raises:
        ValueError: It is another number or text, or has more than 63 bits.
        TypeError: It is no number and no text.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise TypeError(f"expected a whole number, got {value!r}"[:100])
    try:
        number = int(value)
        if isinstance(value, float) and number != value:
            raise ValueError
    except (ValueError, OverflowError):
        raise ValueError(f"expected a whole number, got {value!r}"[:100]) from None
    if abs(number) >= 1 << 62:
        raise ValueError("expected a number of 63 bits")
    return number
