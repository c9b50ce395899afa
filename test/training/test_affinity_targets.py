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

"""Affinity targets against a plain loop, and the symmetry that Eq. 2 relies on."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
torch.set_num_threads(1)  # several would wait for each other on a busy machine

from ssap_ros.training.affinity_targets import affinity_targets, sample_level  # noqa: E402
from ssap_ros.training.samples import (  # noqa: E402
    UNLABELLED,
    VOID,
    stuff_segment,
    unknown_instance,
)

STUFF = [stuff_segment(c) for c in (0, 1, 253)]
LABELS = [*STUFF, 1, 2, 3, VOID, UNLABELLED, unknown_instance(1), unknown_instance(253)]


def truth_known(a: int, b: int) -> bool:
    if VOID in (a, b):
        return False
    if a == b:
        return a > 0 or a in STUFF
    return not (UNLABELLED in (a, b) and max(a, b) <= 0)


@pytest.mark.parametrize("window", [3, 5, 7])
def test_targets_equal_a_plain_loop(window):
    ids = np.random.default_rng(window).choice(LABELS, (2, 6, 7))
    same, valid = (t.numpy() for t in affinity_targets(torch.from_numpy(ids), window))
    radius = window // 2
    for b, k, y, x in np.ndindex(same.shape):
        ny, nx = y + k // window - radius, x + k % window - radius
        inside = 0 <= ny < 6 and 0 <= nx < 7
        neighbour = int(ids[b, ny, nx]) if inside else VOID
        centre = int(ids[b, y, x])
        assert valid[b, k, y, x] == truth_known(centre, neighbour), (centre, neighbour)
        if valid[b, k, y, x]:
            assert same[b, k, y, x] == (centre == neighbour)


def test_a_pair_has_one_target_seen_from_both_ends():
    ids = torch.from_numpy(np.random.default_rng(0).choice(LABELS, (1, 9, 9)))
    same, valid = affinity_targets(ids, 5)
    for k in range(25):
        dy, dx = k // 5 - 2, k % 5 - 2
        here = np.s_[0, :, max(0, -dy) : 9 - max(0, dy), max(0, -dx) : 9 - max(0, dx)]
        there = np.s_[0, :, max(0, dy) : 9 + min(0, dy), max(0, dx) : 9 + min(0, dx)]
        assert (same[here][k] == same[there][24 - k]).all()
        assert (valid[here][k] == valid[there][24 - k]).all()


def test_all_one_instance_is_all_ones():
    same, valid = affinity_targets(torch.full((1, 4, 4), 7), 5)
    assert same[valid].all()
    assert valid[0, 12].all()  # the centre channel pairs a pixel with itself


def test_levels_sample_the_cell_centres():
    ids = torch.arange(64).reshape(1, 8, 8)
    assert sample_level(ids, 4).tolist() == [[[18, 22], [50, 54]]]
