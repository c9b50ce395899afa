"""The parameter file and the table of the README, both made from config.py.

`python -m ssap_ros.node.parameter_docs` writes them into a checkout.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from ssap_ros.config import NodeConfig, SsapConfig

BEGIN, END = "<!-- parameters: begin -->", "<!-- parameters: end -->"


def parameter_file() -> str:
    """config/ssap.yaml: every parameter with its default and what it means."""
    lines = [
        "# Parameters of the node with their defaults, made from ssap_ros/config.py by",
        "# `python -m ssap_ros.node.parameter_docs`.",
        "/**:",
        "  ros__parameters:",
    ]
    for field in _fields():
        lines += [f"    # {field.metadata['description']}", f"    {field.name}: {_text(field)}"]
    return "\n".join(lines) + "\n"


def parameter_table() -> str:
    """The table of the README."""
    lines = ["| parameter | default | values | live | meaning |", "|---|---|---|---|---|"]
    for field in _fields():
        live = "yes" if field.metadata.get("live") else ""
        cells = (f"`{field.name}`", f"`{_text(field)}`", _values(field), live)
        lines.append(f"| {' | '.join(cells)} | {field.metadata['description']} |")
    return "\n".join(lines)


def with_table(text: str) -> str:
    """`text`, the README, with the table of today between its marks."""
    before, rest = text.split(BEGIN)
    return f"{before}{BEGIN}\n{parameter_table()}\n{END}{rest.split(END)[1]}"


def main() -> None:
    """Write both into the checkout that this module lies in."""
    root = Path(__file__).resolve().parents[2]
    (root / "config" / "ssap.yaml").write_text(parameter_file())
    readme = root / "README.md"
    readme.write_text(with_table(readme.read_text()))


def _fields() -> list[dataclasses.Field[Any]]:
    return [*dataclasses.fields(SsapConfig), *dataclasses.fields(NodeConfig)]


def _text(field: dataclasses.Field[Any]) -> str:
    """The default as YAML: JSON, but for words that YAML needs no quotes for."""
    value = field.default
    if isinstance(value, str) and value:
        return value
    return json.dumps(value)


def _values(field: dataclasses.Field[Any]) -> str:
    if "choices" in field.metadata:
        return ", ".join(str(choice) for choice in field.metadata["choices"])
    if "range" in field.metadata:
        low, high = field.metadata["range"]
        return f"{low:,} to {high:,}".replace(",", " ")
    kinds = {bool: "true, false", str: "text", tuple: "list of names"}
    return kinds[type(field.default)]


if __name__ == "__main__":
    main()
