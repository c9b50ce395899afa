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

"""The files that a command writes: never over one that it did not write itself.

A folder that outputs are written to gets a list of them, `.ssap_outputs`: a line per file with its
size and time of change, and its name. A file that is not in the list as it is now belongs to the
user and is refused.
"""

from __future__ import annotations

import contextlib
import errno
import fnmatch
import json
import os
import re
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from ssap_ros.common.files import replacing, staging_folder
from ssap_ros.errors import InputError

RECORD = ".ssap_outputs"
_NUMBERS = re.compile(r"\[[\s\d.,e+-]+\]")  # lists of numbers are written in one line
_PROBE_BYTES = 1 << 16
_GROWING = "-"  # of a file that is appended to: any content is ours


def claim_file(path: Path, inputs: Iterable[Path | None] = ()) -> None:
    """Make sure, before the work, that `path` can be written at its end.

    The folder is made if need be.

    Raises:
        InputError: It is one of the `inputs`, a folder, a file of the user, or cannot be written.
    """
    resolved = path.resolve()
    for given in inputs:
        if given is not None and resolved == given.resolve():
            raise InputError(f"{path} is the input; write to another file")
    _refuse_foreign(path)
    _claim_space(path, resolved.parent)


def claim_folder(folder: Path, patterns: Sequence[str], inputs: Iterable[Path | None] = ()) -> None:
    """Make sure, before the work, that files whose names match `patterns` can go to `folder`.

    Raises:
        InputError: It is one of the `inputs` or a file, one of the `inputs` or a file of the user
            has such a name in it, or it cannot be written to.
    """
    resolved = folder.resolve()
    if resolved.exists() and not resolved.is_dir():
        raise InputError(f"expected a folder to write to, {folder} is a file")
    sources = [given.resolve() for given in inputs if given is not None]
    if resolved in sources:
        raise InputError(f"{folder} is the input; write to another folder")
    for file in _matching(resolved, patterns):
        if file.resolve() in sources:
            raise InputError(f"{file} is the input and would be replaced; write to another folder")
        _refuse_foreign(file)
    _claim_space(folder, resolved)


def claim_tree(folder: Path) -> None:
    """Make sure that `folder`, if it is there, holds nothing but outputs.

    Raises:
        InputError: It holds a file of the user.
    """
    if not folder.exists():
        return
    for file in [folder, *folder.rglob("*")]:
        if file.is_symlink() or (not file.is_dir() and file.name != RECORD):
            _refuse_foreign(file)


@contextlib.contextmanager
def output(path: Path) -> Iterator[Path]:
    """Write a file that becomes `path` when the context is left without error.

    Yields:
        The file to write to.

    Raises:
        InputError: There is a file of the user, or the file cannot be written.
    """
    _refuse_foreign(path)
    with _as_input_error(path), replacing(path) as part:
        yield part
        _record(path.resolve(), part)


@contextlib.contextmanager
def output_folder(folder: Path, patterns: Sequence[str], keep: str) -> Iterator[Path]:
    """Write files that all move to `folder` at the end.

    They take the place of the outputs there that match `patterns`. After an error only the file
    `keep` moves.

    Yields:
        The folder to write them into.

    Raises:
        InputError: A file cannot be written.
    """
    with _as_input_error(folder), staging_folder(folder) as stage:
        try:
            yield stage
        except BaseException:
            if (stage / keep).is_file():
                _move(stage / keep, folder / keep)
            raise
        files = [file for file in stage.rglob("*") if file.is_file() and file.name != RECORD]
        files.sort(key=lambda file: file.stat().st_mtime_ns)  # what was written last comes last
        targets = [folder / file.relative_to(stage) for file in files]
        stale = [
            old for parent in {t.parent for t in targets} for old in _matching(parent, patterns)
        ]
        for target in [*targets, *stale]:
            _refuse_foreign(target)
        for old in stale:
            old.unlink()
        for file, target in zip(files, targets, strict=True):
            target.parent.mkdir(exist_ok=True)
            _move(file, target)


def adopt(path: Path) -> None:
    """Note a file that was recognised by its content as an output of an earlier run."""
    with _as_input_error(path):
        _record(path.resolve(), path)


def growing_output(path: Path) -> Path:
    """Mark `path` as an output that is appended to.

    Returns:
        `path`.

    Raises:
        InputError: There is a file of the user, or the folder cannot be written to.
    """
    _refuse_foreign(path)
    with _as_input_error(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        _append(path.resolve(), _GROWING)
    return path


def write_output(path: Path, content: bytes | str) -> None:
    """Write an output, text as UTF-8.

    Raises:
        InputError: There is a file of the user, or the file cannot be written.
    """
    with output(path) as part:
        part.write_bytes(content.encode() if isinstance(content, str) else content)


def write_json(path: Path, values: Any) -> None:
    """Write a JSON file: a list with one line per entry, anything else indented.

    Raises:
        InputError: There is a file of the user, or the file cannot be written.
    """
    if isinstance(values, list):
        text = "[\n" + ",\n".join(json.dumps(value) for value in values) + "\n]"
    else:
        text = _NUMBERS.sub(lambda m: " ".join(m[0].split()), json.dumps(values, indent=2))
    write_output(path, text + "\n")


def _move(file: Path, target: Path) -> None:
    _refuse_foreign(target)
    _record(target.resolve(), file)
    os.replace(file, target.resolve())


def _matching(folder: Path, patterns: Sequence[str]) -> list[Path]:
    files = folder.iterdir() if folder.is_dir() else ()
    return [
        file
        for file in files
        if file.name != RECORD and any(fnmatch.fnmatch(file.name, p) for p in patterns)
    ]


def _refuse_foreign(path: Path) -> None:
    file = path.resolve()
    if file.is_dir():
        raise InputError(f"expected a file to write, {path} is a folder")
    if file.exists() and not _is_own(file):
        raise InputError(f"{path} was not written by ssap; remove it or choose another name")


def _is_own(file: Path) -> bool:
    try:
        lines = (file.parent / RECORD).read_text(errors="replace").splitlines()
    except OSError:
        return False
    return file.is_file() and not {
        f"{state} {file.name}" for state in (_state(file), _GROWING)
    }.isdisjoint(lines)


def _record(path: Path, part: Path) -> None:
    """Note that `part` is about to become `path`; moving changes neither size nor time."""
    _append(path, _state(part))


def _append(path: Path, state: str) -> None:
    with (path.parent / RECORD).open("a") as record:
        record.write(f"{state} {path.name}\n")


def _state(file: Path) -> str:
    status = file.stat()
    return f"{status.st_size},{status.st_mtime_ns}"


def _claim_space(path: Path, folder: Path) -> None:
    with _as_input_error(path):
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(bytes(_PROBE_BYTES))
            probe.flush()


@contextlib.contextmanager
def _as_input_error(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        if error.errno in (errno.EEXIST, errno.ENOTDIR) and error.filename:
            reason = f"{error.filename} is a file"
        raise InputError(f"cannot write {path}: {reason}") from error
