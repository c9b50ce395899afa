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

"""The TensorRT backend on a simulated GPU: true kernels, ONNX Runtime for the network."""

from __future__ import annotations

import gc
import importlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from ssap_ros.backends.base import DeviceError
from ssap_ros.backends.onnxruntime import OnnxRuntimeBackend
from ssap_ros.backends.resources import default_model_path
from ssap_ros.backends.tensorrt.cache import IncompatibleEngineError
from ssap_ros.backends.tensorrt.portable_onnx import portable_onnx, read_info
from ssap_ros.config import SsapConfig
from ssap_ros.data.scenes import street as scenes
from ssap_ros.pipeline import SsapPipeline
from ssap_ros.stages.partition import edge_costs
from support import tensorrt_contract
from support.simulated_gpu import SimulatedGpu
from support.toy_model import paint, toy_info, toy_model

CAR, PERSON = 3, 1
TOO_SMALL = [(1, 3, 64, 128), (1, 3, 64, 256), (1, 3, 64, 256)]
RELEASES = tensorrt_contract.RELEASES

Load = Callable[..., Any]


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> SimulatedGpu:
    """A GPU whose engine is the toy network, for up to three images of 256 x 256."""
    return toy_gpu(monkeypatch, RELEASES[0])


def toy_gpu(monkeypatch: pytest.MonkeyPatch, release: str) -> SimulatedGpu:
    model = portable_onnx(toy_model(toy_info()).SerializeToString(), half=False, any_batch=True)
    gpu = SimulatedGpu(tensorrt_contract.bindings(release), model, (3, 3, 256, 256))
    gpu.install(monkeypatch)
    return gpu


@pytest.fixture
def load(gpu: SimulatedGpu) -> Iterator[Load]:
    """Loads backends, which are closed at the end."""
    assert gpu.contexts == 0
    backends = []

    def load_one() -> Any:
        backends.append(tensorrt_backend()(b"plan", toy_info(), 0, (128, 256)))
        return backends[-1]

    yield load_one
    for backend in backends:
        backend.close()


def tensorrt_backend() -> Any:
    return importlib.import_module("ssap_ros.backends.tensorrt.backend").TensorRTBackend


def picture(shift: int = 0, size: tuple[int, int] = (192, 256)) -> np.ndarray:
    """Two touching cars and a person."""
    instances = np.zeros(size, np.int32)
    instances[32:96, 32 + shift : 96 + shift], instances[32:96, 96 + shift : 160 + shift] = 1, 2
    instances[112:176, 64:128] = 3
    return paint(instances, [CAR, CAR, PERSON])


@pytest.mark.parametrize("release", RELEASES)
def test_the_output_is_that_of_the_cpu(
    release: str, monkeypatch: pytest.MonkeyPatch, toy_backend: OnnxRuntimeBackend
) -> None:
    toy_gpu(monkeypatch, release)
    backend = tensorrt_backend()(b"plan", toy_info(), 0, (128, 256))
    ours, theirs = (SsapPipeline(b, SsapConfig()) for b in (backend, toy_backend))
    for image in (picture(), picture(40), picture(0, (180, 256)), picture(8)):
        got, expected = ours(image), theirs(image)
        np.testing.assert_array_equal(got.labels, expected.labels)
        assert [i.class_id for i in got.instances] == [i.class_id for i in expected.instances]
        scores = [[i.score for i in result.instances] for result in (got, expected)]
        np.testing.assert_allclose(*scores, atol=1e-3)
        assert list(got.stage_ms) == list(expected.stage_ms)
    assert backend.name == f"tensorrt {release}"
    assert set(backend.device_ms) == {"preprocess", "inference", "affinity"}
    backend.close()


def test_procedural_scenes_through_the_default_model_get_the_labels_of_the_cpu(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = default_model_path().read_bytes()
    info = read_info(model, default_model_path())
    network = portable_onnx(model, half=False, any_batch=False)
    bindings = tensorrt_contract.bindings(RELEASES[0])
    SimulatedGpu(bindings, network, (1, 3, 640, 640)).install(monkeypatch)
    backend = tensorrt_backend()(b"plan", info, 0, (384, 640))
    cpu = OnnxRuntimeBackend(default_model_path(), 1)
    config = SsapConfig(input_long_side=320)
    for seed in (3, 4):
        image = scenes.street_scene(seed, (180, 320)).image
        [ours], [theirs] = (SsapPipeline(b, config).predict([image]) for b in (backend, cpu))
        assert_same_pyramid(ours.pyramid, theirs.pyramid)
        results = [SsapPipeline(b, config)(image) for b in (backend, cpu)]
        assert results[0].instances
        np.testing.assert_array_equal(results[0].labels, results[1].labels)
    backend.close()


def assert_same_pyramid(ours: Any, theirs: Any) -> None:
    """Costs within 1e-3 and what half precision rounds away; equal class maps."""
    refined = [theirs.edges.scores, None, None]
    for got, logits, scores in zip(ours.edges.levels, theirs.edges.levels, refined, strict=True):
        expected = edge_costs(logits, logits=True, scores=scores)
        np.testing.assert_allclose(got, expected, rtol=2.0**-11, atol=1e-3)
    for got, expected in zip(ours.classes, theirs.classes, strict=True):
        np.testing.assert_array_equal(got, expected)
    np.testing.assert_allclose(ours.probabilities, theirs.probabilities, atol=1e-3)


def test_a_batch_gives_what_single_images_give(load: Load) -> None:
    backend = load()
    assert backend.max_batch == 3
    pipeline = SsapPipeline(backend, SsapConfig())
    images = [picture(), picture(16), picture(40)]
    single = [pipeline(image).labels for image in images]
    batch = [pipeline.segment(prediction).labels for prediction in pipeline.predict(images)]
    np.testing.assert_array_equal(batch, single)
    with pytest.raises(ValueError, match="expected 1 to 3 images, got 4"):
        pipeline.predict([*images, images[0]])


def test_the_logits_can_be_fetched(load: Load, toy_backend: OnnxRuntimeBackend) -> None:
    images = [picture(), picture(16)]
    backend = load()
    tensor, _ = backend.preprocess(images, 256)
    fetched = backend.fetch(backend.infer(tensor, (4, 16)))
    tensor, _ = toy_backend.preprocess(images, 256)
    computed = [toy_backend.infer(tensor[i : i + 1], (4, 16))[0] for i in range(2)]
    for got, expected in zip(fetched, computed, strict=True):
        for ours, theirs in zip(
            (*got.semantic, *got.affinities),
            (*expected.semantic, *expected.affinities),
            strict=True,
        ):
            np.testing.assert_allclose(ours, theirs, atol=1e-3)


def test_pyramids_stay_valid_and_their_memory_is_used_again(gpu: SimulatedGpu, load: Load) -> None:
    pipeline = SsapPipeline(load(), SsapConfig())
    [first] = pipeline.predict([picture()])
    kept = [costs.copy() for costs in first.pyramid.edges.levels]
    for shift in (8, 16, 24):
        pipeline.predict([picture(shift)])
    for costs, before in zip(first.pyramid.edges.levels, kept, strict=True):
        np.testing.assert_array_equal(costs, before)
    del first, costs
    gc.collect()
    made = gpu.pagelocked
    for shift in (8, 16, 24):
        pipeline(picture(shift))
    assert gpu.pagelocked == made


def test_the_network_runs_as_a_graph_until_the_input_changes_shape(
    gpu: SimulatedGpu, load: Load
) -> None:
    pipeline = SsapPipeline(load(), SsapConfig())

    def launches(image: np.ndarray) -> list[str]:
        gpu.log.clear()
        pipeline(image)
        return [entry for entry in gpu.log if entry in ("graph", "network")]

    assert launches(picture()) == ["network", "graph", "network"]
    assert launches(picture(8)) == ["graph", "network"]
    assert launches(picture(0, (120, 256))) == ["network", "graph", "network"]
    assert launches(picture()) == ["network", "graph", "network"]


def test_without_graphs_the_network_runs_all_the_same(gpu: SimulatedGpu, load: Load) -> None:
    gpu.can_capture = False
    backend = load()
    pipeline = SsapPipeline(backend, SsapConfig())
    pipeline(picture())
    assert backend.graph_error == "CudaError: capture is not permitted"
    gpu.log.clear()
    assert len(pipeline(picture(8)).instances) == 3
    assert "graph" not in gpu.log
    assert gpu.log.count("network") == 1


@pytest.mark.parametrize("operation", ["copy in", "preprocess", "network", "copy out", "memset"])
def test_what_the_gpu_reports_is_one_type_of_error(
    gpu: SimulatedGpu, load: Load, operation: str
) -> None:
    pipeline = SsapPipeline(load(), SsapConfig())
    gpu.fail_next = operation
    with pytest.raises(DeviceError, match=f"the GPU failed: CudaError: {operation} failed: an il"):
        pipeline(picture())
    assert len(SsapPipeline(load(), SsapConfig())(picture()).instances) == 3


def test_a_run_that_tensorrt_refuses_is_an_error(gpu: SimulatedGpu, load: Load) -> None:
    pipeline = SsapPipeline(load(), SsapConfig())
    gpu.contract.behaviour["IExecutionContext.execute_async_v3"] = lambda *_: False
    with pytest.raises(DeviceError, match="TensorRT refused the run"):
        pipeline(picture())


def test_output_that_is_not_finite_is_an_error(gpu: SimulatedGpu, load: Load) -> None:
    pipeline = SsapPipeline(load(), SsapConfig())
    infer = gpu._infer

    def spoil(shape: tuple[int, ...]) -> None:
        infer(shape)
        logits = gpu.memory(gpu._addresses["affinity_8"] + 4 * 500, 4)
        logits.view(np.float32)[0] = np.nan

    gpu._infer = spoil  # type: ignore[method-assign]
    with pytest.raises(DeviceError, match="not finite"):
        pipeline(picture())


def test_ten_backends_in_a_row_leave_nothing_behind(gpu: SimulatedGpu) -> None:
    backend_class = tensorrt_backend()
    for _ in range(10):
        backend = backend_class(b"plan", toy_info(), 0, (128, 256))
        SsapPipeline(backend, SsapConfig())(picture())
        backend.close()
        backend.close()
        assert (gpu.contexts, gpu.allocations) == (0, {})
        with pytest.raises(DeviceError, match="the GPU was given back"):
            backend.preprocess([picture()], 256)
    end = gpu.log[-3:]
    assert end == ["free", "pop", "detach"]


def test_an_engine_that_does_not_load_is_incompatible_and_leaves_nothing(gpu: SimulatedGpu) -> None:
    gpu.contract.behaviour["Runtime.deserialize_cuda_engine"] = lambda *_: None
    with pytest.raises(IncompatibleEngineError, match="cannot load the engine"):
        tensorrt_backend()(b"plan", toy_info(), 0, (128, 256))
    assert (gpu.contexts, gpu.allocations) == (0, {})


@pytest.mark.parametrize(
    ("member", "answer", "reason"),
    [
        ("get_tensor_name", lambda _, i: "ab"[i % 2], "expected the tensors of the model"),
        ("get_tensor_shape", lambda *_: (-1, 9, -1, -1), "expected image to be float32"),
        ("get_tensor_dtype", lambda *_: "half", "got half"),
        ("get_tensor_profile_shape", lambda *_: TOO_SMALL, "takes at most 64 x 256, needed"),
    ],
)
def test_an_engine_of_another_network_is_incompatible(
    gpu: SimulatedGpu, member: str, answer: Callable[..., Any], reason: str
) -> None:
    gpu.contract.behaviour[f"ICudaEngine.{member}"] = answer
    with pytest.raises(IncompatibleEngineError, match=reason):
        tensorrt_backend()(b"plan", toy_info(), 0, (128, 256))


def test_an_engine_of_one_size_makes_images_fit(gpu: SimulatedGpu, load: Load) -> None:
    shapes = [(1, 3, 128, 256), (1, 3, 128, 256), (3, 3, 128, 256)]
    gpu.contract.behaviour["ICudaEngine.get_tensor_profile_shape"] = lambda *_: shapes
    backend = load()
    assert backend.info.input_size == (128, 256)
    tensor, scale = backend.preprocess([picture()], 999)
    assert (tensor, scale) == ((1, 3, 128, 256), 128 / 192)


def test_an_image_beyond_the_profile_is_refused(load: Load) -> None:
    pipeline = SsapPipeline(load(), SsapConfig(input_long_side=320))
    with pytest.raises(
        ValueError, match=r"takes inputs from \(1, 3, 64, 64\) to \(3, 3, 256, 256\)"
    ):
        pipeline(picture())


@pytest.mark.parametrize("image", [picture().astype(np.float32), picture()[..., 0]])
def test_other_arrays_are_refused(load: Load, image: np.ndarray) -> None:
    backend = load()
    for images in ([image], [picture(), image]):
        with pytest.raises(ValueError, match="image must be uint8"):
            backend.preprocess(images, 256)


def test_frames_may_come_from_any_thread(load: Load) -> None:
    pipeline = SsapPipeline(load(), SsapConfig())
    expected = pipeline(picture()).labels
    with ThreadPoolExecutor(3) as pool:
        for labels in pool.map(lambda _: pipeline(picture()).labels, range(6)):
            np.testing.assert_array_equal(labels, expected)


def test_a_missing_gpu_is_an_error_and_leaves_nothing(gpu: SimulatedGpu, monkeypatch) -> None:
    import pycuda.driver as driver

    def fail(_number: int) -> None:
        raise driver.Error("cuDeviceGet failed: invalid device ordinal")

    monkeypatch.setattr(driver, "Device", fail)
    with pytest.raises(DeviceError, match="the GPU failed: CudaError: cuDeviceGet failed: invalid"):
        tensorrt_backend()(b"plan", toy_info(), 7, (128, 256))
    assert gpu.contexts == 0
