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

"""The measurements of partition.py."""

from __future__ import annotations

import datetime
import platform
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from functools import partial
from importlib import metadata
from multiprocessing import get_context
from typing import Any

import numpy as np
from affinity_scenes import EASY, HARD, AffinityScene, affinity_scene
from flat_graph import flat_graph
from partition_peers import PEERS, Solver
from partition_quality import adapted_rand_error, panoptic_quality

from ssap_ros.stages.partition import (
    CascadeReport,
    cascaded_graph_partition,
    edge_costs,
    greedy_additive,
    multicut_objective,
)

STRIDES = (4, 8, 16, 32, 64)
DEFAULT = "cascade 1/16"
STAGES = ("costs_ms", "graph_ms", "solve_ms", "labels_ms")


def measure(
    size: tuple[int, int],
    percent: int,
    noise: str,
    seeds: Sequence[int],
    repeats: int,
    peers: Sequence[str],
) -> dict[str, Any]:
    """Run every solver on the scenes of one size and share of foreground.

    Returns:
        `size`, `foreground` in percent and `solvers`: per solver the medians of `ms` (CPU) and
        `objective` (on the flat graph), the means of `pq` and `rand_error`; for cascades the
        medians of the stages `costs_ms`, `graph_ms`, `solve_ms`, `labels_ms` (wall), and
        `workspace_mb` of the first scene.
    """
    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for n, stride in enumerate(STRIDES, start=1):
        with ProcessPoolExecutor(1, get_context("spawn")) as fresh:  # memory is kept between calls
            done = fresh.submit(_workspace_mb, seeds[0], size, percent, noise, n)
            found[f"cascade 1/{stride}"]["workspace_mb"].append(done.result())
    for seed in seeds:
        scene = _scene(seed, size, percent, noise)
        costs = edge_costs(scene.logits[0], logits=True)
        graph = flat_graph(costs, scene.classes[0])
        reports = {f"cascade 1/{stride}": CascadeReport() for stride in STRIDES}
        solvers: dict[str, Solver] = {
            name: partial(
                cascaded_graph_partition, scene.logits[:n], scene.classes[:n], report=report
            )
            for n, (name, report) in enumerate(reports.items(), start=1)
        }
        solvers["flat"] = partial(greedy_additive, graph.n_nodes, graph.uv_ids, graph.costs)
        solvers |= {peer: PEERS[peer](graph, costs) for peer in peers}

        for repeat in range(repeats + 1):
            for name, solve in solvers.items():
                start = time.process_time()
                labels = solve()
                elapsed = 1e3 * (time.process_time() - start)
                if repeat == 0:  # warms up
                    is_map = labels.ndim == 2
                    label_map = labels if is_map else graph.map_of(labels)
                    per_node = graph.labels_of(labels) if is_map else labels
                    objective = multicut_objective(graph.uv_ids, graph.costs, per_node)
                    found[name]["objective"].append(objective)
                    found[name]["pq"].append(panoptic_quality(label_map, scene.ids))
                    found[name]["rand_error"].append(adapted_rand_error(label_map, scene.ids))
                    continue
                found[name]["ms"].append(elapsed)
                if name in reports:
                    for stage, value in _stages(reports[name]).items():
                        found[name][stage].append(value)
    solvers_found = {
        name: {key: round(float(_summary_of(key)(values)), 4) for key, values in figures.items()}
        for name, figures in found.items()
    }
    return {"size": list(size), "foreground": percent, "solvers": solvers_found}


def _scene(seed: int, size: tuple[int, int], percent: int, noise: str) -> AffinityScene:
    return affinity_scene(seed, size, percent / 100, {"easy": EASY, "hard": HARD}[noise])


def _workspace_mb(
    seed: int, size: tuple[int, int], percent: int, noise: str, n_levels: int
) -> float:
    scene, report = _scene(seed, size, percent, noise), CascadeReport()
    cascaded_graph_partition(scene.logits[:n_levels], scene.classes[:n_levels], report=report)
    return report.workspace_bytes / 1e6


def _summary_of(key: str) -> Callable[[Sequence[float]], Any]:
    return np.mean if key in ("pq", "rand_error") else np.median


def _stages(report: CascadeReport) -> dict[str, float]:
    stages = dict.fromkeys(STAGES, 0.0)
    for level in report.levels:
        figures = asdict(level)
        for stage in stages:
            stages[stage] += figures[stage]
    return stages


def header(peers: Sequence[str]) -> str:
    """The head of the table whose lines `describe` makes."""
    starts = "".join(f"{f'1/{stride}':>7}" for stride in STRIDES)
    others = ("flat", *peers)
    names = "".join(f"{name:>14}" for name in others)
    units = f"{'ms (ratio)':>14}" * len(others)
    return (
        f"{'':16}{'cascade from, ms':^35}{names}   cascade, flat\n"
        f"{'size':>10}{'fg %':>6}{starts}{units}   {'PQ':^11}  {'Rand error':^11}"
    )


def describe(row: dict[str, Any], peers: Sequence[str]) -> str:
    """One line of the table; a ratio is a solver's time over that of the default cascade."""
    solvers, (height, width) = row["solvers"], row["size"]
    default, flat = solvers[DEFAULT], solvers["flat"]
    starts = "".join(f"{solvers[f'cascade 1/{stride}']['ms']:7.1f}" for stride in STRIDES)
    others = "".join(
        f"{solvers[name]['ms']:8.1f} ({solvers[name]['ms'] / default['ms']:3.1f})"
        for name in ("flat", *peers)
    )
    return (
        f"{f'{width}x{height}':>10}{row['foreground']:6}{starts}{others}   "
        f"{default['pq']:.3f} {flat['pq']:.3f}  "
        f"{default['rand_error']:.3f} {flat['rand_error']:.3f}"
    )


def summary(rows: list[dict[str, Any]], noise: str, seeds: int, repeats: int) -> dict[str, Any]:
    """What goes into the JSON file: the rows, and what they were measured with."""
    return {
        "date": datetime.date.today().isoformat(),
        "machine": _processor(),
        "python": platform.python_version(),
        "versions": _versions("numpy", "bioimage-cpp", "mwatershed"),
        "noise": noise,
        "seeds": seeds,
        "repeats": repeats,
        "rows": rows,
    }


def _processor() -> str:
    try:
        with open("/proc/cpuinfo") as file:
            names = [line.split(":", 1)[1].strip() for line in file if "model name" in line]
    except OSError:
        names = []
    return names[0] if names else platform.processor() or platform.machine()


def _versions(*packages: str) -> dict[str, str]:
    found = {}
    for package in packages:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found
