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

"""Writes mcap bags that ROS 2, RViz and Foxglove play: schemas, index, checksums, compression."""

from __future__ import annotations

import contextlib
from pathlib import Path
from types import TracebackType
from typing import Any

from mcap.writer import Writer

from ssap_ros.common.outputs import output
from ssap_ros.errors import InputError
from ssap_ros.replay.bags.messages import encode, standard_types

_LATCHED_QOS = """- history: keep_last
  depth: 1
  reliability: reliable
  durability: transient_local
  deadline: {sec: 9223372036, nsec: 854775807}
  lifespan: {sec: 9223372036, nsec: 854775807}
  liveliness: automatic
  liveliness_lease_duration: {sec: 9223372036, nsec: 854775807}
  avoid_ros_namespace_conventions: false"""


class BagWriter:
    """A context that writes one mcap file; it appears under its name when all of it is there.

    Args:
        path: The file, usually *.mcap. Chunks are compressed with zstd and have checksums; equal
            messages make equal files.

    Raises:
        InputError: The file cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._channels: dict[str, int] = {}
        self._schemas: dict[str, int] = {}
        self._stack = contextlib.ExitStack()
        try:
            part = self._stack.enter_context(output(path))
            self._file = self._stack.enter_context(part.open("wb"))
        except OSError as error:
            raise InputError(f"cannot write the bag {path}: {error.strerror}") from error
        self._writer = Writer(self._file)
        self._writer.start(profile="ros2", library="ssap_ros")
        self._stack.push(self._finish)

    def __enter__(self) -> BagWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def _finish(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._writer.finish()

    def add_topic(self, topic: str, msgtype: str, *, latched: bool = False) -> None:
        """Announce a topic; a latched one is kept for subscribers that come late."""
        store = standard_types()
        if msgtype not in self._schemas:
            text, _ = store.generate_msgdef(msgtype, ros_version=2)
            self._schemas[msgtype] = self._writer.register_schema(msgtype, "ros2msg", text.encode())
        metadata = {"topic_type_hash": store.hash_rihs01(msgtype)}
        if latched:
            metadata["offered_qos_profiles"] = _LATCHED_QOS
        self._channels[topic] = self._writer.register_channel(
            topic, "cdr", self._schemas[msgtype], metadata
        )

    def write(self, topic: str, log_time: int, msg: Any) -> None:
        """Append a message, or the CDR of one; log_time in nanoseconds."""
        data = msg if isinstance(msg, bytes) else encode(msg)
        try:
            self._writer.add_message(self._channels[topic], log_time, data, log_time)
        except OSError as error:
            raise InputError(f"cannot write the bag {self._path}: {error.strerror}") from error
