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

"""What an examination finds: one line, and a hint where something is to be done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class CheckResult:
    """One thing looked at.

    Attributes:
        ok: False if the node cannot run for it.
        hint: What to do about it; empty if nothing.
    """

    name: str
    ok: bool
    text: str
    hint: str = ""

    def as_dict(self) -> dict[str, Any]:
        """The fields, for JSON."""
        return asdict(self)


def report(results: Sequence[CheckResult]) -> str:
    """The results as text, one line each and the hint below."""
    lines = []
    for result in results:
        mark = "ok" if result.ok and not result.hint else "--" if result.ok else "!!"
        lines.append(f"{mark} {result.name}: {result.text}")
        if result.hint:
            lines.append(f"     -> {result.hint}")
    broken = [result.name for result in results if not result.ok]
    lines.append(f"failed checks: {', '.join(broken)}" if broken else "the node can run")
    return "\n".join(lines)
