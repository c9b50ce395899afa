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

"""The Python API of real TensorRT releases, without TensorRT.

The bindings of a release are loaded over empty libraries, in a process of its own, and describe
themselves: classes, members, signatures. From that description `Contract` makes a module that our
code can be run against. A member that the release does not have, a call with other arguments than
its signature, a property that cannot be set: each is an error. What a call returns is up to the
test; unless it says so, calls that return an object of the API do.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

HERE = Path(__file__).parent
BINDINGS = HERE.parents[1] / ".cache" / "tensorrt"
_OURS_TO_STUB = re.compile(r"create\w+_INTERNAL|get\w+Registry|getNv\w+|initLib\w+|_ZN\d+nv\w+")


RELEASES = ("10.3.0", "10.16.1.11", "11.4.0.106", "8.5.3.1")


def bindings(release: str) -> Path:
    """The folder of the bindings of a release; skips the test where they were not fetched."""
    folders = sorted(BINDINGS.glob(f"*-{release}/complete"))
    if release.startswith("8") and "PYTHON310" not in os.environ:
        pytest.skip("run by `make test-tensorrt-8`: TensorRT 8.5 is large and wants Python 3.10")
    if not folders:
        pytest.skip(f"no TensorRT {release} for this Python; environment/tensorrt_api.sh gets it")
    return folders[0].parent


@cache
def description(folder: Path) -> dict[str, Any]:
    """The API of the bindings in `folder`. Raises RuntimeError if they cannot be loaded."""
    package = next(folder.glob("tensorrt*/tensorrt.so")).parent
    stubs = folder / "stubs"
    if not stubs.is_dir():
        _build_stubs(package / "tensorrt.so", stubs)
    python = sys.executable if "bindings" in package.name else os.environ["PYTHON310"]
    result = subprocess.run(
        [python, "-S", str(HERE / "describe_tensorrt.py"), package.name],
        env={"PYTHONPATH": str(folder), "LD_LIBRARY_PATH": str(stubs), "PATH": "/usr/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode != 0:
        raise RuntimeError(f"{folder.name} does not load: {result.stderr.strip().splitlines()[-1]}")
    return dict(json.loads(result.stdout))


def _build_stubs(library: Path, stubs: Path) -> None:
    """Libraries of the names that `library` wants, whose functions return null.

    They appear at once, complete: another process of the tests may be making them as well.
    """
    making = Path(tempfile.mkdtemp(dir=stubs.parent))
    symbols = subprocess.check_output(["nm", "-D", "--undefined-only", library], text=True)
    functions = [s for s in symbols.split() if _OURS_TO_STUB.fullmatch(s)]
    source = making / "stub.c"
    source.write_text("".join(f"void* {name}(void) {{ return 0; }}\n" for name in functions))
    needed = subprocess.check_output(["readelf", "-d", library], text=True)
    for name in re.findall(r"\[(libnv[\w.]+)\]", needed):
        options = ["-shared", "-fPIC", f"-Wl,-soname,{name}", "-o", str(making / name)]
        subprocess.run(["gcc", *options, str(source)], check=True)
    try:
        making.rename(stubs)
    except OSError:  # the other process was first
        shutil.rmtree(making)


class Contract:
    """A stand-in for the module tensorrt of one release.

    module: to be put in the place of tensorrt. calls: (Class.member, arguments) in their order.
    behaviour: by Class.member, what a call or a property returns: a function of the call's
        arguments, the object first.
    """

    def __init__(
        self, folder: Path, behaviour: dict[str, Callable[..., Any]] | None = None
    ) -> None:
        api = description(folder)
        self.behaviour = behaviour or {}
        self.calls: list[tuple[str, tuple[Any, ...]]] = []
        self.version: str = api["version"]
        self._classes: dict[str, Any] = api["classes"]
        self.module = ModuleType("tensorrt")
        self.module.__dict__.update(
            {name: self._class(name) for name in self._classes}, __version__=self.version
        )

    def called(self, name: str) -> list[tuple[Any, ...]]:
        """The arguments of every call of Class.member."""
        return [arguments for called, arguments in self.calls if called == name]

    def _class(self, name: str) -> type:
        members = self._classes[name]["members"]
        values = {
            member: Value(f"{name}.{member}", facts["number"])
            for member, facts in members.items()
            if facts["kind"] == "value"
        }
        return type(name, (Proxy,), {"_contract": self, "_name": name, **values})

    def call(self, owner: Any, name: str, doc: str, *args: Any, **kwargs: Any) -> Any:
        """Check a call against its documented signatures and say what it returns."""
        signatures = _signatures(doc)
        fitting = [s for s in signatures if s.takes(len(args) + 1, kwargs)]
        if not fitting:
            raise AssertionError(f"TensorRT {self.version}: {name}{args}{kwargs} against {doc!r}")
        self.calls.append((name, (*args, *kwargs.values())))
        if name in self.behaviour:
            return self.behaviour[name](owner, *args, **kwargs)
        return self._default(fitting[0].returns)

    def get(self, owner: Any, name: str, doc: str) -> Any:
        """What a property holds."""
        if name in self.behaviour:
            return self.behaviour[name](owner)
        return self._default(doc.rpartition("->")[2].strip())

    def _default(self, returns: str) -> Any:
        plain = {"None": None, "bool": True}
        kind = returns.rpartition(".")[2].rpartition("::")[2].removeprefix("I")
        if returns in plain:
            return plain[returns]
        for name in (f"I{kind}", kind):
            if name in self._classes:
                return object.__new__(getattr(self.module, name))
        raise AssertionError(f"the test must say what {returns!r} is")


class Value(int):
    """A constant of the API, of the number that it has there."""

    def __new__(cls, name: str, number: int | None) -> Value:
        value = super().__new__(cls, number or 0)
        value.name = name
        return value

    name: str

    def __repr__(self) -> str:
        return self.name


class Proxy:
    """An object of the API; every access is held against the contract."""

    _contract: Contract
    _name: str

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        facts = self._contract._classes[self._name]
        self._contract.call(self, f"{self._name}.__init__", facts["init"], *args, **kwargs)

    def __getattr__(self, member: str) -> Any:
        facts = self._facts(member)
        name = f"{self._name}.{member}"
        if facts["kind"] == "property":
            return self._contract.get(self, name, facts["doc"])
        return lambda *a, **k: self._contract.call(self, name, facts["doc"], *a, **k)

    def __setattr__(self, member: str, value: Any) -> None:
        if type(self).__module__ == __name__ and not self._facts(member).get("settable"):
            raise AssertionError(f"TensorRT {self._contract.version}: cannot set {member}")
        if type(self).__module__ == __name__:
            self._contract.calls.append((f"{self._name}.{member}", (value,)))
        object.__setattr__(self, member, value)

    def _facts(self, member: str) -> dict[str, Any]:
        members = self._contract._classes[self._name]["members"]
        if member not in members:
            raise AttributeError(f"TensorRT {self._contract.version}: {self._name} has no {member}")
        return dict(members[member])


class _Signature:
    def __init__(self, text: str) -> None:
        inside, _, self.returns = text.rpartition(" -> ")
        parameters = _split(inside[inside.index("(") + 1 : inside.rindex(")")])
        self._names = [p.partition(":")[0].strip() for p in parameters]
        self._n_required = sum("=" not in p for p in parameters)

    def takes(self, n_positional: int, keywords: dict[str, Any]) -> bool:
        given = self._names[:n_positional]
        return (
            n_positional <= len(self._names)
            and set(keywords) <= set(self._names[n_positional:])
            and set(self._names[: self._n_required]) <= {*given, *keywords}
        )


def _signatures(doc: str) -> list[_Signature]:
    lines = [line.strip() for line in doc.splitlines()]
    overloads = [line.partition(". ")[2] for line in lines if re.match(r"\d+\. \w+\(", line)]
    if not overloads and "->" in lines[0]:
        overloads = lines[:1]
    return [_Signature(text) for text in overloads]


def _split(parameters: str) -> list[str]:
    """The parts between commas that are not within brackets."""
    parts, depth = [""], 0
    for character in parameters:
        depth += (character in "[(<") - (character in "])>")
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return [part for part in parts if part.strip()]
