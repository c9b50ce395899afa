"""What an examination finds: one line, and a hint where something is to be done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class CheckResult:
    """One thing looked at.

    ok: False if the node cannot run for it. hint: what to do about it; empty if nothing.
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
