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

"""Reads ROS 2 bags, mcap and sqlite3, by the message definitions that they carry.

A bag that is damaged gives what can be read of it, and says so: a truncated or unindexed mcap is
read from its beginning, a message or chunk whose checksum is wrong ends the reading of its file.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path, PurePath
from typing import Any

from rosbags.interfaces import Nodetype
from rosbags.typesys import Stores, get_types_from_idl, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

from ssap_ros.errors import InputError
from ssap_ros.replay.bags.files import (
    SUFFIXES,
    bag_files,
    missing_files,
    open_storage,
    plain_name,
)
from ssap_ros.replay.bags.messages import standard_types
from ssap_ros.replay.bags.storage import BagMessage as BagMessage
from ssap_ros.replay.bags.storage import Storage, Topic, reason_of

_IDL_RULE = "=" * 80 + "\n"


class BagReader:
    """A bag file or folder, as a context.

    Attributes:
        topics: By name.
        damage: What is wrong with the bag as far as it was read, one line each.

    Raises:
        InputError: Nothing can be read; the message has the reason.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.topics: dict[str, Topic] = {}
        self.damage: list[str] = []
        self._stores: dict[str, Typestore] = {}
        self._files: list[Storage] = []
        self._stack = contextlib.ExitStack()
        files, errors = bag_files(path), []
        self._report_all(f"the file {name} is missing" for name in missing_files(path))
        try:
            for file in files:
                try:
                    self._add(open_storage(file, self._stack), file.name if len(files) > 1 else "")
                except InputError as error:
                    if not str(error).startswith("not a ROS 2 bag"):
                        raise
                    errors.append(error)
                    self._report(f"{file.name} cannot be read: {error}")
            if not self._files:
                raise errors[0]
        except BaseException:
            self._stack.close()
            raise

    def __enter__(self) -> BagReader:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _add(self, file: Storage, name: str) -> None:
        self._files.append(file)
        self._report_all(f"{name}: {line}" if name else line for line in file.damage)
        for topic in file.topics.values():
            known = self.topics.get(topic.name, dataclasses.replace(topic, count=0))
            if known.msgtype != topic.msgtype:
                raise InputError(f"topic {topic.name} has two types in {self.path}")
            definition = known.definition or topic.definition
            count = known.count + topic.count
            self.topics[topic.name] = dataclasses.replace(
                known, definition=definition, is_idl=known.is_idl or topic.is_idl, count=count
            )

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
        """Read the messages of these topics; afterwards `damage` says whether all of them came.

        Yields:
            In the order of recording, until the bag or the good part ends.
        """
        read: Counter[str] = Counter()
        for file in self._files:
            source = file.messages(topics)
            while True:
                try:
                    message = next(source)
                except StopIteration:
                    break
                except Exception as error:  # the libraries raise what they like on damage
                    self._report(f"unreadable after {read.total()} messages: {reason_of(error)}")
                    break
                read[message.topic] += 1
                yield message
        for topic in topics:
            expected = self.topics[topic].count
            if read[topic] != expected:
                self._report(f"{read[topic]} of {expected} messages of {topic} could be read")

    def decode(self, message: BagMessage) -> Any:
        """Decode a message by the bag's own definition.

        Returns:
            An object with the fields of the message.

        Raises:
            InputError: The definition is invalid.
            ValueError: The data do not fit it.
        """
        topic = self.topics[message.topic]
        if topic.name not in self._stores:
            self._stores[topic.name] = _types_of(topic, self.path)
        try:
            return self._stores[topic.name].deserialize_cdr(message.raw, topic.msgtype)
        except Exception as error:  # what damaged bytes make the deserialiser do is not documented
            raise ValueError(f"not a {topic.msgtype}: {reason_of(error)}") from error

    def _report_all(self, lines: Iterable[str]) -> None:
        for line in lines:
            self._report(line)

    def _report(self, damage: str) -> None:
        if damage not in self.damage:
            self.damage.append(damage)


def find_bags(folder: Path) -> list[Path]:
    """The bags in a folder and below it: bag folders, and bag files outside of those."""
    files = {file for file in folder.rglob("*") if _is_bag_file(file)}
    folders = {file.parent for file in folder.rglob("metadata.yaml")}
    folders |= {parent for parent in {file.parent for file in files} if _is_split_bag(parent)}
    return sorted([*folders, *(file for file in files if file.parent not in folders)])


def is_bag(path: Path) -> bool:
    """Whether the path looks like a bag."""
    return _is_bag_file(path) or (path / "metadata.yaml").is_file() or _is_split_bag(path)


def _is_bag_file(path: Path) -> bool:
    return PurePath(plain_name(path)).suffix in SUFFIXES


def _is_split_bag(folder: Path) -> bool:
    """Whether the bag files are NAME_0, NAME_1, ... of one recording, its metadata.yaml lost."""
    if not folder.is_dir():
        return False
    stems = [PurePath(plain_name(f)).stem for f in folder.iterdir() if _is_bag_file(f)]
    names = {stem.rpartition("_")[0] for stem in stems}
    expected = {f"{name}_{k}" for name in names for k in range(len(stems))}
    return len(stems) > 1 and len(names) == 1 and set(stems) == expected


def _add_known(types: dict[str, Any], standard: Typestore) -> None:
    """Add the standard messages that the definitions use and do not bring themselves."""
    open_names = list(types)
    while open_names:
        _, fields = types[open_names.pop()]
        for _, field in fields:
            name = _type_name(field)
            if name and name not in types and name in standard.fielddefs:
                types[name] = standard.fielddefs[name]
                open_names.append(name)


def _type_name(field: Any) -> str:
    """The message that a field holds, also in a list; empty if it holds none."""
    kind, value = field
    if kind == Nodetype.NAME:
        return str(value)
    return _type_name(value[0]) if kind in (Nodetype.ARRAY, Nodetype.SEQUENCE) else ""


def _types_of(topic: Topic, path: Path) -> Typestore:
    """Read the types of one topic.

    Returns:
        Those that the bag defines; without a definition the standard ones.

    Raises:
        InputError: There is neither.
    """
    standard = standard_types()
    definition = topic.definition.lstrip("\ufeff").replace("\t", " ")
    definition = definition.replace("\r\n", "\n").replace("\r", "\n")
    if not definition.strip():
        if topic.msgtype in standard.fielddefs:
            return standard
        raise InputError(f"no definition of {topic.msgtype} ({topic.name}) in {path}")
    try:
        store, fingerprint = _compiled(definition, topic.msgtype, topic.is_idl)
    except Exception as error:
        raise InputError(
            f"the definition of {topic.msgtype} ({topic.name}) in {path} is invalid: "
            f"{reason_of(error)}"
        ) from error
    known = topic.msgtype in standard.fielddefs
    if known and fingerprint != standard.hash_rihs01(topic.msgtype):
        raise InputError(
            f"{topic.msgtype} ({topic.name}) in {path} is not the message of that name: "
            "its definition has other fields"
        )
    return store


@lru_cache(maxsize=64)
def _compiled(definition: str, msgtype: str, is_idl: bool) -> tuple[Typestore, str]:
    """The types of a definition and the hash of the one; raises what the library does."""
    if not is_idl:
        types = get_types_from_msg(definition, msgtype)
    elif definition.startswith(f"{_IDL_RULE}IDL: "):
        types = {}
        for part in definition.split(_IDL_RULE)[1:]:
            types.update(get_types_from_idl(part.split("\n", 1)[1]))
    else:
        types = get_types_from_idl(definition)
    _add_known(types, standard_types())
    store = get_typestore(Stores.EMPTY)
    store.register(types)
    return store, store.hash_rihs01(msgtype)  # KeyError for a type that is not there
