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

"""Logits become the costs and class maps of the cells that hold image content."""

from __future__ import annotations

import numpy as np
import pytest

from ssap_ros.stages.affinity import affinity_pyramid, softmax, thing_classes
from ssap_ros.stages.partition import edge_costs
from ssap_ros.types import NetworkOutput
from support.toy_model import toy_info

INFO = toy_info(n_levels=3)
RIGHT = (13, 11)  # window channels of (0, 1) and of its opposite


def random_output(height: int, width: int) -> NetworkOutput:
    rng = np.random.default_rng(3)

    def logits(channels: int) -> tuple[np.ndarray, ...]:
        return tuple(
            rng.normal(0, 2, (channels, height // i, width // i)).astype(np.float32)
            for i in INFO.levels
        )

    return NetworkOutput(logits(len(INFO.classes)), logits(25))


@pytest.mark.parametrize(
    ("content", "cells"),
    [
        ((64, 128), [(16, 32), (8, 16), (4, 8)]),
        ((35, 66), [(9, 16), (5, 8), (3, 4)]),
        ((34, 67), [(8, 17), (4, 9), (2, 5)]),
        ((1, 64), [(1, 16), (1, 8), (1, 4)]),
    ],
)
def test_the_padding_is_cut_off(content: tuple[int, int], cells: list[tuple[int, int]]) -> None:
    output = random_output(64, 128)
    pyramid = affinity_pyramid(output, INFO, content, segmentation_refinement=False)
    for index, (height, width) in enumerate(cells):
        classes = thing_classes(output.semantic[index], INFO.thing_ids)[:height, :width]
        np.testing.assert_array_equal(pyramid.classes[index], classes)
        affinities = output.affinities[index][:, :height, :width]
        np.testing.assert_array_equal(pyramid.edges.levels[index], affinities)
    expected = softmax(output.semantic[0])[:, : cells[0][0], : cells[0][1]]
    np.testing.assert_array_equal(pyramid.probabilities, expected)


def test_only_the_levels_given_are_used() -> None:
    output = random_output(64, 64)
    fine = NetworkOutput(output.semantic[:2], output.affinities[:2])
    pyramid = affinity_pyramid(fine, INFO, (64, 64), segmentation_refinement=True)
    assert [len(pyramid.edges.levels), len(pyramid.classes)] == [2, 2]


def test_without_refinement_there_are_no_scores() -> None:
    pyramid = affinity_pyramid(random_output(64, 64), INFO, (64, 64), segmentation_refinement=False)
    assert pyramid.edges.scores is None


def test_refinement_follows_the_formula_over_the_object_classes() -> None:
    output = random_output(16, 16)
    output.semantic[0][0] = [[50, -50, 0, 0]] * 4  # the background must not matter
    s = output.semantic[0][1:, 0, :2].astype(np.float64)
    p, q = (np.exp(s) / np.exp(s).sum(axis=0)).T
    middle = (p + q) / 2
    js = (p * np.log(p / middle) + q * np.log(q / middle)).sum() / 2
    ways = output.affinities[0][RIGHT[0], 0, 0], output.affinities[0][RIGHT[1], 0, 1]
    alpha = np.mean([1 / (1 + np.exp(-float(way))) for way in ways]) * np.exp(-js)
    pyramid = affinity_pyramid(output, INFO, (16, 16), segmentation_refinement=True)
    costs = edge_costs(pyramid.edges.levels[0], logits=True, scores=pyramid.edges.scores)
    assert costs[0, 0, 0] == pytest.approx(np.log(alpha / (1 - alpha)), abs=1e-3)


def test_thing_classes_index_the_thing_ids() -> None:
    logits = np.float32([[0, 9, 0, 0, 1], [0, 0, 9, 0, 1], [0, 0, 0, 9, 0]])[:, None]
    np.testing.assert_array_equal(thing_classes(logits, (2, 1)), [[0, 0, 2, 1, 0]])


def test_softmax_is_a_distribution_even_for_huge_logits() -> None:
    logits = np.float32([[1e4, -1e4], [1e4, 0], [0, 1]])[:, None]
    result = softmax(logits)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result[:, 0, 0], [0.5, 0.5, 0], atol=1e-6)
    np.testing.assert_allclose(result.sum(axis=0), 1, rtol=1e-6)


@pytest.mark.parametrize("chosen", [None, (3, 1)])
def test_softmax_of_a_cut_out_window_follows_the_formula(chosen: tuple[int, ...] | None) -> None:
    logits = np.random.default_rng(5).normal(0, 5, (4, 20, 33)).astype(np.float32)[:, 3:15, 2:]
    maps = logits.astype(np.float64)[list(chosen or range(4))]
    expected = np.exp(maps) / np.exp(maps).sum(axis=0)
    np.testing.assert_allclose(softmax(logits, chosen), expected, rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize("view", [np.s_[..., ::-1], np.s_[:, ::-1], np.s_[::-1, ::2, 1::3]])
def test_any_view_of_the_logits_gives_what_its_copy_gives(view: tuple[object, ...]) -> None:
    seen = np.random.default_rng(8).normal(0, 3, (4, 11, 23)).astype(np.float32)[view]
    np.testing.assert_array_equal(softmax(seen), softmax(seen.copy()))
    np.testing.assert_array_equal(thing_classes(seen, (2, 3)), thing_classes(seen.copy(), (2, 3)))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_logit_that_is_not_finite_spoils_its_pixel_alone(value: float) -> None:
    logits = np.zeros((3, 2, 9), np.float32)
    logits[1, 1, 4] = value
    spoilt = np.isnan(softmax(logits))
    assert spoilt[:, 1, 4].all()
    assert spoilt.sum() == 3
    assert not np.isnan(softmax(logits, (0, 2))).any()


def test_thing_classes_are_those_of_the_largest_logit_the_lower_id_on_ties() -> None:
    logits = np.random.default_rng(6).integers(-3, 3, (7, 19, 41)).astype(np.float32)[:, 1:, :-2]
    names = np.uint8([0, 2, 0, 3, 1, 0, 0])
    expected = names[logits.argmax(axis=0)]
    np.testing.assert_array_equal(thing_classes(logits, (4, 1, 3)), expected)
