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

"""Files that are there whole or not at all, whatever happens while they are written."""

from __future__ import annotations

import contextlib
import fcntl
import glob
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

_MARK = ".ssap-"  # in the name of what is being written


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Write a file that takes the place of `path` when the context is left without error.

    A link is followed. The folder is made if need be. After an error nothing is left; what a killed
    process left is removed by the next one that writes the file.

    Yields:
        The file to write to.

    Raises:
        OSError: The file cannot be written.
    """
    path = path.resolve()
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(path.parent, f".{path.name}{_MARK}*")
    handle, name = tempfile.mkstemp(
        dir=path.parent, prefix=f".{path.name}{_MARK}", suffix=path.suffix
    )
    try:
        _lock(handle)
        os.fchmod(handle, 0o644)
        yield Path(name)
        _sync(name)
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise
    finally:
        os.close(handle)
    _sync(path.parent)


@contextlib.contextmanager
def staging_folder(folder: Path) -> Iterator[Path]:
    """A folder within `folder`, which is removed at the end, or by the next one after a kill."""
    _remove_leftovers(folder, f"{_MARK}*")
    with tempfile.TemporaryDirectory(dir=folder, prefix=_MARK) as name:
        handle = os.open(name, os.O_RDONLY)
        try:
            _lock(handle)
            yield Path(name)
        finally:
            os.close(handle)


def write_atomically(path: Path, content: bytes | str) -> None:
    """Write a file, text as UTF-8.

    Raises:
        OSError: The file cannot be written.
    """
    data = content.encode() if isinstance(content, str) else content
    with replacing(path) as part:
        part.write_bytes(data)


def _remove_leftovers(folder: Path, pattern: str) -> None:
    """Remove what processes that are no longer there have left; a living one holds a lock."""
    for leftover in folder.glob(glob.escape(pattern[:-1]) + "*"):
        with contextlib.suppress(OSError):
            handle = os.open(leftover, os.O_RDONLY)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
            finally:
                os.close(handle)


def _lock(handle: int) -> None:
    with contextlib.suppress(OSError):  # a file system may know no locks
        fcntl.flock(handle, fcntl.LOCK_EX)


def _sync(path: str | Path) -> None:
    """Wait until a file, or the entries of a folder, are on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
