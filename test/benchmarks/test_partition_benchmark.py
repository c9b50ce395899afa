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

"""benchmarks/partition.py: its measures, its scenes, and the command from end to end."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from affinity_scenes import affinity_scene
from flat_graph import flat_graph
from partition import main
from partition_quality import adapted_rand_error, panoptic_quality

from ssap_ros.stages.partition import edge_costs, multicut_objective

TRUTH = np.array([[0, 1, 1, 1], [0, 2, 2, 2]], np.int32)


@pytest.mark.parametrize(
    ("labels", "quality", "error"),
    [
        (TRUTH, 1.0, 0.0),
        (TRUTH * 3, 1.0, 0.0),  # names do not matter
        (np.zeros_like(TRUTH), 0.0, 1 - 2 * 6 / (6 + 18)),
        ((TRUTH > 0).astype(np.int32), 0.0, 1 - 2 * 18 / (36 + 18)),
        (np.array([[0, 1, 1, 4], [0, 2, 2, 2]], np.int32), 2 * (2 / 3 + 1) / 5, 1 - 28 / 32),
    ],
)
def test_measures_of_hand_made_labellings(labels: np.ndarray, quality: float, error: float) -> None:
    assert panoptic_quality(labels, TRUTH) == pytest.approx(quality)
    assert adapted_rand_error(labels, TRUTH) == pytest.approx(error)


@pytest.mark.parametrize("foreground", [0.1, 0.25, 0.5])
def test_scenes_have_the_wanted_foreground_and_repeat(foreground: float) -> None:
    scene, again = (affinity_scene(3, (64, 128), foreground) for _ in range(2))
    assert np.mean(scene.ids > 0) == pytest.approx(foreground, abs=0.05)
    assert [level.shape for level in scene.logits[:2]] == [(25, 64, 128), (25, 32, 64)]
    for a, b in zip(scene.logits, again.logits, strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_flat_graph_holds_the_costs_of_the_pairs_within_objects() -> None:
    scene = affinity_scene(0, (24, 32), 0.4)
    costs = edge_costs(scene.logits[0], logits=True)
    graph = flat_graph(costs, scene.classes[0])
    assert graph.n_nodes == np.count_nonzero(scene.classes[0])
    assert len(np.unique(graph.uv_ids, axis=0)) == len(graph.uv_ids)
    everything = flat_graph(costs, np.ones_like(scene.classes[0]))
    alone = np.arange(everything.n_nodes)
    total = multicut_objective(everything.uv_ids, everything.costs, alone)
    assert total == pytest.approx(costs.sum(dtype=np.float64))


def test_the_command_writes_what_it_prints(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    out, plot = tmp_path / "new" / "partition.json", tmp_path / "partition.png"
    arguments = ["--sizes", "64x32", "--foreground", "25", "--seeds", "1", "--repeats", "1"]
    pytest.importorskip("matplotlib")
    arguments += ["--json", str(out), "--plot", str(plot)]
    assert main(arguments) == 0
    [row] = json.loads(out.read_text())["rows"]
    assert set(row["solvers"]) == {*(f"cascade 1/{2**i}" for i in range(2, 7)), "flat"}
    assert row["solvers"]["flat"]["objective"] < 0
    assert "64x32" in capsys.readouterr().out
    assert plot.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--against", "nobody"], "unknown solver 'nobody'; known: bioimage-cpp, mwatershed"),
        (["--sizes", "12"], "expected a size WxH like 512x256, at least 16x16, got '12'"),
    ],
)
def test_bad_input_is_named(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture
) -> None:
    assert main(arguments) == 2
    assert message in capsys.readouterr().err
