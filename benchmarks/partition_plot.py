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

"""The picture of partition.py."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from partition_runs import DEFAULT, STAGES, STRIDES

# Table 4 of the paper: start level -> partition time in seconds and AP on Cityscapes val.
PAPER = {4: (1.26, 28.9), 8: (0.33, 31.3), 16: (0.26, 31.5), 32: (0.26, 30.9), 64: (0.26, 30.9)}


def draw(result: dict[str, Any], path: Path) -> None:
    """Time against foreground per start level (Figure 5); time and quality beside Table 4."""
    from matplotlib.figure import Figure

    rows = result["rows"]
    sizes = sorted({tuple(row["size"]) for row in rows})
    size = sizes[len(sizes) // 2]
    chosen = [row for row in rows if tuple(row["size"]) == size]
    figure = Figure(figsize=(13, 4.2), layout="constrained")
    times, quality, stages = figure.subplots(1, 3)

    percent = [row["foreground"] for row in chosen]
    shown = [f"cascade 1/{stride}" for stride in STRIDES]
    shown += [name for name in chosen[0]["solvers"] if name not in shown]
    for name in shown:
        style = "o-" if name.startswith("cascade") else "s--"
        times.plot(percent, [row["solvers"][name]["ms"] for row in chosen], style, label=name)
    times.set(
        title=f"time against foreground, {size[1]}x{size[0]}",
        xlabel="foreground, %",
        ylabel="CPU ms, one thread",
        yscale="log",
    )
    times.legend(fontsize=7)

    ours = chosen[len(chosen) // 2]
    for stride in STRIDES:
        found = ours["solvers"][f"cascade 1/{stride}"]
        flat = ours["solvers"]["cascade 1/4"]
        seconds, precision = PAPER[stride]
        quality.plot(found["ms"] / flat["ms"], found["pq"] / flat["pq"], "o", color="C0")
        quality.annotate(f"1/{stride}", (found["ms"] / flat["ms"], found["pq"] / flat["pq"]))
        at = seconds / PAPER[4][0], precision / PAPER[4][1]
        quality.plot(*at, "^", color="C1")
        quality.annotate(f"1/{stride}", at)
    quality.plot([], [], "o", color="C0", label=f"ours: PQ, {ours['foreground']} % foreground")
    quality.plot([], [], "^", color="C1", label="the paper's Table 4: AP")
    quality.set(title="time and quality, relative to start 1/4", xlabel="time", ylabel="quality")
    quality.legend(fontsize=7)

    bottom = [0.0] * len(chosen)
    totals = [(row, sum(row["solvers"][DEFAULT][stage] for stage in STAGES)) for row in chosen]
    for stage in STAGES:
        heights = [row["solvers"][DEFAULT][stage] / total for row, total in totals]
        stages.bar([str(p) for p in percent], heights, bottom=bottom, label=stage[:-3])
        bottom = [b + h for b, h in zip(bottom, heights, strict=True)]
    stages.set(title=f"stages of the {DEFAULT}", xlabel="foreground, %", ylabel="share of the time")
    stages.legend(fontsize=7)
    figure.savefig(path, dpi=110)
