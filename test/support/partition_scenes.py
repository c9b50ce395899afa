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

"""Pictures of touching, round and split objects, and what a network would say of them."""

from __future__ import annotations

import numpy as np

from ssap_ros.stages.partition import edge_costs
from support import oracles


def sample(ids: np.ndarray, step: int) -> np.ndarray:
    """The ids at the centres of cells of step x step pixels."""
    rows, columns = (
        np.minimum(np.arange(-(-n // step)) * step + step // 2, n - 1) for n in ids.shape
    )
    return ids[np.ix_(rows, columns)]


def pyramid(
    ids: np.ndarray, class_of_id: np.ndarray, n_levels: int
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Ideal costs and classes of an id map and, sampled at cell centres, of its coarser levels."""
    costs, classes = [], []
    for level in range(n_levels):
        sampled = sample(ids, 2**level)
        costs.append(edge_costs(oracles.ideal_affinities(sampled)))
        classes.append(class_of_id[sampled].astype(np.uint8))
    return costs, classes


def touching_rectangles() -> np.ndarray:
    ids = np.zeros((48, 80), int)
    ids[8:40, 4:30] = 1
    ids[8:40, 30:44] = 2
    ids[20:48, 44:80] = 3
    return ids


def discs() -> np.ndarray:
    y, x = np.mgrid[:61, :83]
    ids = np.zeros(y.shape, int)
    for i, (cy, cx, r) in enumerate([(15, 15, 12), (20, 36, 14), (45, 60, 15), (58, 5, 9)]):
        ids[(y - cy) ** 2 + (x - cx) ** 2 < r**2] = i + 1
    return ids


def behind_a_pole() -> np.ndarray:
    ids = np.zeros((64, 96), int)
    ids[12:60, 8:88] = 1
    ids[:, 44:47] = 2  # beyond the window of the finest level
    return ids


SCENES = {"rectangles": touching_rectangles, "discs": discs, "pole": behind_a_pole}


CLASSES = {
    "one class": np.array([0, 1, 1, 1, 1]),
    "several classes": np.array([0, 1, 2, 1, 3]),
}


def in_raster_order(ids: np.ndarray) -> np.ndarray:
    return oracles.in_order_of_appearance([0, *ids.ravel().tolist()])[1:].reshape(ids.shape)


def noisy_logits(
    seed: int, class_of_id: np.ndarray, n_levels: int
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Directed float16 logits and classes of a few overlapping rectangles."""
    rng = np.random.default_rng(seed)
    ids = np.zeros((45, 70), int)
    for i in range(1, 5):
        y, x = rng.integers(0, 40, 2)
        ids[y : y + 22, x : x + 26] = i
    logits, classes = [], []
    for i in range(n_levels):
        sampled = sample(ids, 2**i)
        ideal = 6 * oracles.ideal_affinities(sampled) - 3
        logits.append((ideal + rng.normal(0, 1.5, ideal.shape)).astype(np.float16))
        classes.append(class_of_id[sampled].astype(np.uint8))
    return logits, classes
