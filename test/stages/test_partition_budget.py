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

"""The cascade tells of its levels, and keeps to the time that it is given."""

from __future__ import annotations

import numpy as np
import pytest

from ssap_ros.stages.partition import CascadeReport, cascaded_graph_partition
from support.partition_scenes import CLASSES, discs, in_raster_order, pyramid, touching_rectangles


def test_the_report_tells_of_every_level() -> None:
    costs, classes = pyramid(discs(), CLASSES["one class"], 3)
    report = CascadeReport()
    cascaded_graph_partition(costs, classes, report=report)
    assert report.complete
    n_nodes = [level.n_nodes for level in report.levels]
    assert n_nodes[0] == np.count_nonzero(classes[2])
    assert n_nodes[2] < np.count_nonzero(classes[0]) / 2
    assert report.workspace_bytes > 0
    assert all(level.solve_ms >= 0 for level in report.levels)


def test_out_of_time_the_coarsest_labels_are_carried_to_the_finest_level() -> None:
    costs, classes = pyramid(discs(), CLASSES["one class"], 3)
    report = CascadeReport()
    labels = cascaded_graph_partition(costs, classes, max_ms=1e-6, report=report)
    assert not report.complete
    # no level was finished: every pixel of the coarsest one by itself
    assert len(report.levels) == 1
    np.testing.assert_array_equal(labels > 0, (labels > 0) & (classes[0] > 0))
    assert len(np.unique(labels)) == labels.max() + 1


def carried(labels: np.ndarray, factor: int, classes: np.ndarray) -> np.ndarray:
    """Coarse labels at a finer level, for its things, in raster order."""
    height, width = classes.shape
    fine = labels.repeat(factor, axis=0).repeat(factor, axis=1)[:height, :width]
    return in_raster_order(np.where(classes > 0, fine, 0))


@pytest.mark.parametrize("max_ms", np.geomspace(0.01, 3, 24))
def test_a_cut_run_gives_the_labels_of_the_last_finished_level(max_ms: float) -> None:
    costs, classes = pyramid(
        touching_rectangles().repeat(4, 0).repeat(4, 1), CLASSES["one class"], 4
    )
    report = CascadeReport()
    labels = cascaded_graph_partition(costs, classes, max_ms=max_ms, report=report)
    finished = len(report.levels) - (not report.complete)
    if report.complete:
        np.testing.assert_array_equal(labels, cascaded_graph_partition(costs, classes))
    elif finished:
        first = len(costs) - finished
        coarse = cascaded_graph_partition(costs[first:], classes[first:], joint_finest=False)
        np.testing.assert_array_equal(labels, carried(coarse, 2**first, classes[0]))
    assert len(np.unique(np.append(labels, 0))) == labels.max() + 1


def test_with_time_enough_the_budget_changes_nothing() -> None:
    levels = pyramid(discs(), CLASSES["one class"], 3)
    report = CascadeReport(complete=False)
    labels = cascaded_graph_partition(*levels, max_ms=1e6, report=report)
    assert report.complete
    np.testing.assert_array_equal(labels, cascaded_graph_partition(*levels))
