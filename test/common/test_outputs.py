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

"""No command deletes or overwrites a file that it did not write itself."""

import fcntl
import os
import signal
import subprocess
import sys
import time

import cv2
import numpy as np
import pytest

from ssap_ros.common.files import replacing
from ssap_ros.common.outputs import (
    RECORD,
    adopt,
    claim_file,
    claim_folder,
    claim_tree,
    growing_output,
    output,
    output_folder,
    write_json,
)
from ssap_ros.errors import InputError

MINE = "the user's"


@pytest.fixture
def picture_folder(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(3):
        cv2.imwrite(
            str(folder / f"frame_{number}.png"), np.full((64, 96, 3), 60 * number, np.uint8)
        )
    return folder


def tree(folder):
    return {p: p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def ssap(*arguments, cwd):
    return subprocess.run(
        [sys.executable, "-m", "ssap_ros.cli", *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_own_output_is_written_again(tmp_path):
    path = tmp_path / "deep" / "scores.json"
    for values in ({"AP": 1}, {"AP": 2}):
        claim_file(path)
        write_json(path, values)
    assert '"AP": 2' in path.read_text()
    assert sorted(p.name for p in path.parent.iterdir()) == [RECORD, "scores.json"]


@pytest.mark.parametrize("name", ["a.json", "with space.json", "[x].json", "änderung.json"])
def test_file_of_the_user_is_refused(tmp_path, name):
    path = tmp_path / name
    path.write_text(MINE)
    with pytest.raises(InputError, match="was not written by ssap"):
        claim_file(path)
    with pytest.raises(InputError, match="was not written by ssap"):
        write_json(path, {})
    assert tree(tmp_path) == {path: MINE.encode()}


def test_own_output_that_the_user_has_replaced_is_refused(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, {})
    path.write_text(MINE)
    with pytest.raises(InputError, match="was not written by ssap"):
        claim_file(path)
    adopt(path)
    claim_file(path)


@pytest.mark.parametrize("make", [os.symlink, os.link])
def test_links_lead_to_the_file_of_the_user(tmp_path, make):
    mine, link = tmp_path / "mine.json", tmp_path / "out" / "link.json"
    mine.write_text(MINE)
    link.parent.mkdir()
    make(mine, link)
    with pytest.raises(InputError, match="was not written by ssap"):
        write_json(link, {})
    assert mine.read_text() == MINE


def test_link_to_an_own_output_stays_a_link(tmp_path):
    path, link = tmp_path / "a.json", tmp_path / "link.json"
    write_json(path, {"AP": 1})
    link.symlink_to(path)
    write_json(link, {"AP": 2})
    assert link.is_symlink()
    assert '"AP": 2' in path.read_text()


def test_input_is_refused_though_it_is_our_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "a.json"
    write_json(path, {})
    (tmp_path / "link.json").symlink_to(path)
    for given in (
        path,
        path.relative_to(tmp_path),
        tmp_path / "." / "a.json",
        tmp_path / "link.json",
    ):
        with pytest.raises(InputError, match="is the input"):
            claim_file(path, [None, given])
    with pytest.raises(InputError, match="is the input"):
        claim_folder(tmp_path, ["*.json"], [tmp_path])
    with pytest.raises(InputError, match="is the input"):
        claim_folder(tmp_path, ["*.json"], [path])


def test_what_cannot_be_written_is_reported_before_the_work(tmp_path):
    (tmp_path / "file").write_text(MINE)
    for path in (tmp_path, tmp_path / "file" / "a.json"):
        with pytest.raises(InputError):
            claim_file(path)
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(InputError):
            claim_folder(folder, ["*"])
    with pytest.raises(InputError, match="cannot write"):
        claim_file(type(tmp_path)("/proc/out.json"))


def test_folder_of_an_earlier_run_is_ours_as_a_whole_or_not(tmp_path):
    claim_tree(tmp_path / "absent")
    write_json(tmp_path / "run" / "a.json", {})
    write_json(tmp_path / "run" / "below" / "b.json", {})
    claim_tree(tmp_path / "run")
    (tmp_path / "run" / "below" / "notes.txt").write_text(MINE)
    with pytest.raises(InputError, match=r"notes\.txt was not written by ssap"):
        claim_tree(tmp_path / "run")


def test_output_folder_replaces_its_own_files_only(tmp_path):
    for names in (("a.png", "b.png", "node.log"), ("c.png", "node.log")):
        with output_folder(tmp_path, ["*.png", "node.log"], keep="node.log") as stage:
            for name in names:
                (stage / name).write_text(name)
    assert sorted(p.name for p in tmp_path.iterdir()) == [RECORD, "c.png", "node.log"]
    (tmp_path / "d.png").write_text(MINE)
    before = tree(tmp_path)
    with (
        pytest.raises(InputError, match=r"d\.png was not written"),
        output_folder(tmp_path, ["*.png"], keep="node.log") as stage,
    ):
        (stage / "e.png").write_text("e")
    assert tree(tmp_path) == before


def test_after_an_error_the_log_alone_is_kept(tmp_path):
    def fail():
        with output_folder(tmp_path, ["*"], keep="node.log") as stage:
            (stage / "node.log").write_text("why")
            (stage / "a.png").write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert sorted(p.name for p in tmp_path.iterdir()) == [RECORD, "node.log"]


def test_growing_output(tmp_path):
    path = growing_output(tmp_path / "log.jsonl")
    path.write_text("1\n")
    claim_file(path)
    (tmp_path / "own.jsonl").write_text(MINE)
    with pytest.raises(InputError, match="was not written by ssap"):
        growing_output(tmp_path / "own.jsonl")


def test_killed_writer_leaves_nothing_under_the_name_and_its_rest_goes(tmp_path):
    path = tmp_path / "big.bin"
    code = (
        "import sys, time; from pathlib import Path\n"
        "from ssap_ros.common.outputs import output\n"
        "with output(Path(sys.argv[1])) as part:\n"
        "    part.write_bytes(bytes(1000)); print('half', flush=True); time.sleep(60)\n"
    )
    writer = subprocess.Popen([sys.executable, "-c", code, path], stdout=subprocess.PIPE)
    writer.stdout.readline()
    with replacing(tmp_path / "big.bin"):  # another writer does not take it away meanwhile
        assert len(list(tmp_path.glob(".big.bin.ssap-*"))) == 2
    os.kill(writer.pid, signal.SIGKILL)
    writer.wait()
    path.unlink()
    assert len(list(tmp_path.glob(".big.bin.ssap-*"))) == 1
    with output(path) as part:
        part.write_bytes(b"whole")
    assert sorted(p.name for p in tmp_path.iterdir()) == [RECORD, "big.bin"]


def test_no_lock_is_left(tmp_path):
    with output(tmp_path / "a") as part:
        part.write_text("a")
    with (tmp_path / "a").open() as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


@pytest.mark.parametrize(
    "command",
    [
        ["replay", "pictures", "--out", "pictures", "--policy", "every"],
        ["replay", "pictures", "--out", "pictures/../pictures"],
        ["replay", "pictures", "--out", "link"],
        ["replay", "pictures/frame_1.png", "--out", "pictures"],
        ["replay", "scenes:1", "--max-frames", "2", "--out", "pictures"],
        ["replay", "scenes:1", "--max-frames", "2", "--out", "mine.mcap"],
        ["replay", "drives", "--out", "drives"],
        ["replay", "--compare", "run", "run", "--out", "mine.json"],
        ["make-bag", "scenes:1", "mine.mcap", "--frames", "2"],
        ["make-bag", "scenes:1", "linked.mcap", "--frames", "2"],
        ["make-bag", "scenes:1", "new.mcap", "--frames", "2", "--coco", "set"],
        ["make-bag", "pictures", "mine.mcap"],
        ["evaluate", "--format", "scenes", "--seeds", "1:1", "--json", "mine.json"],
        ["evaluate", "--format", "scenes", "--seeds", "1:1", "--json", "mine.json/x/o.json"],
        ["evaluate", "--format", "scenes", "--json", "o.json", "--worst", "worst"],
        ["ablate", "--table", "4", "--format", "scenes", "--seeds", "1:1", "--json", "mine.json"],
        ["benchmark", "partition", "--sizes", "64x64", "--seeds", "1", "--json", "mine.json"],
        ["benchmark", "node", "--sizes", "64x64", "--seconds", "1", "--json", "mine.json"],
        ["export", "--checkpoint", "mine.json", "--out", "mine.json"],
        ["export", "--checkpoint", "mine.json", "--out", "mine.mcap"],
        ["build-engine", "--out", "mine.json"],
    ],
)  # fmt: skip
@pytest.mark.usefixtures("picture_folder")
def test_no_command_touches_what_is_not_its_own(tmp_path, command):
    for name in ("mine.json", "mine.mcap"):
        (tmp_path / name).write_text(MINE)
    (tmp_path / "linked.mcap").symlink_to("mine.mcap")
    (tmp_path / "link").symlink_to("pictures")
    for name in (
        "set/annotations.json",
        "worst/worst_01_x.png",
        "drives/a/metadata.yaml",
        "drives/b.mcap",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(MINE)
    before, start = tree(tmp_path), time.monotonic()
    result = ssap(*command, cwd=tmp_path)
    assert result.returncode == 2, result.stderr
    assert time.monotonic() - start < 60
    assert tree(tmp_path) == before
    assert len(result.stderr.strip().splitlines()) == 1, result.stderr
    assert result.stderr.startswith("ssap: error: ")


def test_training_refuses_the_folder_of_another(tmp_path):
    pytest.importorskip("torch", reason="PyTorch is not installed (requirements-train.txt)")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "checkpoint.pt").write_text(MINE)
    config = tmp_path / "train.yaml"
    config.write_text("data: {kind: scenes}\n")
    before = tree(tmp_path)
    result = ssap("train", "--config", config, "--out", tmp_path / "out", cwd=tmp_path)
    assert result.returncode == 2
    assert tree(tmp_path) == before
