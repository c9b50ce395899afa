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

"""The parameter files and the tables of the documentation, all made from config.py.

`python -m ssap_ros.node.parameter_docs` writes them into a checkout.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ssap_ros.config import DepthConfig, NodeConfig, SsapConfig

BEGIN, END = "<!-- parameters: begin -->", "<!-- parameters: end -->"
NODE, DEPTH_NODE = (SsapConfig, NodeConfig), (DepthConfig,)
FILES = {"config/ssap.yaml": NODE, "config/ssap_depth.yaml": DEPTH_NODE}
TABLES = {"README.md": NODE, "docs/depth.md": DEPTH_NODE}


def parameter_file(configs: Sequence[type]) -> str:
    """Every parameter with its default and what it means."""
    lines = [
        "# Parameters of the node with their defaults, made from ssap_ros/config.py by",
        "# `python -m ssap_ros.node.parameter_docs`.",
        "/**:",
        "  ros__parameters:",
    ]
    for field in _fields(configs):
        lines += [f"    # {field.metadata['description']}", f"    {field.name}: {_text(field)}"]
    return "\n".join(lines) + "\n"


def parameter_table(configs: Sequence[type]) -> str:
    """The parameters as a table of Markdown."""
    lines = ["| parameter | default | values | live | meaning |", "|---|---|---|---|---|"]
    for field in _fields(configs):
        live = "yes" if field.metadata.get("live") else ""
        cells = (f"`{field.name}`", f"`{_text(field)}`", _values(field), live)
        lines.append(f"| {' | '.join(cells)} | {field.metadata['description']} |")
    return "\n".join(lines)


def with_table(text: str, configs: Sequence[type]) -> str:
    """`text`, a page, with the table of today between its marks."""
    before, rest = text.split(BEGIN)
    return f"{before}{BEGIN}\n{parameter_table(configs)}\n{END}{rest.split(END)[1]}"


def main() -> None:
    """Write all of them into the checkout that this module lies in."""
    root = Path(__file__).resolve().parents[2]
    for name, configs in FILES.items():
        (root / name).write_text(parameter_file(configs))
    for name, configs in TABLES.items():
        page = root / name
        page.write_text(with_table(page.read_text(), configs))


def _fields(configs: Sequence[type]) -> list[dataclasses.Field[Any]]:
    return [field for config in configs for field in dataclasses.fields(config)]


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
