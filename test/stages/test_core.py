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

"""The door to the compiled core names what it does not let in."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

from ssap_ros import _core
from ssap_ros.errors import InputError
from ssap_ros.stages import core, core_space
from ssap_ros.stages.instances import extract_instances

LABELS = np.array([[0, 1, 2]], np.int32)
CLASSES = np.array([[0, 1, 2]], np.uint8)
PROBABILITIES = np.full((4, 1, 3), 0.25, np.float32)
IMAGE, TENSOR = np.zeros((8, 6, 3), np.uint8), np.zeros((1, 3, 4, 4), np.float32)
ONES = (1.0, 1.0, 1.0)
MASKS, DEPTH = np.ones((2, 3), np.uint16), np.ones((2, 3), np.float32)
POSE, FRAME = np.eye(3, 4, dtype=np.float32), np.eye(3, dtype=np.float32)
TRUST = {
    "erosion": 2, "max_samples": 99, "min_points": 20, "outlier_deviations": 3.5, "sure_m": 1.0,
}  # fmt: skip
TABLE = np.zeros(2, [(axis, np.float32) for axis in "xyz"])
HUGE = np.broadcast_to(np.float32(0), (25, 2**14, 2**13))  # one number, in 134 million pixels


@pytest.mark.parametrize(
    ("call", "arguments", "message"),
    [
        (
            core.look_up,
            (MASKS, np.zeros(1, np.uint8)),
            r"labels must be in \[0, 0\], got values in \[1, 1\]",
        ),
        (
            core_space.surface_rows,
            (MASKS, DEPTH, DEPTH[:1], DEPTH, POSE, TABLE),
            r"ray_x must have shape \(2, 3\) like the image, got \(1, 3\)",
        ),
        (
            core_space.surface_rows,
            (MASKS, MASKS, DEPTH, DEPTH, POSE, TABLE),
            "depth must be float32, got uint16",
        ),
        (
            core_space.surface_rows,
            (MASKS, DEPTH, DEPTH, DEPTH, POSE[:, :3], TABLE),
            r"pose must have shape \(3, 4\), got \(3, 3\)",
        ),
        (
            core_space.surface_rows,
            (MASKS, DEPTH, DEPTH, DEPTH, POSE, TABLE[:1]),
            r"labels must be in \[0, 0\], got values in \[1, 1\]",
        ),
        (
            core_space.surface_rows,
            (MASKS, DEPTH, DEPTH, DEPTH, POSE, TABLE[["y", "z"]]),
            "table must be rows that begin with float32 x, y, z, got ",
        ),
        (
            partial(core_space.place_objects, **TRUST),
            (MASKS, [(0, 0, 3, 3)], DEPTH, DEPTH, DEPTH, FRAME),
            r"box 1 must lie in the image of 3 x 2, got \(0, 0, 3, 3\)",
        ),
        (
            partial(core_space.place_objects, **TRUST),
            (MASKS, [(0, 0, 3, 2)], DEPTH, DEPTH, DEPTH, FRAME[:2]),
            r"frame must have shape \(3, 3\), got \(2, 3\)",
        ),
        (
            partial(core_space.place_objects, **{**TRUST, "min_points": 1}),
            (MASKS, [(0, 0, 3, 2)], DEPTH, DEPTH, DEPTH, FRAME),
            "min_points must be at least 0, 1 and 2, got 2, 99 and 1",
        ),
        (
            core.count_votes,
            (LABELS, np.uint8([[0, 1, 200]]), PROBABILITIES, (1, 3)),
            r"classes must be in \[0, 2\], got values in \[0, 200\]",
        ),
        (
            core.count_votes,
            (LABELS - 1, CLASSES, PROBABILITIES, (1, 3)),
            r"labels must be in \[0, 3\], got values in \[-1, 1\]",
        ),
        (
            core.count_votes,
            (LABELS * 10**9, CLASSES, PROBABILITIES, (1, 3)),
            r"labels must be in \[0, 3\], got values in \[0, 2000000000\]",
        ),
        (
            core.count_votes,
            (LABELS, CLASSES, PROBABILITIES, (1, 4)),
            r"thing_ids must be different class ids in \[0, 4\), got \[1, 4\]",
        ),
        (
            core.count_votes,
            (LABELS, CLASSES, PROBABILITIES[..., :2], (1, 3)),
            r"probabilities must have shape \(4, 1, 3\) like labels, got \(4, 1, 2\)",
        ),
        (
            core.UpsampledSegments,
            (LABELS - 1, (2, 2), 0.5),
            r"labels must be in \[0, 3\], got values in \[-1, 1\]",
        ),
        (
            core.upsample_labels,
            (LABELS, (2**20, 2**20), 0.5),
            "size must have at most 134217727 pixels, got 1048576 x 1048576",
        ),
        (core.edge_costs, (HUGE, True, 1e-4, None), "affinities must have at most 134217727"),
        (core.thing_classes, (PROBABILITIES, (1, 1)), r"thing_ids must be different .* got \[1, 1"),
        (core.thing_classes, (PROBABILITIES, (-1,)), r"thing_ids must be .* in \[0, 4\), got"),
        (core.thing_classes, (PROBABILITIES[:0], ()), "logits must have at least one channel"),
        (
            core.thing_classes,
            (np.zeros((300, 1, 1), np.float32), range(256)),
            "thing_ids must be at most 255 class ids, got 256",
        ),
        (core.softmax, (PROBABILITIES, [4]), r"class_ids must be different .* \[0, 4\), got \[4"),
        (core.softmax, (PROBABILITIES, []), "class_ids must name at least one class, got none"),
        (
            core.area_resize,
            (IMAGE, (5, 4), ONES, ONES, TENSOR),
            r"tensor must have shape \(1, 3, >= 5, >= 4\), got \(1, 3, 4, 4\)",
        ),
        (core.area_resize, (IMAGE[..., 0], (4, 4), ONES, ONES, TENSOR), "image must have 3 dim"),
        (
            core.area_resize,
            (IMAGE, (4, 4), ONES, (1.0, np.inf, 1.0), TENSOR),
            "offset must be three finite numbers, got",
        ),
        (
            core.area_resize,
            (IMAGE, (4, 4), ONES, ONES, TENSOR[..., ::-1]),
            "tensor must be contiguous, aligned and writeable",
        ),
    ],
)
def test_bad_arguments_are_named(
    call: Callable[..., Any], arguments: tuple[Any, ...], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        call(*arguments)


def test_a_table_for_other_labels_is_not_painted() -> None:
    segments = core.UpsampledSegments(LABELS, (2, 6), 0.5)
    with pytest.raises(InputError, match=r"new_label must have shape \(3,\), got \(2,\)"):
        segments.paint(np.zeros(2, np.uint16))


def test_a_class_beyond_the_things_makes_no_instance() -> None:
    with pytest.raises(InputError, match=r"classes must be in \[0, 2\]"):
        extract_instances(
            LABELS,
            np.uint8([[0, 1, 200]]),
            PROBABILITIES,
            (1, 3),
            (2, 6),
            0.5,
            score_threshold=0.0,
            min_area=0,
        )


def test_the_core_itself_guards_the_memory_that_labels_and_classes_index() -> None:
    with pytest.raises(ValueError, match="a label or a class is beyond the table"):
        _core.count_votes(LABELS, np.uint8([[0, 1, 200]]), PROBABILITIES, [1, 3], 2)
    with pytest.raises(ValueError, match="a label or a class is beyond the table"):
        _core.count_votes(LABELS, CLASSES, PROBABILITIES, [1, 3], 1)
    runs = _core.upsampled_runs(LABELS - 1, 1, 3, 1.0)
    with pytest.raises(ValueError, match="label -1 is beyond the table"):
        runs.extents(2)
    with pytest.raises(ValueError, match="label 1 is beyond the table"):
        _core.upsampled_runs(LABELS, 1, 3, 1.0).paint(np.zeros(1, np.uint16))


@pytest.mark.parametrize("offset", [0, 1])
def test_arrays_of_any_alignment_are_taken(offset: int) -> None:
    rng = np.random.default_rng(0)
    logits = rng.standard_normal((3, 5, 7), np.float32)
    memory = bytes(offset) + logits.tobytes()
    unaligned = np.frombuffer(memory, np.float32, logits.size, offset).reshape(logits.shape)
    np.testing.assert_array_equal(core.softmax(unaligned, None), core.softmax(logits, None))
