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

"""Why the node cannot start, in one line."""

from __future__ import annotations

import contextlib
import itertools
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from ssap_ros.errors import InputError, one_line

_MAX_DOMAIN = 232  # beyond, there are no UDP ports, and the middleware ends the process
_SOURCE_LINES = re.compile(r", at /\S+:\d+")  # of the C libraries of ROS
_UNREADABLE = "Error opening YAML file"
_NO_REASON = "error not set"
_SETTINGS = "ROS_SECURITY_*, RMW_IMPLEMENTATION and the like"


class StartError(InputError):
    """An argument, a parameter or the environment does not fit; it says which."""

    def __init__(self, reason: Exception | str) -> None:
        text = one_line(reason) if isinstance(reason, Exception) else reason
        text = _SOURCE_LINES.sub("", text).removeprefix("failed to initialize rcl: ")
        if text.startswith("["):  # all that rclpy says of unknown arguments
            text = f"unknown ROS arguments {text}"
        if text == _NO_REASON:
            text = f"ROS 2 does not start and says no reason; are {_SETTINGS} right?"
        super().__init__(text.replace(_UNREADABLE, "there is no such file, or it cannot be read"))


def check_domain() -> None:
    """Make sure that ROS_DOMAIN_ID can be used.

    Raises:
        StartError: It is no domain.
    """
    text = os.environ.get("ROS_DOMAIN_ID", "")
    if text and not (text.isascii() and text.isdigit() and int(text) <= _MAX_DOMAIN):
        raise StartError(f"ROS_DOMAIN_ID must be from 0 to {_MAX_DOMAIN}, got {text!r}")


def check_namespace(arguments: Sequence[str]) -> None:
    """Make sure that the namespace is valid; the message of Jazzy speaks of a number.

    Raises:
        StartError: It ends with a slash.
    """
    for argument in arguments:
        name, _, value = argument.partition(":=")
        if name.endswith("__ns") and len(value) > 1 and value.endswith("/"):
            raise StartError(f"namespace must not end with a '/', got {value!r}")


def check_arguments(left: Sequence[str]) -> None:
    """Make sure that ROS took all arguments; `left` are those that it did not.

    Raises:
        StartError: There are some.
    """
    if left:
        raise StartError(f"unexpected argument {left[0]!r}; arguments of ROS follow --ros-args")


def unused_parameter_files(arguments: Sequence[str], node: str) -> Iterator[str]:
    """What to say of parameter files that hold nothing for `node`, a name with its namespace."""
    for flag, file in itertools.pairwise(arguments):
        if flag != "--params-file":
            continue
        with contextlib.suppress(OSError, yaml.YAMLError):  # ROS has its own parser, and took it
            names = list(_sections(yaml.safe_load(Path(file).read_bytes()), ""))
            if names and not any(_names(pattern, node) for pattern in names):
                yield f"{file} has no effect: it holds parameters of {', '.join(names)}, not {node}"


def _sections(values: Any, name: str) -> Iterator[str]:
    """The names of nodes that a parameter file speaks of, perhaps with wildcards."""
    for key, value in values.items() if isinstance(values, dict) else ():
        if key == "ros__parameters":
            yield name
        else:
            yield from _sections(value, f"{name}/{str(key).strip('/')}")


def _names(pattern: str, node: str) -> bool:
    """Whether the pattern means the node: * is one name, ** any number of them."""
    wildcards = {"*": "/[^/]+", "**": "(/[^/]+)*"}
    parts = [wildcards.get(part, f"/{re.escape(part)}") for part in pattern.split("/")[1:]]
    return re.fullmatch("".join(parts), node) is not None
