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

"""Engine files that can be trusted: a JSON file beside an engine says what it was built from.

An engine is read back only if that sidecar holds the key asked for and the digest of the very bytes
of the engine, so TensorRT never gets a truncated, corrupted, outdated or half-written file. Files
are written under another name, flushed to disk and renamed. Builders of one engine take turns by a
lock on a file, which the system releases when its holder dies.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import hashlib
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from ssap_ros.backends.base import OnProgress
from ssap_ros.common.files import write_atomically as write_atomically
from ssap_ros.errors import SsapError

Shape = tuple[int, int, int, int]


class IncompatibleEngineError(SsapError, ValueError):
    """An engine file that is missing or cannot be used here; the message says why."""


@dataclass(frozen=True)
class EngineKey:
    """Everything that makes an engine what it is.

    Attributes:
        model_sha256: Digest of the ONNX file.
        tensorrt, gpu, compute_capability: Where it was built.
        precision: "fp16", "fp32" or "int8".
        min_shape, opt_shape, max_shape: The profile, network input (n, 3, h, w).
        flags: Other build settings, as text.
    """

    model_sha256: str
    tensorrt: str
    gpu: str
    compute_capability: str
    precision: str
    min_shape: Shape
    opt_shape: Shape
    max_shape: Shape
    flags: str

    @property
    def digest(self) -> str:
        """A name for the key: 16 hexadecimal digits."""
        text = json.dumps(dataclasses.asdict(self), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def engine_path(folder: Path, stem: str, key: EngineKey) -> Path:
    """Where a cache keeps the engine of `key`; `stem` is how the file name begins."""
    return folder / f"{stem}-{key.digest}.engine"


def read_engine(path: Path, key: EngineKey, *, any_shape: bool = False) -> bytes:
    """Read an engine, if it is the one of `key`.

    Args:
        path: Of the engine; its sidecar lies beside it.
        key: The engine that is wanted.
        any_shape: The optimization profile may be another than the key's.

    Returns:
        The serialised engine.

    Raises:
        IncompatibleEngineError: It is not there, damaged, or of another key.
    """
    try:
        plan = path.read_bytes()
        sidecar = json.loads(_sidecar(path).read_text())
        found, digest = sidecar["key"], sidecar["plan_sha256"]
    except FileNotFoundError as error:
        raise IncompatibleEngineError(f"there is no {error.filename}") from None
    except OSError as error:
        raise IncompatibleEngineError(f"cannot read {error.filename}: {error.strerror}") from None
    except (ValueError, LookupError, TypeError):
        raise IncompatibleEngineError(f"{_sidecar(path)} is damaged") from None
    expected = json.loads(json.dumps(dataclasses.asdict(key)))
    free = {"min_shape", "opt_shape", "max_shape"} if any_shape else set()
    for name in expected.keys() - free:
        if not isinstance(found, dict) or found.get(name) != expected[name]:
            got = found.get(name) if isinstance(found, dict) else found
            raise IncompatibleEngineError(f"{path} has {name} {got!r}, expected {expected[name]!r}")
    if hashlib.sha256(plan).hexdigest() != digest:
        raise IncompatibleEngineError(f"{path} is damaged: it is not what its sidecar describes")
    return plan


def write_engine(path: Path, plan: bytes, key: EngineKey, details: dict[str, Any]) -> None:
    """Write an engine and its sidecar, which also holds `details`.

    Raises:
        OSError: A file cannot be written.
    """
    sidecar = {
        "key": dataclasses.asdict(key),
        "plan_sha256": hashlib.sha256(plan).hexdigest(),
        "plan_bytes": len(plan),
        "built_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        **details,
    }
    write_atomically(path, plan)
    write_atomically(_sidecar(path), (json.dumps(sidecar, indent=2) + "\n").encode())


def cached_engine(
    folder: Path,
    stem: str,
    key: EngineKey,
    build: Callable[[Path, int], None],
    on_progress: OnProgress,
    *,
    force: bool = False,
) -> bytes:
    """Take the engine of `key` from the cache; build it first where it is missing or incompatible.

    Where the folder cannot be written to, the engine is built in a temporary one and not kept.
    Whatever `build` raises is raised here.

    Args:
        folder: See `engine_path`.
        stem: See `engine_path`.
        key: The engine that is wanted.
        build: Writes an engine to a path by `write_engine`; gets a file descriptor too, of the lock
            that a process which it starts may inherit, so that the lock is held as long as that
            lives.
        on_progress: Called with what is waited for.
        force: Build although there is one.

    Returns:
        The serialised engine.

    Raises:
        IncompatibleEngineError: What was built cannot be read back.
    """
    path = engine_path(folder, stem, key)
    if not force:
        with contextlib.suppress(IncompatibleEngineError):
            return read_engine(path, key)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = open(path.with_suffix(".lock"), "a")  # noqa: SIM115
    except OSError as error:
        on_progress(f"{folder} cannot be written to ({error.strerror}); the engine is not kept")
        with tempfile.TemporaryDirectory(prefix="ssap_engine_") as temporary:
            elsewhere = Path(temporary) / path.name
            with open(elsewhere.with_suffix(".lock"), "a") as lock:
                build(elsewhere, lock.fileno())
            return read_engine(elsewhere, key)
    with lock, _locked(lock, on_progress) as waited:
        if waited or not force:
            try:
                return read_engine(path, key)
            except IncompatibleEngineError as reason:
                on_progress(f"{reason}; building it")
        for leftover in folder.glob(f".{path.stem}.*"):  # of a builder that was killed
            leftover.unlink(missing_ok=True)
        build(path, lock.fileno())
        return read_engine(path, key)


@contextlib.contextmanager
def _locked(lock: IO[str], on_progress: OnProgress) -> Iterator[bool]:
    """Hold the lock; yields whether another process held it before."""
    start = time.monotonic()
    waited = False
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waited = True
            seconds = time.monotonic() - start
            on_progress(f"another process is building this engine, {seconds:.0f} s")
            time.sleep(1)
        else:
            yield waited
            return


def _sidecar(path: Path) -> Path:
    return path.with_suffix(".json")
