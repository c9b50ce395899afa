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

"""Finds and opens the files of a bag, mcap and sqlite3, plain and compressed.

metadata.yaml is a copy that others write, edit and cut off; it is asked only which files belong to
the bag. What a file says of its topics decides.
"""

from __future__ import annotations

import contextlib
import logging
import re
import tempfile
from pathlib import Path, PurePath

import yaml
import zstandard

from ssap_ros.errors import InputError, one_line
from ssap_ros.replay.bags.mcap_file import McapFile
from ssap_ros.replay.bags.sqlite3_file import Sqlite3File
from ssap_ros.replay.bags.storage import Storage, reason_of

SUFFIXES = (".mcap", ".db3")
_COMPRESSED = (".zstd", ".zst")
_LOG = logging.getLogger(__name__)
_NUMBER = re.compile(r"(\d+)")


def bag_files(path: Path) -> list[Path]:
    """List the files of a bag, a file or a folder.

    Returns:
        The files in the order of recording.

    Raises:
        InputError: There are none.
    """
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
    """Open a file of a bag until `stack` is closed.

    Returns:
        The file, open.

    Raises:
        InputError: Nothing can be read.
    """
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
