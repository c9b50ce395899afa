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

"""An mcap file of a bag, read by what it holds itself."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from mcap.reader import SeekingReader
from mcap.records import Channel, Footer, Message, Schema
from mcap.stream_reader import StreamReader

from ssap_ros.errors import InputError
from ssap_ros.replay.bags.storage import CDR_NAMES, BagMessage, Topic, full_name, reason_of

_RECORD_LIMIT = 1 << 30  # bytes


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


def _seeking(file: Any) -> SeekingReader:
    return SeekingReader(file, validate_crcs=True, record_size_limit=_RECORD_LIMIT)


def _topic_of(channel: Channel, schema: Schema | None) -> Topic:
    name = full_name(schema.name) if schema else "unknown type"
    if channel.message_encoding not in CDR_NAMES:
        return Topic(channel.topic, f"{name} ({channel.message_encoding})")
    if schema is None:
        return Topic(channel.topic, f"{name} (without schema)")
    text = schema.data.decode(errors="replace")
    return Topic(channel.topic, name, text, schema.encoding not in ("ros2msg", ""))
