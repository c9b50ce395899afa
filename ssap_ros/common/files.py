"""Files that are there whole or not at all, whatever happens while they are written."""

from __future__ import annotations

import contextlib
import json
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_NUMBERS = re.compile(r"\[[\s\d.,e+-]+\]")  # lists of numbers are written in one line


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A file to write to, which takes the place of `path` when the context is left without error.

    The folder is made if need be; after an error nothing is left. Raises OSError.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=path.suffix)
    try:
        os.fchmod(handle, 0o644)
        os.close(handle)
        yield Path(name)
        _sync(name)
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise
    _sync(path.parent)


def write_atomically(path: Path, content: bytes | str) -> None:
    """Write a file, text as UTF-8. Raises OSError."""
    data = content.encode() if isinstance(content, str) else content
    with replacing(path) as part:
        part.write_bytes(data)


def write_json(path: Path, values: Any) -> None:
    """Write a JSON file: a list with one line per entry, anything else indented. Raises OSError."""
    if isinstance(values, list):
        text = "[\n" + ",\n".join(json.dumps(value) for value in values) + "\n]"
    else:
        text = _NUMBERS.sub(lambda m: " ".join(m[0].split()), json.dumps(values, indent=2))
    write_atomically(path, text + "\n")


def _sync(path: str | Path) -> None:
    """Wait until a file, or the entries of a folder, are on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
