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

"""What the files of a bag hold, whatever their storage: topics and messages."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from mcap.exceptions import EndOfFile

from ssap_ros.errors import one_line

CDR_NAMES = ("cdr", "")  # of the encoding of messages, in files of either storage


class BagMessage(NamedTuple):
    """A message of a bag.

    Attributes:
        logged: When it was recorded, in nanoseconds.
        raw: CDR.
    """

    topic: str
    logged: int
    raw: bytes


@dataclass(frozen=True)
class Topic:
    """A topic of a bag.

    Attributes:
        msgtype: Such as sensor_msgs/msg/Image; with the encoding in brackets where that is not CDR.
        definition: Text of the message and those in it, empty if the bag has none.
        count: Messages that the bag claims to hold.
    """

    name: str
    msgtype: str
    definition: str = ""
    is_idl: bool = False
    count: int = 0


class Storage(Protocol):
    """One file of a bag.

    Attributes:
        topics: By name. damage: What is wrong with it, one line each.
    """

    topics: dict[str, Topic]
    damage: list[str]

    def messages(self, topics: Sequence[str]) -> Iterator[BagMessage]:
        """Messages of these topics. On damage its library raises what it likes."""
        ...


def full_name(msgtype: str) -> str:
    """pkg/msg/Name, of pkg/Name as some writers have it, too."""
    package, _, name = msgtype.partition("/")
    return f"{package}/msg/{name}" if name and "/" not in name else msgtype


def reason_of(error: Exception) -> str:
    """What an error of a library says, in one line."""
    if isinstance(error, (EndOfFile, struct.error)):  # the latter within the last record
        return "the file ends too early"
    return one_line(error)[:200]
