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

"""Random arguments to the door of the core: a result that obeys its laws, or an InputError.

SSAP_FUZZ_CASES sets the number of cases; `make sanitize` runs many under the sanitizers.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from ssap_ros import partition
from ssap_ros.errors import InputError
from ssap_ros.stages import core, core_space
from ssap_ros.stages.partition import CascadeReport

CASES = int(os.environ.get("SSAP_FUZZ_CASES", "3000"))
SPECIAL = [np.nan, np.inf, -np.inf, 3e38, -3e38, 6e4, 1e-40, 0.0, -0.0]


def values(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Any kind of numbers: noise, all equal, ties, huge, some that are not finite."""
    kind = rng.integers(6)
    if kind == 0:
        return np.full(shape, rng.choice([-1.0, 0.0, 1.0, 7.5]))
    if kind == 1:
        return rng.integers(-2, 3, shape).astype(float)
    array = rng.normal(0, rng.choice([0.1, 3.0, 1e4, 1e37]), shape)
    if kind == 2 and array.size:
        array.flat[rng.integers(array.size)] = rng.choice(SPECIAL)
    return array


def disguised(rng: np.random.Generator, array: np.ndarray) -> Any:
    """The same array in another dtype, layout or type; rarely a wrong one."""
    kind = rng.integers(14)
    if kind == 0:
        return np.asfortranarray(array)
    if kind == 1:
        return np.repeat(array, 2, axis=-1)[..., ::2]
    if kind == 2:
        return array[..., ::-1].copy()[..., ::-1]
    if kind == 3:
        return array[:0] if array.ndim else array
    if kind == 4:
        return array[..., :-1]
    if kind == 5:
        return array.astype(rng.choice([np.float64, np.int32, np.uint8, np.complex64, object]))
    if kind == 6:
        return array.tolist()
    if kind == 7:
        return array.astype(array.dtype.newbyteorder())
    if kind == 8:
        array.flags.writeable = False
    return array


def shape(rng: np.random.Generator) -> tuple[int, int]:
    return int(rng.integers(1, 24)), int(rng.integers(1, 24))


def float_dtype(rng: np.random.Generator) -> type:
    return np.float32 if rng.random() < 0.5 else np.float16


def call_cascade(rng: np.random.Generator) -> None:
    size = shape(rng)
    costs, classes, long_range = [], [], []
    n_levels = int(rng.integers(1, 5))
    n_long = int(rng.integers(0, 2))
    for level in range(n_levels + n_long):
        n_channels = rng.choice([12, 24, 25])
        array = values(rng, (n_channels, *size)).astype(float_dtype(rng))
        (costs if level < n_levels else long_range).append(disguised(rng, array))
        if level < n_levels:
            classes.append(rng.integers(0, rng.choice([1, 2, 4]), size).astype(np.uint8))
        size = (size[0] + 1) // 2, (size[1] + 1) // 2
    things, scores = classes[0] > 0, None
    if rng.random() < 0.1:
        classes[0] = disguised(rng, classes[0])
    if rng.random() < 0.3:
        scores = disguised(rng, values(rng, (3, *things.shape)).astype(np.float32))
    report = CascadeReport()
    labels = partition.cascaded_graph_partition(
        costs,
        classes,
        scores=scores,
        long_range=long_range,
        eps=rng.choice([1e-4, 1e-6, 0.3]),
        erosion_radius=int(rng.choice([0, 1, 2, 10**9])),
        joint_finest=bool(rng.integers(2)),
        linkage=rng.choice(["sum", "mean", "mutex"]),
        max_ms=rng.choice([None, 1e-3, 0.05, 10.0]),
        report=report,
    )
    things = classes[0] > 0
    assert labels.shape == things.shape
    assert labels.dtype == np.int32
    assert len(np.unique(np.append(labels, 0))) == labels.max() + 1
    assert not labels[~things].any()
    assert not report.complete or (labels[things] > 0).all()


def call_edge_costs(rng: np.random.Generator) -> None:
    size, logits = shape(rng), bool(rng.integers(2))
    affinities = values(rng, (rng.choice([24, 25]), *size))
    affinities = affinities if logits else np.clip(affinities, 0, 1)
    scores = values(rng, (2, *size)).astype(np.float32) if rng.random() < 0.3 else None
    costs = partition.edge_costs(
        disguised(rng, affinities.astype(float_dtype(rng))), logits=logits, scores=scores
    )
    assert costs.shape[0] == 12
    assert np.abs(costs).max() < 9.3


def graph(rng: np.random.Generator) -> tuple[int, Any, Any]:
    n_nodes, n_edges = int(rng.integers(0, 40)), int(rng.integers(0, 200))
    u = rng.integers(0, max(n_nodes, 1), n_edges)
    v = (u + rng.integers(1, max(n_nodes, 2), n_edges)) % max(n_nodes, 1)
    uv_ids = np.stack([u, v], axis=1)
    if rng.random() < 0.1 and n_edges:
        uv_ids.flat[rng.integers(uv_ids.size)] = rng.choice([-1, -(2**62), 2**31, 2**62, n_nodes])
    costs = values(rng, (n_edges,)).astype(np.float64)
    return n_nodes, disguised(rng, uv_ids), disguised(rng, costs)


def call_greedy_additive(rng: np.random.Generator) -> None:
    n_nodes, uv_ids, costs = graph(rng)
    linkage = rng.choice(["sum", "mean", "mutex"])
    labels = partition.greedy_additive(n_nodes, uv_ids, costs, linkage=linkage)
    assert labels.shape == (n_nodes,)


def call_kernighan_lin(rng: np.random.Generator) -> None:
    n_nodes, uv_ids, costs = graph(rng)
    start = disguised(rng, rng.integers(-5, 5, n_nodes))
    labels = partition.kernighan_lin(uv_ids, costs, start, max_moves=int(rng.integers(0, 3000)))
    before, after = (partition.multicut_objective(uv_ids, costs, x) for x in (start, labels))
    assert after <= before + 1e-9 * np.abs(np.asarray(costs)).sum()


def call_upsample_labels(rng: np.random.Generator) -> None:
    labels = disguised(rng, rng.integers(-3, 4, shape(rng)).astype(np.int32))
    scale = rng.choice([0.25, 1.0, 1e-3, 40.0, -1.0, np.nan])
    result = partition.upsample_labels(labels, shape(rng), scale)
    assert set(np.unique(result)) <= set(np.unique(labels))


def segments(rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    """Labels 0..N; rarely one that no cell count allows."""
    labels = rng.integers(0, rng.choice([1, 2, 9]), size).astype(np.int32)
    if rng.random() < 0.1:
        labels.flat[rng.integers(labels.size)] = rng.choice([-1, -(2**31), 2**31 - 1, 10**6])
    return labels


def thing_ids(rng: np.random.Generator, n_classes: int) -> list[int]:
    """Some of the classes; rarely ids that there are not, or twice."""
    ids = rng.permutation(n_classes)[: rng.integers(1, n_classes + 1)].tolist()
    if rng.random() < 0.1:
        ids[rng.integers(len(ids))] = int(rng.choice([-1, n_classes, 200, 2**40, ids[0]]))
    return ids


def call_upsampled_segments(rng: np.random.Generator) -> None:
    labels, size = disguised(rng, segments(rng, shape(rng))), shape(rng)
    scale = rng.choice([0.25, 1.0, 1e-3, 40.0, 0.0, np.inf])
    upsampled = core.UpsampledSegments(labels, size, scale)
    n_labels = int(labels.max()) + 1
    table = np.arange(n_labels + rng.choice([0, 0, 0, 0, -1, 1])).astype(np.uint16)
    image = upsampled.paint(disguised(rng, table))
    np.testing.assert_array_equal(image, core.upsample_labels(labels, size, scale))
    areas = upsampled.extents()[:, 0]
    np.testing.assert_array_equal(areas, np.bincount(image.ravel(), minlength=n_labels))


def call_count_votes(rng: np.random.Generator) -> None:
    size, n_classes = shape(rng), int(rng.integers(1, 6))
    labels, things = segments(rng, size), thing_ids(rng, n_classes)
    classes = rng.integers(0, len(things) + 1, size).astype(np.uint8)
    if rng.random() < 0.1:
        classes.flat[rng.integers(classes.size)] = rng.choice([len(things) + 1, 200, 255])
    probabilities = values(rng, (n_classes, *size)).astype(float_dtype(rng))
    labels, classes = disguised(rng, labels), disguised(rng, classes)
    table = core.count_votes(labels, classes, disguised(rng, probabilities), things)
    assert table.shape == (labels.max(), 2 + 2 * len(things))
    assert table[:, 0].sum() == np.count_nonzero(labels)
    assert (table[:, 1] <= table[:, 0]).all()
    assert table[:, 2 : 2 + len(things)].sum() == np.count_nonzero((labels > 0) & (classes > 0))


def call_thing_classes(rng: np.random.Generator) -> None:
    logits = values(rng, (int(rng.integers(1, 6)), *shape(rng))).astype(float_dtype(rng))
    things = thing_ids(rng, len(logits))
    classes = core.thing_classes(disguised(rng, logits), things)
    assert classes.max() <= len(things)


def call_softmax(rng: np.random.Generator) -> None:
    logits = values(rng, (int(rng.integers(1, 6)), *shape(rng))).astype(float_dtype(rng))
    chosen = thing_ids(rng, len(logits)) if rng.random() < 0.5 else None
    logits = disguised(rng, logits)
    shares = core.softmax(logits, chosen)
    sums = shares.sum(axis=0)
    np.testing.assert_allclose(sums[np.isfinite(sums)], 1, atol=1e-5)
    assert np.isfinite(sums).all() or not np.isfinite(logits).all()


def call_area_resize(rng: np.random.Generator) -> None:
    image = rng.integers(0, 256, (*shape(rng), rng.choice([3, 3, 3, 3, 3, 3, 1, 4])), np.uint8)
    size, padding = shape(rng), rng.integers(-1, 8, 2)
    tensor = np.full((1, 3, *np.maximum(size + padding, 0)), -1, np.float32)
    factor = tuple(rng.choice([1.0, 1.0, 1.0, 1.0, np.nan], 3))
    tensor = disguised(rng, tensor)
    core.area_resize(disguised(rng, image), size, factor, (0.0, 0.0, 0.0), tensor)
    inside = tensor[0, :, : size[0], : size[1]]
    assert inside.min() >= 0
    assert inside.max() <= 255
    assert (tensor == -1).sum() == tensor.size - inside.size


def call_look_up(rng: np.random.Generator) -> None:
    labels = rng.integers(0, rng.choice([1, 4, 9, 2**16]), shape(rng)).astype(np.uint16)
    value = rng.integers(0, 256, rng.choice([0, 8, 9, 2**16])).astype(
        rng.choice([np.uint8, np.uint16])
    )
    labels, value = disguised(rng, labels), disguised(rng, value)
    np.testing.assert_array_equal(core.look_up(labels, value), value[labels])


def depth_view(rng: np.random.Generator, size: tuple[int, int]) -> list[Any]:
    """Depth and rays; sometimes other numbers than those of a camera."""
    images = np.abs(rng.normal(0, 2, (3, *size))).astype(np.float32)
    images[0][rng.random(size) < 0.3] = 0
    if rng.random() < 0.3:
        images[rng.integers(3)] = values(rng, size)
    return [disguised(rng, image) if rng.random() < 0.2 else image for image in images]


def call_surface_rows(rng: np.random.Generator) -> None:
    size = shape(rng)
    labels = rng.integers(0, rng.choice([1, 2, 9]), size).astype(np.uint16)
    labels[rng.random(size) < rng.choice([0.0, 0.9])] = 0
    labels, (depth, x, y) = disguised(rng, labels), depth_view(rng, size)
    kind = [(axis, np.float32) for axis in "xyz"] + [("label", np.uint8)] * int(rng.integers(2))
    table = np.zeros(rng.choice([0, 1, 2, 9, 9, 9]), kind)
    if len(kind) > 3:
        table["label"] = np.arange(len(table))
    pose = rng.normal(size=(3, 4)).astype(np.float32)
    rows = core_space.surface_rows(labels, depth, x, y, disguised(rng, pose), table)
    seen = (labels > 0) & (depth > 0)
    points = np.stack([x * depth, y * depth, depth, np.ones(size)], axis=-1)[seen] @ pose.T
    found = np.stack([rows[axis] for axis in "xyz"], axis=1)
    usual = np.abs(points).max(axis=1, initial=0) < 1e3
    np.testing.assert_allclose(found[usual], points[usual], atol=1e-2)
    if len(kind) > 3:
        np.testing.assert_array_equal(rows["label"], labels[seen])


def call_place_objects(rng: np.random.Generator) -> None:
    size = shape(rng)
    labels = rng.integers(0, rng.choice([2, 2, 9]), size).astype(np.uint16)
    labels[rng.random(size) < rng.choice([0.0, 0.3])] = 1
    depth, x, y = depth_view(rng, size)
    corner = rng.integers(0, size[::-1], (rng.integers(0, 4), 2))
    boxes = [(*xy, *rng.integers(1, size[::-1] - xy + 1)) for xy in corner]
    if rng.random() < 0.1:
        boxes.append(tuple(rng.choice([-1, 0, 1, 40, 2**40], 4)))
    boxes = [tuple(map(int, box)) for box in boxes]
    frame = np.linalg.qr(rng.normal(size=(3, 3)))[0].astype(np.float32)
    placed = core_space.place_objects(
        disguised(rng, labels),
        boxes,
        depth,
        x,
        y,
        disguised(rng, frame),
        erosion=int(rng.choice([0, 0, 1, 2, 10**9])),
        max_samples=int(rng.choice([1, 30, 10**6])),
        min_points=int(rng.integers(1, 20)),
        outlier_deviations=rng.choice([0.5, 3.5]),
        sure_m=rng.choice([0.0, 0.5]),
    )
    for item in placed:
        width, height = boxes[item.label - 1][2:]
        assert item.depth > 0
        assert 2 <= item.n_points <= width * height
        assert 0 <= item.angle < np.pi / 2
        if all(np.abs(image).max() < 100 for image in (depth, x, y)):
            assert all(low <= high for low, high in zip(item.low, item.high, strict=True))
            covariance = np.reshape(item.covariance, (3, 3))
            assert np.linalg.eigvalsh(covariance).min() >= -1e-6 * np.abs(covariance).max()


CALLS: dict[Callable[[np.random.Generator], None], set[str]] = {
    call_cascade: {"cascaded_graph_partition"},
    call_edge_costs: {"edge_costs"},
    call_greedy_additive: {"greedy_additive"},
    call_kernighan_lin: {"kernighan_lin", "multicut_objective"},
    call_upsample_labels: {"upsample_labels"},
    call_upsampled_segments: {"UpsampledSegments"},
    call_count_votes: {"count_votes"},
    call_thing_classes: {"thing_classes"},
    call_softmax: {"softmax"},
    call_area_resize: {"area_resize"},
    call_look_up: {"look_up"},
    call_surface_rows: {"surface_rows"},
    call_place_objects: {"place_objects"},
}


def test_every_function_of_the_door_is_called() -> None:
    own = {
        name
        for door in (core, core_space)
        for name, value in vars(door).items()
        if getattr(value, "__module__", None) == door.__name__
        and (inspect.isfunction(value) or inspect.isclass(value))
        and not name.startswith("_")
    }
    assert own == set().union(*CALLS.values())


@pytest.mark.timeout(120 + CASES // 50)
def test_random_arguments_give_a_lawful_result_or_an_input_error() -> None:
    calls, refused = list(CALLS), 0
    with np.errstate(all="ignore"):
        for case in range(CASES):
            rng = np.random.default_rng(case)
            try:
                calls[case % len(calls)](rng)
            except InputError:
                refused += 1
            except Exception as error:
                raise AssertionError(f"case {case}") from error
    assert 0.1 * CASES < refused < 0.8 * CASES
