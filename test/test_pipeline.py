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

"""Pictures whose instances are known exactly, through the whole pipeline with the toy network."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from ssap_ros.backends.onnxruntime import OnnxRuntimeBackend
from ssap_ros.config import SsapConfig
from ssap_ros.pipeline import SsapPipeline
from ssap_ros.types import FrameResult
from support.toy_model import paint, score, write_toy_model

PERSON, CAR, BUS = 1, 3, 5
STAGES = ["preprocess", "inference", "affinity", "partition", "instances"]


@pytest.fixture
def pipeline(toy_backend: OnnxRuntimeBackend) -> SsapPipeline:
    return SsapPipeline(toy_backend, SsapConfig())


def blank(height: int = 192, width: int = 256) -> np.ndarray:
    return np.zeros((height, width), np.int32)


def without_corner_pixels(instances: np.ndarray) -> np.ndarray:
    """The map with the pixels set to 0 of which the larger part of the 3 x 3 cross is 0.

    Upsampling cuts exactly the tip pixel off the corners of a rectangle on the cell grid.
    """
    padded = np.pad(instances, 1, mode="edge")
    cross = np.stack([padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:]])
    return np.where((cross == 0).sum(axis=0) >= 2, 0, instances)


def check(result: FrameResult, shape: tuple[int, int]) -> None:
    """What holds for every result."""
    assert (result.labels.shape, result.labels.dtype) == (shape, np.uint16)
    n = len(result.instances)
    assert set(np.unique(result.labels)) - {0} == set(range(1, n + 1))
    for label, instance in enumerate(result.instances, start=1):
        ys, xs = np.nonzero(result.labels == label)
        assert instance.area == len(ys)
        assert instance.bbox == (xs.min(), ys.min(), np.ptp(xs) + 1, np.ptp(ys) + 1)
        assert 0 <= instance.score <= 1
    assert sorted(result.instances, key=lambda instance: -instance.score) == list(result.instances)
    assert list(result.stage_ms) == STAGES
    assert min(result.stage_ms.values()) >= 0


def test_touching_persons_are_separated(pipeline: SsapPipeline) -> None:
    instances = blank()
    instances[32:160, 32:96], instances[32:160, 96:160] = 1, 2
    result = pipeline(paint(instances, [PERSON, PERSON]))
    check(result, instances.shape)
    np.testing.assert_array_equal(result.labels, without_corner_pixels(instances))
    expected = pytest.approx(score(PERSON, 255, 16 * 32), abs=1e-6)
    assert [(i.class_id, i.score) for i in result.instances] == [(PERSON, expected)] * 2
    assert [i.bbox for i in result.instances] == [(32, 32, 64, 128), (96, 32, 64, 128)]


def test_split_object_is_joined_from_the_coarse_levels(pipeline: SsapPipeline) -> None:
    instances = blank()
    instances[32:160, 32:96] = instances[32:160, 112:176] = 1
    picture = paint(instances, [PERSON])
    assert len(pipeline(picture).instances) == 1
    np.testing.assert_array_equal(pipeline(picture).labels, without_corner_pixels(instances))
    pipeline.config = dataclasses.replace(pipeline.config, initial_level=4)
    assert len(pipeline(picture).instances) == 2


@pytest.mark.parametrize("initial_level", [4, 8, 16, 32, 64])
def test_classes_order_and_confidence(pipeline: SsapPipeline, initial_level: int) -> None:
    pipeline.config = SsapConfig(initial_level=initial_level)
    instances = blank()
    instances[:, :64], instances[:, 64:128], instances[:, 128:192] = 1, 2, 3
    confidences = [60, 200, 120]
    result = pipeline(paint(instances, [CAR, PERSON, BUS], confidences))
    check(result, instances.shape)
    assert [i.class_id for i in result.instances] == [PERSON, BUS, CAR]
    expected = [score(c, v, 16 * 48) for c, v in ((PERSON, 200), (BUS, 120), (CAR, 60))]
    np.testing.assert_allclose([i.score for i in result.instances], expected, rtol=1e-5)
    np.testing.assert_array_equal(result.labels, np.array([0, 3, 1, 2])[instances])


def test_the_score_threshold_is_live(pipeline: SsapPipeline) -> None:
    instances = blank()
    instances[:, :64], instances[:, 128:] = 1, 2
    picture = paint(instances, [CAR, PERSON], [60, 255])
    assert len(pipeline(picture).instances) == 2
    pipeline.config = dataclasses.replace(pipeline.config, score_threshold=0.99)
    result = pipeline(picture)
    check(result, instances.shape)
    np.testing.assert_array_equal(result.labels, instances == 2)


def test_small_instances_are_removed(pipeline: SsapPipeline) -> None:
    instances = blank()
    instances[32:40, 32:40], instances[96:144, 96:144] = 1, 2
    picture = paint(instances, [PERSON, PERSON])
    pipeline.config = SsapConfig(min_instance_area=64, score_threshold=0)
    result = pipeline(picture)
    check(result, instances.shape)
    assert [i.area for i in result.instances] == [48 * 48 - 4]
    pipeline.config = SsapConfig(min_instance_area=60, score_threshold=0)
    assert [i.area for i in pipeline(picture).instances] == [48 * 48 - 4, 64 - 4]


@pytest.mark.parametrize("size", [(192, 256), (70, 256), (256, 130), (2, 3)])
def test_empty_picture_though_the_padding_looks_like_a_person(
    pipeline: SsapPipeline, size: tuple[int, int]
) -> None:
    result = pipeline(paint(blank(*size), []))
    check(result, size)
    assert result.instances == ()


@pytest.mark.parametrize(("min_area", "n"), [(100, 0), (1, 1)])
def test_one_pixel(pipeline: SsapPipeline, min_area: int, n: int) -> None:
    pipeline.config = SsapConfig(min_instance_area=min_area)
    result = pipeline(paint(np.ones((1, 1), np.int32), [PERSON]))
    check(result, (1, 1))
    assert len(result.instances) == n


@pytest.mark.parametrize("size", [(3, 5), (131, 257), (480, 97), (1, 900), (333, 512)])
def test_odd_sizes(pipeline: SsapPipeline, size: tuple[int, int]) -> None:
    pipeline.config = SsapConfig(score_threshold=0, min_instance_area=0)
    picture = np.random.default_rng(5).integers(0, 256, (*size, 3), dtype=np.uint8)
    check(pipeline(picture), size)
    whole = pipeline(paint(np.ones(size, np.int32), [BUS]))
    check(whole, size)
    assert [i.area for i in whole.instances] == [size[0] * size[1]]


def test_larger_input_resolves_what_the_default_size_blurs(pipeline: SsapPipeline) -> None:
    instances = blank(384, 512)
    instances[64:320, 64:72] = 1
    picture = paint(instances, [PERSON])
    pipeline.config = SsapConfig(score_threshold=0, input_long_side=512)
    result = pipeline(picture)
    check(result, instances.shape)
    np.testing.assert_array_equal(result.labels, without_corner_pixels(instances))


def test_fixed_input_size(tmp_path: Path) -> None:
    write_toy_model(tmp_path / "fixed.onnx", input_size=(128, 256), n_levels=3)
    backend = OnnxRuntimeBackend(tmp_path / "fixed.onnx", num_threads=1)
    pipeline = SsapPipeline(backend, SsapConfig(input_long_side=1024))
    instances = blank(256, 480)
    instances[:, :160], instances[:, 160:320] = 1, 2
    result = pipeline(paint(instances, [CAR, CAR]))
    check(result, instances.shape)
    np.testing.assert_array_equal(result.labels, instances)


def test_a_level_that_the_model_lacks_is_refused(tmp_path: Path) -> None:
    write_toy_model(tmp_path / "three.onnx", n_levels=3)
    backend = OnnxRuntimeBackend(tmp_path / "three.onnx", num_threads=1)
    pipeline = SsapPipeline(backend, SsapConfig())
    with pytest.raises(ValueError, match=r"initial_level must be one of \(4, 8, 16\), got 32"):
        pipeline.config = SsapConfig(initial_level=32)
    assert pipeline.config == SsapConfig()


def test_another_partition_can_be_put_in(toy_backend: OnnxRuntimeBackend) -> None:
    seen = []

    def one_for_all(
        costs: list[np.ndarray], classes: list[np.ndarray], **_options: object
    ) -> np.ndarray:
        seen.append((len(costs), [level.shape for level in classes]))
        return (classes[0] > 0).astype(np.int32)

    instances = blank()
    instances[:, :64], instances[:, 64:128] = 1, 2
    result = SsapPipeline(toy_backend, SsapConfig(), one_for_all)(paint(instances, [CAR, CAR]))
    assert len(result.instances) == 1
    assert seen == [(3, [(48, 64), (24, 32), (12, 16)])]


def test_a_partition_that_runs_out_of_time_is_reported(toy_backend: OnnxRuntimeBackend) -> None:
    instances = blank()
    instances[:, :64] = 1
    picture = paint(instances, [CAR])
    assert SsapPipeline(toy_backend, SsapConfig())(picture).partition_complete
    config = SsapConfig(partition_budget_ms=1e-6)
    assert not SsapPipeline(toy_backend, config)(picture).partition_complete


@pytest.mark.parametrize("image", [np.zeros((4, 4), np.uint8), np.zeros((0, 0, 3), np.uint8)])
def test_other_arrays_are_refused(pipeline: SsapPipeline, image: np.ndarray) -> None:
    with pytest.raises(ValueError, match="image must be uint8"):
        pipeline(image)
