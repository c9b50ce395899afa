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

"""The node's parameters as somebody gives them for a replay, checked before anything is played.

The node itself takes no notice of a name that it does not know.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from ssap_ros.config import NodeConfig, SsapConfig, check_setting
from ssap_ros.errors import InputError

_OF_THE_REPLAY = (
    "model_file_path",
    "autostart",
    "cameras",
    "input_qos",
    "output_qos",
    "drop_policy",
)


def checked_parameters(given: Mapping[str, Any]) -> dict[str, Any]:
    """Check the parameters of a node by name and type.

    Returns:
        The values in their types; a whole number for a float is one.

    Raises:
        InputError: The node does not know a name, the replay sets it itself, or a value does not
            fit.
    """
    fields = {
        field.name: field
        for config in (SsapConfig, NodeConfig)
        for field in dataclasses.fields(config)
        if field.name not in _OF_THE_REPLAY
    }
    checked = {}
    for name, value in given.items():
        if name not in fields:
            raise InputError(f"expected a parameter of {', '.join(fields)}, got {name!r}")
        kind = type(fields[name].default)
        if kind is float and type(value) is int:
            value = float(value)
        if kind is tuple and type(value) is list and all(type(entry) is str for entry in value):
            value = tuple(value)
        if type(value) is not kind or value == ():  # no list of a node is empty
            expected = "a list of names" if kind is tuple else kind.__name__
            raise InputError(f"{name} must be {expected}, got {given[name]!r}")
        try:
            check_setting(fields[name], value)
        except ValueError as error:
            raise InputError(str(error)) from error
        checked[name] = value
    return checked
