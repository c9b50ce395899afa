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

"""The headers of the core: who includes whom, and the example of their README."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

CORE = Path(__file__).resolve().parents[2] / "ssap_ros" / "csrc"
BELOW = {
    "util": set(),
    "pixel": {"util"},
    "graph": {"util"},
    "space": {"pixel"},
    "cascade": {"util", "pixel", "graph"},
    "bindings": {"util", "pixel", "graph", "space", "cascade"},
}
SOURCES = [path for path in sorted(CORE.rglob("*")) if path.suffix in (".hpp", ".cpp")]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(CORE)))
def test_a_folder_includes_its_own_and_those_below(path: Path) -> None:
    own = path.parent.name
    for included in re.findall(r'#include "(.+)"', path.read_text()):
        assert (CORE / included).is_file()
        assert included.split("/")[0] in BELOW[own] | {own}


@pytest.mark.skipif(not shutil.which("g++"), reason="needs g++")
@pytest.mark.parametrize("checks", [[], ["-DNDEBUG"]])
def test_the_example_of_the_readme_comes_out_as_by_hand(checks: list[str], tmp_path: Path) -> None:
    [program] = re.findall(r"```cpp\n(.+?)```", (CORE / "README.md").read_text(), re.DOTALL)
    source, binary = tmp_path / "example.cpp", tmp_path / "example"
    source.write_text(program)
    flags = ["-std=c++17", "-Wall", "-Wextra", "-Wpedantic", "-Werror", f"-I{CORE}", *checks]
    subprocess.run(["g++", *flags, str(source), "-o", str(binary)], check=True)
    assert subprocess.run([binary], check=True, capture_output=True).stdout == b"as by hand\n"


@pytest.mark.skipif(not shutil.which("g++"), reason="needs g++")
@pytest.mark.parametrize(
    ("dropped", "broken"),
    [
        ("    graph.open(leaf);\n", "every leaf is opened before contracting"),
        ("  for (Node leaf = 2; leaf < 6; ++leaf) graph.mark_leaf(leaf);\n", "is_leaf(leaf)"),
    ],
)
def test_debug_builds_check_the_order_of_calls(dropped: str, broken: str, tmp_path: Path) -> None:
    [program] = re.findall(r"```cpp\n(.+?)```", (CORE / "README.md").read_text(), re.DOTALL)
    assert dropped in program
    source, binary = tmp_path / "example.cpp", tmp_path / "example"
    source.write_text(program.replace(dropped, ""))
    subprocess.run(["g++", "-std=c++17", f"-I{CORE}", str(source), "-o", str(binary)], check=True)
    run = subprocess.run([binary], capture_output=True, text=True, check=False)
    assert run.returncode != 0
    assert broken in run.stderr
