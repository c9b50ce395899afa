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

"""The files of a bag, mcap and sqlite3, read by what they hold themselves.

metadata.yaml is a copy that others write, edit and cut off; it is asked only which files belong to
the bag. What a file says of its topics decides.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import re
import sqlite3
import struct
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any, NamedTuple, Protocol

import yaml
import zstandard
from mcap.exceptions import EndOfFile
from mcap.reader import SeekingReader
from mcap.records import Channel, Footer, Message, Schema
from mcap.stream_reader import StreamReader

from ssap_ros.errors import InputError, one_line

SUFFIXES = (".mcap", ".db3")
_COMPRESSED = (".zstd", ".zst")
_LOG = logging.getLogger(__name__)
_RECORD_LIMIT = 1 << 30
_ZSTD = b"\x28\xb5\x2f\xfd"  # CDR begins otherwise
_MAX_MESSAGE = 1 << 30
_CDR = ("cdr", "")


class BagMessage(NamedTuple):
    """logged: when it was recorded, in nanoseconds. raw: CDR."""

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
        """Messages of these topics. Raises whatever its library does on damage."""
        ...


def bag_files(path: Path) -> list[Path]:
    """The files of a bag, a file or a folder, in their order. Raises InputError for none."""
    if not path.is_dir():
        return [path]
    found = [file for file in path.iterdir() if PurePath(plain_name(file)).suffix in SUFFIXES]
    found.sort(key=lambda file: [int(t) if t.isdigit() else t for t in _NUMBER.split(file.name)])
    listed = _listed_files(path / "metadata.yaml")
    known = [path / name for name in listed]
    if known and {file.name for file in known} & {file.name for file in found}:
        if missing := [file.name for file in known if not file.exists()]:
            _LOG.warning("%s: the bag lacks its files %s", path, ", ".join(missing))
        found = [file for file in known if file.exists()]
    if not found:
        raise InputError(f"not a ROS 2 bag: {path} (no file *.mcap or *.db3)")
    return found


def missing_files(path: Path) -> list[str]:
    """Names of files that metadata.yaml lists and that are not there."""
    listed = _listed_files(path / "metadata.yaml") if path.is_dir() else []
    return [name for name in listed if not (path / name).exists()]


def plain_name(file: Path) -> str:
    """The name in lower case, without the ending of a compressed file."""
    name = PurePath(file.name.lower())
    return name.stem if name.suffix in _COMPRESSED else name.name


def open_storage(file: Path, stack: contextlib.ExitStack) -> Storage:
    """Open a file of a bag until `stack` is closed. Raises InputError if nothing can be read."""
    name = plain_name(file)
    if file.suffix.lower() in _COMPRESSED:
        file = _decompressed(file, stack)
    try:
        if name.endswith(".mcap"):
            return McapFile(file)
        return Sqlite3File(file, stack)
    except InputError:
        raise
    except Exception as error:  # what damaged bytes make the libraries do is not documented
        raise InputError(f"not a ROS 2 bag: {file} ({reason_of(error)})") from error


class McapFile:
    """An mcap, by its index where it has a sound one, else from its beginning."""

    def __init__(self, path: Path) -> None:
        self.topics: dict[str, Topic] = {}
        self.damage: list[str] = []
        self._path = path
        self._indexed = False
        try:
            self._indexed = self._read_index()
        except InputError:
            raise
        except Exception:  # a summary that cannot be read; the messages may be sound
            self._indexed = False
        if not self._indexed:
            self._read_through()

    def messages(self, topics: Sequence[str]) -> Iterator[BagMessage]:
        return self._by_index(topics) if self._indexed else self._scan(topics)

    def _read_index(self) -> bool:
        """The topics by the summary; False if it does not describe all messages."""
        with self._path.open("rb") as file:
            summary = _seeking(file).get_summary()
        if summary is None or summary.statistics is None or not summary.chunk_indexes:
            return False
        counts = summary.statistics.channel_message_counts
        schemas = {channel.schema_id for channel in summary.channels.values()} - {0}
        if set(counts) - set(summary.channels) or schemas - set(summary.schemas):
            return False
        if sum(counts.values()) != summary.statistics.message_count:
            return False
        if len(summary.chunk_indexes) != summary.statistics.chunk_count:
            return False
        for number, channel in summary.channels.items():
            self._add(channel, summary.schemas.get(channel.schema_id), counts.get(number, 0))
        return True

    def _by_index(self, topics: Sequence[str]) -> Iterator[BagMessage]:
        with self._path.open("rb") as file:
            for schema, channel, message in _seeking(file).iter_messages(topics):
                if self._is_meant(channel, schema):
                    yield BagMessage(channel.topic, message.log_time, message.data)

    def _read_through(self) -> None:
        """Find the topics by reading as much of the file as can be read."""
        self.topics = {}
        counts: Counter[str] = Counter()
        reason: Exception | None = None
        self._complete = False
        try:
            for message in self._scan(None):
                counts[message.topic] += 1
        except Exception as error:
            reason = error
        self.topics = {
            name: dataclasses.replace(topic, count=counts[name])
            for name, topic in self.topics.items()
        }
        if self._complete and reason is None:
            return
        why = "the file ends too early" if reason is None else reason_of(reason)
        if not counts:
            raise InputError(f"not a ROS 2 bag: {self._path} ({why})") from reason
        self.damage.append(
            f"truncated or without an index, {counts.total()} messages could be read ({why})"
        )

    def _scan(self, topics: Sequence[str] | None) -> Iterator[BagMessage]:
        """All messages in the order of the file; `None` collects the topics, too."""
        schemas: dict[int, Schema] = {}
        channels: dict[int, Channel] = {}
        left = None if topics is None else Counter({t: self._count(t) for t in topics})
        with self._path.open("rb") as file:
            reader = StreamReader(file, validate_crcs=True, record_size_limit=_RECORD_LIMIT)
            for record in reader.records:
                if isinstance(record, Schema):
                    schemas[record.id] = record
                elif isinstance(record, Channel):
                    channels[record.id] = record
                    if left is None:
                        self._add(record, schemas.get(record.schema_id), 0)
                elif isinstance(record, Message):
                    channel = channels[record.channel_id]
                    if not self._is_meant(channel, schemas.get(channel.schema_id)):
                        continue
                    if left is None:
                        yield BagMessage(channel.topic, record.log_time, b"")
                    elif channel.topic in left:
                        left[channel.topic] -= 1
                        yield BagMessage(channel.topic, record.log_time, record.data)
                        if left.total() == 0:  # what follows is the damage known already
                            return
                elif isinstance(record, Footer):
                    self._complete = True

    def _count(self, topic: str) -> int:
        return self.topics[topic].count if topic in self.topics else 0

    def _add(self, channel: Channel, schema: Schema | None, count: int) -> None:
        topic = _topic_of(channel, schema)
        known = self.topics.get(topic.name)
        if known and known.msgtype != topic.msgtype:
            ours = [t for t in (known, topic) if not t.msgtype.endswith(")")]
            if len(ours) == 2:
                raise InputError(f"topic {topic.name} has two types in {self._path}")
            topic = ours[0] if ours else known
            count = count if topic is not known else 0
        total = count + (known.count if known and known.msgtype == topic.msgtype else 0)
        self.topics[topic.name] = dataclasses.replace(topic, count=total)

    def _is_meant(self, channel: Channel, schema: Schema | None) -> bool:
        """Whether the topic of this name is this channel, not one of another encoding."""
        topic = self.topics.get(channel.topic)
        return topic is not None and topic.msgtype == _topic_of(channel, schema).msgtype


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
            msgtype = _full_name(kind) if encoding in _CDR else f"{kind} ({encoding})"
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


def reason_of(error: Exception) -> str:
    """What an error of a library says, in one line."""
    if isinstance(error, (EndOfFile, struct.error)):  # the latter within the last record
        return "the file ends too early"
    return one_line(error)[:200]


_NUMBER = re.compile(r"(\d+)")


def _listed_files(metadata: Path) -> list[str]:
    """Names of the bag's files by metadata.yaml; none where it cannot tell."""
    try:
        values = yaml.safe_load(metadata.read_bytes())
        paths = values["rosbag2_bagfile_information"]["relative_file_paths"]
        return [PurePath(str(path).replace("\\", "/")).name for path in paths]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, TypeError, LookupError, RecursionError, yaml.YAMLError):
        return []


def _seeking(file: Any) -> SeekingReader:
    return SeekingReader(file, validate_crcs=True, record_size_limit=_RECORD_LIMIT)


def _topic_of(channel: Channel, schema: Schema | None) -> Topic:
    name = _full_name(schema.name) if schema else "unknown type"
    if channel.message_encoding not in _CDR:
        return Topic(channel.topic, f"{name} ({channel.message_encoding})")
    if schema is None:
        return Topic(channel.topic, f"{name} (without schema)")
    text = schema.data.decode(errors="replace")
    return Topic(channel.topic, name, text, schema.encoding not in ("ros2msg", ""))


def _full_name(msgtype: str) -> str:
    """pkg/msg/Name, of pkg/Name as some writers have it, too."""
    package, _, name = msgtype.partition("/")
    return f"{package}/msg/{name}" if name and "/" not in name else msgtype


def _uncompressed(data: bytes) -> bytes:
    if data[:4] != _ZSTD:
        return bytes(data)
    return bytes(zstandard.ZstdDecompressor().decompress(data, max_output_size=_MAX_MESSAGE))


def _decompressed(file: Path, stack: contextlib.ExitStack) -> Path:
    """A copy of a compressed file, until `stack` is closed."""
    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="ssap_bag_"))
    copy = Path(folder) / plain_name(file)
    try:
        with file.open("rb") as source, copy.open("wb") as target:
            zstandard.ZstdDecompressor().copy_stream(source, target)
    except (zstandard.ZstdError, OSError) as error:
        raise InputError(f"not a ROS 2 bag: {file} ({one_line(error)})") from error
    return copy
