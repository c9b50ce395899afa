"""The kernels on the GPU: against double precision, and against the speed of its memory."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pycuda.driver as cuda
from numpy.typing import NDArray

from ssap_ros.backends.tensorrt.kernels import EPS, GpuKernels, partition_classes
from ssap_ros.backends.tensorrt.layout import FrameLayout
from ssap_ros.backends.tensorrt.memory import GpuMemory
from ssap_ros.backends.tensorrt.worker import GpuWorker
from ssap_ros.stages.affinity import content_cells
from ssap_ros.types import ModelInfo

LEVELS = (4, 8, 16)
IMAGE, INPUT = (1080, 1920), (1024, 2048)
RUNS = 500
COPY_BYTES = 1 << 30


def check() -> dict[str, Any]:
    """Errors and times of all kernels at 1024 x 2048, with and without refinement."""
    worker = GpuWorker(0)
    try:
        return worker.run(_check, worker)
    finally:
        worker.close()


def _check(worker: GpuWorker) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    info = ModelInfo(
        classes=tuple("abcdefgh"),
        thing_ids=(1, 2, 3, 4, 5, 6, 7),
        levels=LEVELS,
        window=5,
        mean=(120.0, 110.0, 100.0),
        std=(58.0, 57.0, 60.0),
        input_size=None,
        long_side=INPUT[1],
    )
    memory, kernels = GpuMemory(), GpuKernels(info, worker.cupy_stream)
    bandwidth = _copy_bandwidth(worker, memory)
    found: dict[str, Any] = {"copy_bytes_per_s": bandwidth}
    found["preprocess"] = _preprocess(rng, info, memory, kernels, worker, bandwidth)
    for refine in (False, True):
        name = "refined" if refine else "plain"
        found[name] = _pyramids(rng, info, memory, kernels, worker, bandwidth, refine)
    found["times_floor"] = found["refined"]["times_floor"]
    found["ok"] = all(found[name]["ok"] for name in ("preprocess", "plain", "refined"))
    memory.free()
    return found


def _pyramids(
    rng: np.random.Generator,
    info: ModelInfo,
    memory: GpuMemory,
    kernels: GpuKernels,
    worker: GpuWorker,
    bandwidth: float,
    refine: bool,
) -> dict[str, Any]:
    n_classes, n_things = len(info.classes), len(info.thing_ids)
    sizes = [(INPUT[0] // i, INPUT[1] // i) for i in LEVELS]
    semantic = [(3 * rng.standard_normal((n_classes, *s))).astype(np.float32) for s in sizes]
    affinities = [(3 * rng.standard_normal((25, *s))).astype(np.float32) for s in sizes]
    content = (INPUT[0] - 30, INPUT[1] - 14)
    layout = FrameLayout(content_cells(content, LEVELS[0], len(LEVELS)), n_classes)
    maps = []
    for i, pair in enumerate(zip(semantic, affinities, strict=True)):
        names = zip((f"semantic{i}", f"affinities{i}"), pair, strict=True)
        addresses = [memory.device(name, array.nbytes) for name, array in names]
        for address, array in zip(addresses, pair, strict=True):
            cuda.memcpy_htod(address, array)
        maps.append((addresses[0], addresses[1]))
    levels, classes = layout.levels(INPUT, LEVELS, maps), partition_classes(info)
    n_cells = layout.cells[0][0] * layout.cells[0][1]
    output = memory.device("frames", 64 + layout.nbytes)
    arguments = {
        "levels": memory.device("levels", levels.nbytes),
        "partition_classes": memory.device("classes", classes.nbytes),
        "frames": output + 64,
        "not_finite": output,
        "object_scores": memory.device("scores", 4 * n_cells * n_things),
        "minus_entropies": memory.device("entropies", 4 * n_cells),
        "refine": refine,
    }
    cuda.memcpy_htod(arguments["levels"], levels.view(np.uint8))
    cuda.memcpy_htod(arguments["partition_classes"], classes)
    cuda.memset_d32_async(output, 0, 16, worker.stream)

    def launch() -> None:
        kernels.pyramids(layout, 1, **arguments)

    launch()
    worker.stream.synchronize()
    host = np.empty(64 + layout.nbytes, np.uint8)
    cuda.memcpy_dtoh(host, output)
    pyramid = layout.pyramid(host[64:])
    cost_error, class_errors = 0.0, 0
    for i, (rows, columns) in enumerate(layout.cells):
        cut = np.s_[:, :rows, :columns]
        scores = softmax(semantic[0][cut].astype(np.float64)[list(info.thing_ids)])
        expected = edge_costs(affinities[i][cut], scores if refine and i == 0 else None)
        beyond = np.abs(pyramid.costs[i] - expected) - 2.0**-11 * np.abs(expected)
        cost_error = max(cost_error, float(beyond.max()))
        best = classes[semantic[i][cut].argmax(axis=0)]
        class_errors += int((pyramid.classes[i] != best).sum())
    rows, columns = layout.cells[0]
    distribution = softmax(semantic[0][:, :rows, :columns].astype(np.float64))
    read = sum((n_classes + 24) * 4 * r * c for r, c in layout.cells)
    floor_ms = 1e3 * (read + layout.nbytes) / bandwidth
    ms = _time(worker, launch)
    return {
        "cost_error_beyond_rounding": cost_error,
        "wrong_classes": class_errors,
        "probability_error": float(np.abs(pyramid.probabilities - distribution).max()),
        "not_finite": int(host[:64].any()),
        "ms": ms,
        "floor_ms": floor_ms,
        "times_floor": ms / floor_ms,
        "ok": cost_error <= 1e-3 and class_errors == 0 and not host[:64].any(),
    }


def _preprocess(
    rng: np.random.Generator,
    info: ModelInfo,
    memory: GpuMemory,
    kernels: GpuKernels,
    worker: GpuWorker,
    bandwidth: float,
) -> dict[str, Any]:
    small = rng.integers(0, 256, (IMAGE[0] // 8, IMAGE[1] // 8, 3), dtype=np.uint8)
    image = cv2.resize(small, IMAGE[::-1], interpolation=cv2.INTER_CUBIC)
    content = (IMAGE[0] * 8 // 15, IMAGE[1] * 8 // 15)
    out_bytes = 4 * 3 * content[0] * content[1]
    device, tensor = memory.device("image", image.nbytes), memory.device("tensor", out_bytes)
    cuda.memcpy_htod(device, image)

    def launch() -> None:
        kernels.preprocess(device, (1, *image.shape), tensor, content, content, smaller=True)

    launch()
    worker.stream.synchronize()
    got = np.empty((3, *content), np.float32)
    cuda.memcpy_dtoh(got, tensor)
    expected = cv2.resize(image, content[::-1], interpolation=cv2.INTER_AREA).astype(np.float64)
    levels = got.transpose(1, 2, 0) * np.asarray(info.std) + np.asarray(info.mean)
    difference = np.abs(levels - expected)
    ms, floor_ms = _time(worker, launch), 1e3 * (image.nbytes + out_bytes) / bandwidth
    return {
        "largest_difference": float(difference.max()),
        "differing": float((difference > 0.01).mean()),
        "ms": ms,
        "floor_ms": floor_ms,
        "times_floor": ms / floor_ms,
        "ok": bool(difference.max() < 1.01 and (difference > 0.01).mean() < 0.03),
    }


def _time(worker: GpuWorker, launch: Any) -> float:
    """Milliseconds per launch, as part of a graph, by the GPU's events."""
    run = worker.capture(launch)
    start, end = cuda.Event(), cuda.Event()
    for _ in range(20):
        run()
    start.record(worker.stream)
    for _ in range(RUNS):
        run()
    end.record(worker.stream)
    end.synchronize()
    return float(start.time_till(end)) / RUNS


def _copy_bandwidth(worker: GpuWorker, memory: GpuMemory) -> float:
    """Bytes per second, read and written, of a large copy within the GPU."""
    source, target = (memory.device(name, COPY_BYTES) for name in ("source", "target"))

    def copy() -> None:
        cuda.memcpy_dtod_async(target, source, COPY_BYTES, worker.stream)

    return 2e3 * COPY_BYTES / _time(worker, copy)


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
