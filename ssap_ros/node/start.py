"""Why the node cannot start, in one line."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence

from ssap_ros.errors import InputError, one_line

_MAX_DOMAIN = 232  # beyond, there are no UDP ports, and the middleware ends the process
_SOURCE_LINES = re.compile(r", at /\S+:\d+")  # of the C libraries of ROS
_UNREADABLE = "Error opening YAML file"


class StartError(InputError):
    """An argument, a parameter or the environment does not fit; it says which."""

    def __init__(self, reason: Exception | str) -> None:
        text = one_line(reason) if isinstance(reason, Exception) else reason
        text = _SOURCE_LINES.sub("", text).removeprefix("failed to initialize rcl: ")
        if text.startswith("["):  # all that rclpy says of unknown arguments
            text = f"unknown ROS arguments {text}"
        super().__init__(text.replace(_UNREADABLE, "there is no such file, or it cannot be read"))


def check_domain() -> None:
    """Raises StartError for a ROS_DOMAIN_ID that is none."""
    text = os.environ.get("ROS_DOMAIN_ID", "")
    if text and not (text.isascii() and text.isdigit() and int(text) <= _MAX_DOMAIN):
        raise StartError(f"ROS_DOMAIN_ID must be from 0 to {_MAX_DOMAIN}, got {text!r}")


def check_namespace(arguments: Sequence[str]) -> None:
    """Raises StartError for a namespace that ends with a slash; Jazzy speaks of a number then."""
    for argument in arguments:
        name, _, value = argument.partition(":=")
        if name.endswith("__ns") and len(value) > 1 and value.endswith("/"):
            raise StartError(f"namespace must not end with a '/', got {value!r}")
