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

"""Draws docs/ablations.png from benchmarks/results/table*.json, which `ssap ablate --json` wrote.

    .venv/bin/python benchmarks/plot_ablations.py

Needs matplotlib (environment/requirements-dev.txt brings it).
"""

from __future__ import annotations

import json
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
SETS = {"val": ("val, 70 photographs", "#1b6ca8"), "scenes": ("procedural scenes", "#d1783c")}


def main() -> None:
    """One panel per table: AP of each row against the first one, ours and the paper's."""
    tables = sorted({path.stem.split("_")[0] for path in RESULTS.glob("table?_*.json")})
    figure, axes = plt.subplots(1, len(tables), figsize=(4.2 * len(tables), 3.6), squeeze=False)
    for axis, table in zip(axes[0], tables, strict=True):
        names: list[str] = []
        for shift, (key, (label, colour)) in enumerate(SETS.items()):
            path = RESULTS / f"{table}_{key}.json"
            if not path.is_file():
                continue
            rows = json.loads(path.read_text())["rows"]
            names = [row["row"] for row in rows]
            paper = [row["paper"]["AP"] - rows[0]["paper"]["AP"] for row in rows]
            ap = [100 * row["AP"]["difference"] for row in rows]
            low, high = zip(*(row["AP"]["difference_interval"] for row in rows), strict=True)
            errors = [
                [max(0.0, a - 100 * b) for a, b in zip(ap, low, strict=True)],
                [max(0.0, 100 * b - a) for a, b in zip(ap, high, strict=True)],
            ]
            x = [i + 0.12 * (shift - 0.5) for i in range(len(rows))]
            axis.errorbar(x, ap, errors, fmt="o-", color=colour, capsize=3, lw=1, label=label)
            if shift == 0:
                axis.plot(paper, "s--", color="0.55", lw=1, ms=4, label="paper, Cityscapes val")
        axis.axhline(0, color="0.8", lw=0.8, zorder=0)
        axis.set_xticks(range(len(names)), names, rotation=25, ha="right", fontsize=8)
        axis.set_title(f"Table {table.removeprefix('table')}", fontsize=10)
        axis.set_ylabel("AP against the first row, points", fontsize=8)
        axis.tick_params(axis="y", labelsize=8)
        axis.spines[["top", "right"]].set_visible(False)
    legends = {
        label: handle
        for axis in axes[0]
        for handle, label in zip(*axis.get_legend_handles_labels(), strict=True)
    }
    figure.legend(legends.values(), legends, loc="lower center", ncol=3, fontsize=8, frameon=False)
    figure.tight_layout(rect=(0, 0.07, 1, 1))
    figure.savefig(ROOT / "docs" / "ablations.png", dpi=130)


if __name__ == "__main__":
    main()
