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

"""Engine files that are damaged, outdated, half written or contended for, with real files."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import signal
import stat
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from ssap_ros.backends.tensorrt.cache import (
    EngineKey,
    IncompatibleEngineError,
    cached_engine,
    read_engine,
    write_engine,
)

KEY = EngineKey(
    model_sha256="00ff",
    tensorrt="10.3.0",
    gpu="Orin",
    compute_capability="8.7",
    precision="fp16",
    min_shape=(1, 3, 64, 64),
    opt_shape=(1, 3, 384, 640),
    max_shape=(1, 3, 640, 640),
    flags="none",
)
PLAN = bytes(range(256)) * 50
NOBODY = 65534

# A process that knows KEY, PLAN and the file or folder of its first argument, `path`.
PROCESS = f"""
import os, resource, signal, sys, time
from pathlib import Path
from ssap_ros.backends.tensorrt.cache import *
KEY = {KEY!r}
PLAN = bytes(range(256)) * 50
path = Path(sys.argv[1])
"""


@pytest.fixture
def engine(tmp_path: Path) -> Path:
    path = tmp_path / "model.engine"
    write_engine(path, PLAN, KEY, {"build_seconds": 41.5})
    return path


def builder(calls: list[Path], plan: bytes = PLAN, key: EngineKey = KEY):
    def build(path: Path, lock: int) -> None:
        assert os.fstat(lock)
        calls.append(path)
        write_engine(path, plan, key, {})

    return build


def test_what_was_written_is_read_back(engine: Path) -> None:
    assert read_engine(engine, KEY) == PLAN
    sidecar = json.loads(engine.with_suffix(".json").read_text())
    assert sidecar["key"]["gpu"] == "Orin"
    assert (sidecar["build_seconds"], sidecar["plan_bytes"]) == (41.5, len(PLAN))
    assert sidecar["built_at"].endswith("Z")
    assert {file.suffix for file in engine.parent.iterdir()} == {".engine", ".json"}


@pytest.mark.parametrize("field", dataclasses.fields(EngineKey), ids=lambda field: field.name)
def test_an_engine_of_another_key_is_incompatible_and_says_why(
    engine: Path, field: dataclasses.Field
) -> None:
    other = (8, 3, 1024, 2048) if field.name.endswith("_shape") else "other"
    key = dataclasses.replace(KEY, **{field.name: other})
    assert key.digest != KEY.digest
    with pytest.raises(IncompatibleEngineError, match=f"model.engine has {field.name} .*expected "):
        read_engine(engine, key)
    if field.name.endswith("_shape"):
        assert read_engine(engine, key, any_shape=True) == PLAN


@pytest.mark.parametrize(
    "plan", [b"", PLAN[:-1], PLAN + b"\0", PLAN[:77] + b"\1" + PLAN[78:]], ids=len
)
def test_a_damaged_engine_is_incompatible(engine: Path, plan: bytes) -> None:
    engine.write_bytes(plan)
    with pytest.raises(IncompatibleEngineError, match="is damaged"):
        read_engine(engine, KEY)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"key": {}}', '{"key": 3, "plan_sha256": 3}'])
def test_a_damaged_sidecar_is_incompatible(engine: Path, text: str) -> None:
    engine.with_suffix(".json").write_text(text)
    with pytest.raises(IncompatibleEngineError):
        read_engine(engine, KEY)


@pytest.mark.parametrize("suffix", [".engine", ".json"])
def test_a_missing_file_is_named(engine: Path, suffix: str) -> None:
    engine.with_suffix(suffix).unlink()
    with pytest.raises(IncompatibleEngineError, match=rf"there is no .*model\{suffix}"):
        read_engine(engine, KEY)


def test_the_cache_builds_once(tmp_path: Path) -> None:
    calls: list[Path] = []
    progress: list[str] = []
    for _ in range(2):
        folder = tmp_path / "new" / "cache"
        assert cached_engine(folder, "m", KEY, builder(calls), progress.append) == PLAN
    assert [path.name for path in calls] == [f"m-{KEY.digest}.engine"]
    assert len(progress) == 1
    assert progress[0].endswith("building it")
    cached_engine(folder, "m", KEY, builder(calls), progress.append, force=True)
    assert len(calls) == 2


@pytest.mark.parametrize("spoil", [lambda p: p.write_bytes(b"x"), Path.unlink])
def test_the_cache_builds_again_what_is_spoilt(tmp_path: Path, spoil) -> None:
    calls: list[Path] = []
    cached_engine(tmp_path, "m", KEY, builder(calls), lambda _: None)
    spoil(calls[0])
    assert cached_engine(tmp_path, "m", KEY, builder(calls), lambda _: None) == PLAN
    assert len(calls) == 2


def test_another_version_leaves_the_old_engine_alone(tmp_path: Path) -> None:
    newer = dataclasses.replace(KEY, tensorrt="10.16.1")
    cached_engine(tmp_path, "m", KEY, builder([]), lambda _: None)
    assert cached_engine(tmp_path, "m", newer, builder([], b"new", newer), lambda _: None) == b"new"
    assert cached_engine(tmp_path, "m", KEY, builder([], b"unused"), lambda _: None) == PLAN


def test_a_builder_that_fails_leaves_nothing_and_frees_the_lock(tmp_path: Path) -> None:
    def fail(_path: Path, _lock: int) -> None:
        raise RuntimeError("no memory")

    with pytest.raises(RuntimeError, match="no memory"):
        cached_engine(tmp_path, "m", KEY, fail, lambda _: None)
    assert cached_engine(tmp_path, "m", KEY, builder([]), lambda _: None) == PLAN


def test_a_builder_that_writes_something_else_is_an_error(tmp_path: Path) -> None:
    other = dataclasses.replace(KEY, precision="fp32")
    with pytest.raises(IncompatibleEngineError, match="precision"):
        cached_engine(tmp_path, "m", KEY, builder([], key=other), lambda _: None)


def run(code: str, path: Path, **options) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-c", PROCESS + textwrap.dedent(code), str(path)],
        stdout=subprocess.PIPE,
        text=True,
        **options,
    )


def test_a_process_killed_in_the_middle_of_a_write_leaves_the_old_engine(engine: Path) -> None:
    process = run(
        """
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(PLAN), len(PLAN)))
        write_engine(path, 9 * PLAN, KEY, {})
        """,
        engine,
    )
    process.communicate()
    assert process.returncode == -signal.SIGXFSZ
    [left] = [file for file in engine.parent.iterdir() if file.name.startswith(".")]
    assert 0 < left.stat().st_size <= len(PLAN)
    assert read_engine(engine, KEY) == PLAN


def test_a_process_killed_before_the_sidecar_leaves_an_incompatible_engine(
    engine: Path,
) -> None:
    process = run(
        """
        from ssap_ros.backends.tensorrt import cache as engine_cache
        write = engine_cache.write_atomically
        def write_and_die(file, content):
            write(file, content)
            os.kill(os.getpid(), signal.SIGKILL)
        engine_cache.write_atomically = write_and_die
        write_engine(path, b"new", KEY, {})
        """,
        engine,
    )
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    with pytest.raises(IncompatibleEngineError, match="is damaged"):
        read_engine(engine, KEY)


BUILD = """
    def build(file, lock):
        with open(path / "log", "a") as log:
            log.write("b")
        print("building", flush=True)
        time.sleep(SECONDS)
        write_engine(file, PLAN, KEY, {})
    assert cached_engine(path, "m", KEY, build, lambda text: print(text, flush=True)) == PLAN
"""


def test_two_processes_build_once(tmp_path: Path) -> None:
    processes = [run(BUILD.replace("SECONDS", "1"), tmp_path) for _ in range(2)]
    said = [process.communicate(timeout=60)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert (tmp_path / "log").read_text() == "b"
    assert sum("building\n" in text for text in said) == 1


def test_the_next_builder_takes_over_from_a_killed_one(tmp_path: Path) -> None:
    process = run(BUILD.replace("SECONDS", "60"), tmp_path)
    assert process.stdout is not None
    while process.stdout.readline() != "building\n":
        pass
    leftover = tmp_path / f".m-{KEY.digest}.engine.x"
    leftover.write_bytes(b"half")
    process.kill()
    process.communicate()
    assert cached_engine(tmp_path, "m", KEY, builder([]), lambda _: None) == PLAN
    assert not leftover.exists()


@contextlib.contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Nobody, not even root, may write to the folder."""
    for file in (folder, *folder.iterdir()):
        file.chmod(file.stat().st_mode & ~(stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH))
    as_root = os.geteuid() == 0
    if as_root:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if as_root:
            os.seteuid(0)
        folder.chmod(0o755)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user can look into."""
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o755)
        yield Path(name)


def test_a_read_only_cache_is_used(open_folder: Path) -> None:
    cached_engine(open_folder, "m", KEY, builder([]), lambda _: None)
    calls: list[Path] = []
    with read_only(open_folder):
        assert cached_engine(open_folder, "m", KEY, builder(calls), lambda _: None) == PLAN
    assert not calls


def test_without_a_writable_cache_the_engine_is_built_but_not_kept(open_folder: Path) -> None:
    calls: list[Path] = []
    progress: list[str] = []
    with read_only(open_folder):
        assert cached_engine(open_folder, "m", KEY, builder(calls), progress.append) == PLAN
        assert open_folder not in calls[0].parents
    assert not calls[0].exists()
    assert not list(open_folder.iterdir())
    assert "cannot be written to" in progress[0]
