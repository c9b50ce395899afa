"""Reads ROS 2 bags, mcap and sqlite3, by the message definitions that they carry.

A bag that is damaged gives what can be read of it, and says so: a truncated or unindexed mcap is
read from its beginning, a message or chunk whose checksum is wrong ends the reading.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from mcap.exceptions import EndOfFile
from mcap.records import Channel, Message, Schema
from mcap.stream_reader import StreamReader
from rosbags.interfaces import MessageDefinitionFormat
from rosbags.rosbag2 import Reader
from rosbags.typesys import Stores, get_types_from_idl, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

from ssap_ros.errors import InputError, one_line
from ssap_ros.replay.bags.messages import standard_types

BAG_SUFFIXES = (".mcap", ".db3")
_RECORD_LIMIT = 1 << 30
_IDL_RULE = "=" * 80 + "\n"


class BagMessage(NamedTuple):
    """logged: when it was recorded, in nanoseconds. raw: CDR."""

    topic: str
    logged: int
    raw: bytes


@dataclass(frozen=True)
class Topic:
    """A topic of a bag.

    msgtype: such as sensor_msgs/msg/Image. definition: text of the message and those in it, empty
    if the bag has none. count: messages that the bag claims to hold.
    """

    name: str
    msgtype: str
    definition: str = ""
    is_idl: bool = False
    count: int = 0


class BagReader:
    """A bag file or folder, as a context.

    topics: by name. damage: what is wrong with the bag as far as it was read, one line each.
    Raises InputError, naming the reason, if nothing can be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.topics: dict[str, Topic] = {}
        self.damage: list[str] = []
        self._stores: dict[str, Typestore] = {}
        self._reader: Reader | None = None
        self._mcap = _only_mcap(path)
        self._read: Counter[str] = Counter()
        try:
            self._open_indexed()
        except Exception as error:  # the storage plugins raise what their libraries raise
            if self._mcap is None:
                raise InputError(f"not a ROS 2 bag: {path} ({_reason(error)})") from error
            self._open_scanned(error)

    def __enter__(self) -> BagReader:
        return self

    def __exit__(self, *_: object) -> None:
        if self._reader is not None and self._reader.is_open:
            self._reader.close()

    def topics_of(self, *msgtypes: str) -> list[str]:
        """Names of the topics of these types, in the bag's order."""
        return [topic.name for topic in self.topics.values() if topic.msgtype in msgtypes]

    def require(self, topic: str, *msgtypes: str) -> Topic:
        """The topic of this name, if its type fits; InputError tells what is there otherwise."""
        found = self.topics.get(topic)
        if found is None:
            raise InputError(f"no topic {topic} in {self.path}, it holds {self.contents()}")
        if found.msgtype not in msgtypes:
            raise InputError(
                f"topic {topic} must be {' or '.join(msgtypes)}, got {found.msgtype} in {self.path}"
            )
        return found

    def contents(self) -> str:
        """The topics in one line."""
        return ", ".join(f"{t.name} ({t.msgtype})" for t in self.topics.values()) or "nothing"

    def messages(self, topics: Sequence[str]) -> Iterator[BagMessage]:
        """Messages of these topics, in the order of recording, until the bag or the good part ends.

        Afterwards `damage` says whether all of them came.
        """
        read: Counter[str] = Counter()
        source = self._scan(topics) if self._reader is None else self._indexed(topics)
        while True:
            try:
                message = next(source)
            except StopIteration:
                break
            except Exception as error:
                self._report(f"unreadable after {read.total()} messages: {_reason(error)}")
                break
            read[message.topic] += 1
            yield message
        for topic in topics:
            expected = self.topics[topic].count
            if read[topic] != expected:
                self._report(f"{read[topic]} of {expected} messages of {topic} could be read")

    def decode(self, message: BagMessage) -> Any:
        """The message, by the bag's own definition. Raises InputError if that is invalid,
        ValueError if the data do not fit it.
        """
        topic = self.topics[message.topic]
        if topic.name not in self._stores:
            self._stores[topic.name] = _types_of(topic, self.path)
        try:
            return self._stores[topic.name].deserialize_cdr(message.raw, topic.msgtype)
        except Exception as error:  # what damaged bytes make the deserialiser do is not documented
            raise ValueError(f"not a {topic.msgtype}: {_reason(error)}") from error

    # With an index

    def _open_indexed(self) -> None:
        reader = Reader(self.path)
        reader.open()
        try:
            for c in reader.connections:
                known = self.topics.get(c.topic)
                if known and known.msgtype != c.msgtype:
                    raise InputError(f"topic {c.topic} has two types in {self.path}")
                self.topics[c.topic] = Topic(
                    c.topic,
                    c.msgtype,
                    "" if c.msgdef.format == MessageDefinitionFormat.NONE else c.msgdef.data,
                    c.msgdef.format == MessageDefinitionFormat.IDL,
                    c.msgcount + (known.count if known else 0),
                )
        except BaseException:
            reader.close()
            raise
        self._reader = reader

    def _indexed(self, topics: Sequence[str]) -> Iterator[BagMessage]:
        assert self._reader is not None
        chosen = [c for c in self._reader.connections if c.topic in topics]
        if chosen:  # no connection would mean every connection
            for connection, logged, raw in self._reader.messages(chosen):
                yield BagMessage(connection.topic, logged, bytes(raw))

    # Without one

    def _open_scanned(self, reason: Exception) -> None:
        """Find the topics of a damaged mcap by reading as much of it as can be read."""
        self.topics, counts = {}, Counter[str]()
        try:
            for message in self._scan(None):
                counts[message.topic] += 1
        except Exception as error:
            reason = error
        self.topics = {
            name: Topic(name, t.msgtype, t.definition, t.is_idl, counts[name])
            for name, t in self.topics.items()
        }
        if not counts:
            raise InputError(f"not a ROS 2 bag: {self.path} ({_reason(reason)})") from reason
        self._report(
            f"truncated or without an index, {counts.total()} messages could be read "
            f"({_reason(reason)})"
        )

    def _scan(self, topics: Sequence[str] | None) -> Iterator[BagMessage]:
        """All messages of an mcap in the order of the file; `None` collects the topics, too."""
        schemas: dict[int, Schema] = {}
        channels: dict[int, str] = {}
        left = None if topics is None else Counter({t: self.topics[t].count for t in topics})
        assert self._mcap is not None
        with self._mcap.open("rb") as file:
            reader = StreamReader(file, validate_crcs=True, record_size_limit=_RECORD_LIMIT)
            for record in reader.records:
                if isinstance(record, Schema):
                    schemas[record.id] = record
                elif isinstance(record, Channel):
                    channels[record.id] = record.topic
                    schema = schemas.get(record.schema_id)
                    if topics is None and schema is not None:
                        self.topics[record.topic] = Topic(
                            record.topic,
                            schema.name,
                            schema.data.decode(),
                            schema.encoding != "ros2msg",
                        )
                elif isinstance(record, Message):
                    topic = channels[record.channel_id]
                    if left is None:
                        yield BagMessage(topic, record.log_time, b"")
                    elif topic in left:
                        left[topic] -= 1
                        yield BagMessage(topic, record.log_time, record.data)
                        if left.total() == 0:  # what follows is the damage known already
                            return

    def _report(self, damage: str) -> None:
        if damage not in self.damage:
            self.damage.append(damage)


def find_bags(folder: Path) -> list[Path]:
    """The bags in a folder and below it: bag folders, and bag files outside of those."""
    folders = sorted(file.parent for file in folder.rglob("metadata.yaml"))
    files = [file for suffix in BAG_SUFFIXES for file in folder.rglob(f"*{suffix}")]
    return sorted([*folders, *(file for file in files if file.parent not in folders)])


def is_bag(path: Path) -> bool:
    """Whether the path looks like a bag."""
    return path.suffix in BAG_SUFFIXES or (path / "metadata.yaml").is_file()


def _only_mcap(path: Path) -> Path | None:
    """The mcap file that a bag consists of, if it is a single one."""
    files = list(path.glob("*.mcap")) if path.is_dir() else [path] if path.is_file() else []
    return files[0] if len(files) == 1 and files[0].suffix == ".mcap" else None


def _types_of(topic: Topic, path: Path) -> Typestore:
    """The types of one topic; without a definition in the bag the standard ones.

    Raises InputError if there is neither.
    """
    standard = standard_types()
    if not topic.definition:
        if topic.msgtype in standard.fielddefs:
            return standard
        raise InputError(f"no definition of {topic.msgtype} ({topic.name}) in {path}")
    try:
        if not topic.is_idl:
            types = get_types_from_msg(topic.definition, topic.msgtype)
        elif topic.definition.startswith(f"{_IDL_RULE}IDL: "):
            types = {}
            for part in topic.definition.split(_IDL_RULE)[1:]:
                types.update(get_types_from_idl(part.split("\n", 1)[1]))
        else:
            types = get_types_from_idl(topic.definition)
        store = get_typestore(Stores.EMPTY)
        store.register(types)
        fingerprint = store.hash_rihs01(topic.msgtype)  # KeyError for a type that is not there
    except Exception as error:
        raise InputError(
            f"the definition of {topic.msgtype} ({topic.name}) in {path} is invalid: "
            f"{_reason(error)}"
        ) from error
    known = topic.msgtype in standard.fielddefs
    if known and fingerprint != standard.hash_rihs01(topic.msgtype):
        raise InputError(
            f"{topic.msgtype} ({topic.name}) in {path} is not the message of that name: "
            "its definition has other fields"
        )
    return store


def _reason(error: Exception) -> str:
    if isinstance(error, (EndOfFile, struct.error)):  # the latter within the last record
        return "the file ends too early"
    return one_line(error)[:200]
