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

"""An sqlite3 file of a bag, of any schema version of rosbag2."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path

import zstandard

from ssap_ros.errors import InputError
from ssap_ros.replay.bags.storage import CDR_NAMES, BagMessage, Topic, full_name

_ZSTD = b"\x28\xb5\x2f\xfd"  # CDR begins otherwise
_MAX_MESSAGE = 1 << 30  # bytes


class Sqlite3File:
    """A sqlite3 file as rosbag2 writes it, of any schema version."""

    def __init__(self, path: Path, stack: contextlib.ExitStack) -> None:
        self.damage: list[str] = []
        with path.open("rb") as file:
            if file.read(16) != b"SQLite format 3\0":
                raise InputError(f"not a ROS 2 bag: {path} (not an sqlite3 database)")
        log = path.with_name(f"{path.name}-wal")  # of a recorder that was killed
        mode = "mode=ro" if log.exists() else "immutable=1"
        self._database = sqlite3.connect(f"{path.resolve().as_uri()}?{mode}", uri=True)
        self._database.text_factory = lambda data: data.decode(errors="replace")
        stack.callback(self._database.close)
        definitions: dict[str, tuple[str, str]] = {}
        query = "SELECT topic_type, encoding, encoded_message_definition FROM message_definitions"
        with contextlib.suppress(sqlite3.OperationalError):  # older bags have none
            definitions = {kind: (how, text) for kind, how, text in self._database.execute(query)}
        counts = dict(
            self._database.execute("SELECT topic_id, COUNT(*) FROM messages GROUP BY topic_id")
        )
        self.topics: dict[str, Topic] = {}
        self._ids: dict[str, list[int]] = {}
        query = "SELECT id, name, type, serialization_format FROM topics ORDER BY id"
        for number, name, kind, encoding in self._database.execute(query):
            how, text = definitions.get(kind, ("", ""))
            msgtype = full_name(kind) if encoding in CDR_NAMES else f"{kind} ({encoding})"
            known = self.topics.get(name)
            if known and known.msgtype != msgtype:
                raise InputError(f"topic {name} has two types in {path}")
            count = counts.get(number, 0) + (known.count if known else 0)
            self.topics[name] = Topic(name, msgtype, text or "", how == "ros2idl", count)
            self._ids.setdefault(name, []).append(number)

    def messages(self, topics: Sequence[str]) -> Iterator[BagMessage]:
        names = {number: name for name in topics for number in self._ids.get(name, ())}
        marks = ",".join("?" * len(names))
        query = (
            f"SELECT topic_id, timestamp, data FROM messages WHERE topic_id IN ({marks}) "
            "ORDER BY timestamp, id"
        )
        for number, logged, data in self._database.execute(query, list(names)):
            yield BagMessage(names[number], int(logged), _uncompressed(data))


def _uncompressed(data: bytes) -> bytes:
    if data[:4] != _ZSTD:
        return bytes(data)
    return bytes(zstandard.ZstdDecompressor().decompress(data, max_output_size=_MAX_MESSAGE))
