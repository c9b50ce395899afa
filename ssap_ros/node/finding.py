"""What an examination finds: one line, and a cure where something is to be done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Finding:
    """One thing looked at.

    ok: False if the node cannot run for it. cure: what to do about it; empty if nothing.
    """

    name: str
    ok: bool
    text: str
    cure: str = ""

    def as_dict(self) -> dict[str, Any]:
        """The fields, for JSON."""
        return asdict(self)


def report(findings: Sequence[Finding]) -> str:
    """The findings as text, one line each and the cure below."""
    lines = []
    for finding in findings:
        mark = "ok" if finding.ok and not finding.cure else "--" if finding.ok else "!!"
        lines.append(f"{mark} {finding.name}: {finding.text}")
        if finding.cure:
            lines.append(f"     -> {finding.cure}")
    broken = [finding.name for finding in findings if not finding.ok]
    lines.append(f"to be mended: {', '.join(broken)}" if broken else "the node can run")
    return "\n".join(lines)
