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

"""The node as a process of its own: started, watched, stopped."""

from __future__ import annotations

import ctypes
import itertools
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ssap_ros.backends.resources import share_path
from ssap_ros.errors import NodeError
from ssap_ros.node.transport import profile_variable

_STOP_TIMEOUT_S = 60.0
_LIBC = ctypes.CDLL(None)
_PR_SET_PDEATHSIG = 1
_NUMBERS = itertools.count()  # a node that has just gone is not mistaken for its successor


class NodeProcess:
    """A context in which a node runs; leaving it sends SIGINT and checks the exit code.

    Args:
        parameters: Of the node, by name.
        log: File for all that the node writes.
        module: What runs it.
        namespace: That of another node; empty means one of its own.

    Attributes:
        domain_id: Of DDS, this process's own.

    Raises:
        NodeError: On leaving, if the node did not end with exit code 0.
    """

    def __init__(
        self,
        parameters: Mapping[str, Any],
        log: Path,
        module: str = "ssap_ros.node",
        namespace: str = "",
    ) -> None:
        self.namespace = namespace or f"/replay_{os.getpid()}_{next(_NUMBERS)}"
        self.domain_id = 1 + os.getpid() % 100
        self._log = log
        profile = share_path("config/fastdds_shm.xml")  # shared memory that whole images fit into
        os.environ.setdefault(profile_variable(), str(profile))
        self._command = [sys.executable, "-m", module, "--ros-args"]
        self._command += ["-r", f"__ns:={self.namespace}"]
        for name, value in parameters.items():
            self._command += ["-p", f"{name}:={json.dumps(value)}"]  # JSON is YAML

    def __enter__(self) -> NodeProcess:
        environment = {**os.environ, "ROS_DOMAIN_ID": str(self.domain_id)}
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                self._command,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=_end_with_parent,
            )
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._process.send_signal(signal.SIGINT)
        try:
            code = self._process.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        if code != 0 and kind is None:
            raise NodeError(f"the node ended with exit code {code}: {self.last_words()}")

    def check(self) -> None:
        """Raise NodeError if the node is no longer there."""
        code = self._process.poll()
        if code is not None:
            raise NodeError(f"the node ended with exit code {code}: {self.last_words()}")

    def last_words(self) -> str:
        """The last line that the node wrote."""
        lines = self._log.read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else "(it wrote nothing)"


def _end_with_parent() -> None:
    """In the child: let the kernel send SIGTERM when the parent is gone, however it went."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
