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

"""The kernels on the GPU: against double precision, and against the speed of its memory.

Nothing but CuPy is needed. `gpu_check_kernels.py` alone compares small maps, for compute-sanitizer.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from typing import Any

import cupy
import cv2
import numpy as np
from numpy.typing import NDArray

from ssap_ros.backends.tensorrt.gpu_kernels import EPS, GpuKernels, partition_classes
from ssap_ros.backends.tensorrt.layout import FrameLayout
from ssap_ros.stages.affinity import content_cells
from ssap_ros.types import ModelInfo

LEVELS = (4, 8, 16, 32, 64)
LEVELS_IN_USE = 3  # of the default configuration, and of the times
IMAGE, INPUT = (1080, 1920), (1024, 2048)
SMALL_IMAGE, SMALL_INPUT = (270, 480), (256, 512)
SETS = 8  # of buffers that take turns: together far larger than the L2 cache of any GPU
RUNS = 25  # of all sets
COPY_BYTES = 1 << 30
HEADER_BYTES = 64
INFO = ModelInfo(
    classes=tuple("abcdefgh"),
    thing_ids=(1, 2, 3, 4, 5, 6, 7),
    levels=LEVELS,
    window=5,
    mean=(120.0, 110.0, 100.0),
    std=(58.0, 57.0, 60.0),
    input_size=None,
    long_side=INPUT[1],
)


def check() -> dict[str, Any]:
    """Errors of all kernels on all levels and their times on those in use, at 1024 x 2048."""
    stream = cupy.cuda.Stream(non_blocking=True)
    with stream:
        kernels = GpuKernels(INFO, stream)
        found = errors(kernels, stream, IMAGE, INPUT)
        bandwidth = _copy_bandwidth(stream)
        found["copy_bytes_per_s"] = bandwidth
        found["preprocess_times"] = _preprocess_times(kernels, stream, bandwidth)
        for refine in (False, True):
            name = "refined_times" if refine else "plain_times"
            found[name] = _pyramid_times(kernels, stream, bandwidth, refine)
    found["times_floor"] = found["refined_times"]["times_floor"]
    return found


def errors(
    kernels: GpuKernels, stream: Any, image: tuple[int, int], size: tuple[int, int]
) -> dict[str, Any]:
    """All kernels against double precision, with and without refinement."""
    found = {
        "preprocess": _preprocess_errors(kernels, stream, image),
        "plain": _pyramid_errors(kernels, stream, size, refine=False),
        "refined": _pyramid_errors(kernels, stream, size, refine=True),
    }
    return {**found, "ok": all(part["ok"] for part in found.values())}


class Pyramid:
    """Random logits on the GPU and the memory for the frame that the kernels make of them."""

    def __init__(self, size: tuple[int, int], levels: Sequence[int], seed: int) -> None:
        rng, n_classes = np.random.default_rng(seed), len(INFO.classes)
        sizes = [(size[0] // i, size[1] // i) for i in levels]
        self.semantic = [_logits(rng, n_classes, *s) for s in sizes]
        self.affinities = [_logits(rng, INFO.window**2, *s) for s in sizes]
        content = (size[0] - 30, size[1] - 14)
        self.layout = FrameLayout(content_cells(content, levels[0], len(levels)), n_classes)
        pairs = zip(self.semantic, self.affinities, strict=True)
        self._maps = [(cupy.asarray(s), cupy.asarray(a)) for s, a in pairs]
        addresses = [(s.data.ptr, a.data.ptr) for s, a in self._maps]
        table = self.layout.levels(size, levels, addresses)
        n_cells = self.layout.cells[0][0] * self.layout.cells[0][1]
        self._levels = cupy.asarray(table.view(np.uint8))
        self._classes = cupy.asarray(partition_classes(INFO))
        self._scores = cupy.zeros(n_cells * len(INFO.thing_ids), np.float32)
        self._entropies = cupy.zeros(n_cells, np.float32)
        self._output = cupy.zeros(HEADER_BYTES + self.layout.nbytes, np.uint8)

    @property
    def bytes_moved(self) -> int:
        """What must be read once and written once."""
        per_cell = 4 * (len(INFO.classes) + 2 * 12)
        return sum(per_cell * r * c for r, c in self.layout.cells) + self.layout.nbytes

    def launch(self, kernels: GpuKernels, refine: bool) -> None:
        """Put the kernels on their stream."""
        kernels.pyramids(
            self.layout,
            1,
            levels=self._levels.data.ptr,
            partition_classes=self._classes.data.ptr,
            frames=self._output.data.ptr + HEADER_BYTES,
            not_finite=self._output.data.ptr,
            object_scores=self._scores.data.ptr,
            minus_entropies=self._entropies.data.ptr,
            refine=refine,
        )

    def result(self) -> NDArray[np.uint8]:
        """Header and frame."""
        return np.asarray(cupy.asnumpy(self._output))


def _pyramid_errors(
    kernels: GpuKernels, stream: Any, size: tuple[int, int], refine: bool
) -> dict[str, Any]:
    pyramid = Pyramid(size, LEVELS, seed=0)
    pyramid.launch(kernels, refine)
    stream.synchronize()
    host = pyramid.result()
    got, classes = pyramid.layout.pyramid(host[HEADER_BYTES:]), partition_classes(INFO)
    cost_errors, class_errors = [], 0
    for i, (rows, columns) in enumerate(pyramid.layout.cells):
        cut = np.s_[:, :rows, :columns]
        logits = pyramid.semantic[i][cut]
        scores = softmax(logits.astype(np.float64)[list(INFO.thing_ids)])
        refined = scores if refine and i == 0 else None
        expected = edge_costs(pyramid.affinities[i][cut], refined)
        beyond = np.abs(got.edges.levels[i] - expected) - 2.0**-11 * np.abs(expected)
        cost_errors.append(float(beyond.max()))
        class_errors += int((got.classes[i] != classes[logits.argmax(axis=0)]).sum())
    rows, columns = pyramid.layout.cells[0]
    distribution = softmax(pyramid.semantic[0][:, :rows, :columns].astype(np.float64))
    finite = not host[:HEADER_BYTES].any()
    return {
        "cost_error_beyond_rounding": cost_errors,
        "wrong_classes": class_errors,
        "probability_error": float(np.abs(got.probabilities - distribution).max()),
        "said_finite": finite,
        "ok": max(cost_errors) <= 1e-3 and class_errors == 0 and finite,
    }


def _pyramid_times(
    kernels: GpuKernels, stream: Any, bandwidth: float, refine: bool
) -> dict[str, Any]:
    sets = [Pyramid(INPUT, LEVELS[:LEVELS_IN_USE], seed) for seed in range(SETS)]
    launches = [lambda p=p: p.launch(kernels, refine) for p in sets]
    return _against_floor(_time(stream, launches), sets[0].bytes_moved, bandwidth)


class Picture:
    """An image on the GPU and the memory for the network input that it becomes, scaled by 8/15."""

    def __init__(self, size: tuple[int, int], seed: int) -> None:
        rng = np.random.default_rng(seed)
        small = rng.integers(0, 256, (size[0] // 8, size[1] // 8, 3), dtype=np.uint8)
        self.image = cv2.resize(small, size[::-1], interpolation=cv2.INTER_CUBIC)
        self.content = (size[0] * 8 // 15, size[1] * 8 // 15)
        self._device = cupy.asarray(self.image)
        self._tensor = cupy.zeros((3, *self.content), np.float32)

    @property
    def bytes_moved(self) -> int:
        """What must be read once and written once."""
        return int(self.image.nbytes) + 4 * 3 * self.content[0] * self.content[1]

    def launch(self, kernels: GpuKernels) -> None:
        """Put the kernel on its stream."""
        kernels.preprocess(
            self._device.data.ptr,
            (1, *self.image.shape),
            self._tensor.data.ptr,
            self.content,
            self.content,
            smaller=True,
        )

    def result(self) -> NDArray[np.float32]:
        """The network input (3, h, w)."""
        return np.asarray(cupy.asnumpy(self._tensor))


def _preprocess_errors(kernels: GpuKernels, stream: Any, size: tuple[int, int]) -> dict[str, Any]:
    picture = Picture(size, seed=0)
    picture.launch(kernels)
    stream.synchronize()
    got = picture.result().transpose(1, 2, 0) * np.asarray(INFO.std) + np.asarray(INFO.mean)
    expected = cv2.resize(picture.image, picture.content[::-1], interpolation=cv2.INTER_AREA)
    difference = np.abs(got - expected)
    differing = float((difference > 0.01).mean())
    return {
        "largest_difference": float(difference.max()),
        "differing": differing,
        "ok": bool(difference.max() < 1.01 and differing < 0.03),
    }


def _preprocess_times(kernels: GpuKernels, stream: Any, bandwidth: float) -> dict[str, Any]:
    sets = [Picture(IMAGE, seed) for seed in range(2 * SETS)]
    launches = [lambda p=p: p.launch(kernels) for p in sets]
    return _against_floor(_time(stream, launches), sets[0].bytes_moved, bandwidth)


def _against_floor(ms: float, n_bytes: int, bandwidth: float) -> dict[str, float]:
    floor_ms = 1e3 * n_bytes / bandwidth
    return {"ms": ms, "floor_ms": floor_ms, "times_floor": ms / floor_ms}


def _copy_bandwidth(stream: Any) -> float:
    """Bytes per second, read and written, of a large copy within the GPU."""
    source, target = cupy.zeros(COPY_BYTES, np.uint8), cupy.zeros(COPY_BYTES, np.uint8)
    return 2e3 * COPY_BYTES / _time(stream, [lambda: cupy.copyto(target, source)])


def _time(stream: Any, launches: Sequence[Callable[[], None]]) -> float:
    """Milliseconds per launch, by the GPU's events, all of them in turn as one CUDA graph."""
    for launch in launches:
        launch()
    stream.synchronize()
    stream.begin_capture()
    for launch in launches:
        launch()
    graph = stream.end_capture()
    start, end = cupy.cuda.Event(), cupy.cuda.Event()
    for _ in range(3):
        graph.launch(stream)
    start.record(stream)
    for _ in range(RUNS):
        graph.launch(stream)
    end.record(stream)
    end.synchronize()
    return float(cupy.cuda.get_elapsed_time(start, end)) / (RUNS * len(launches))


def _logits(rng: np.random.Generator, *shape: int) -> NDArray[np.float32]:
    return 3 * rng.standard_normal(shape, np.float32)


def softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Over the first axis."""
    exponentials = np.exp(logits - logits.max(axis=0))
    return np.asarray(exponentials / exponentials.sum(axis=0))


def edge_costs(
    logits: NDArray[np.float32], scores: NDArray[np.float64] | None
) -> NDArray[np.float64]:
    """Eq. 2-3 and 6-8 in double precision, one displacement at a time."""
    alpha = 1 / (1 + np.exp(-logits.astype(np.float64)))
    _, height, width = alpha.shape
    costs = np.zeros((12, height, width))
    for k in range(12):
        dy, dx = divmod(13 + k, 5)[0] - 2, (13 + k) % 5 - 2
        here = np.s_[: height - dy, max(0, -dx) : width - max(0, dx)]
        there = np.s_[dy:, max(0, dx) : width + min(0, dx)]
        mean = (alpha[(13 + k, *here)] + alpha[(11 - k, *there)]) / 2
        if scores is not None:
            p, q = scores[(slice(None), *here)], scores[(slice(None), *there)]
            mean = mean * np.exp((entropy(p) + entropy(q)) / 2 - entropy((p + q) / 2))
        mean = np.clip(mean, EPS, 1 - EPS)
        costs[(k, *here)] = np.log(mean / (1 - mean))
    return costs


def entropy(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """Over the first axis."""
    return np.asarray(-(p * np.log(np.maximum(p, 1e-300))).sum(axis=0))


def main() -> int:
    """Compare small maps; 0 if they agree."""
    stream = cupy.cuda.Stream(non_blocking=True)
    with stream:
        found = errors(GpuKernels(INFO, stream), stream, SMALL_IMAGE, SMALL_INPUT)
    print(json.dumps(found))
    return 0 if found["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
