"""Checks and times the GPU path where there is a GPU; gpu_check.sh prepares and calls it.

Every part adds its findings to one JSON file, so that parts can be run one by one. A part that
fails says why there and the next one goes on.
"""

from __future__ import annotations

import argparse
import json
import platform
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from gpu_check_compare import agreement, conv_flops, relative_error, same_pixels

from ssap_ros.backends import DeviceError, choose_backend
from ssap_ros.backends.onnxruntime import OnnxRuntimeBackend
from ssap_ros.backends.resources import default_model_path
from ssap_ros.backends.tensorrt.cache import engine_path
from ssap_ros.backends.tensorrt.lookup import cache_folder, engine_key, find_engine
from ssap_ros.backends.tensorrt.portable_onnx import read_info
from ssap_ros.config import SsapConfig
from ssap_ros.data.scenes.street import street_scene
from ssap_ros.node.queue import FrameQueue, Outcome
from ssap_ros.node.worker import FrameWorker
from ssap_ros.pipeline import Prediction, SsapPipeline

SIZES = ((512, 1024), (1024, 2048))
FRAMES, RUNS, REBUILDS = 4, 200, 10
PEAK_FLOPS = 790e12  # measured on an H200 by a large matrix product in half precision
GOALS = {
    "resnet50_512x1024_network_ms": 4 * 0.16,
    "resnet50_1024x2048_network_ms": 4 * 0.65,
    "kernels_times_floor": 2.0,
    "pipeline_1024x2048_p50_ms": 10.0,
    "pipeline_1024x2048_frames_per_s": 100.0,
}


def machine() -> dict[str, Any]:
    """What this ran on."""
    import cupy
    import pycuda
    import tensorrt

    gpu, _ = choose_backend(SsapConfig(backend="tensorrt"))
    return {
        "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "gpu": vars(gpu),
        "driver": _said(
            "nvidia-smi", "--query-gpu=driver_version,clocks.sm", "--format=csv,noheader"
        ),
        "tensorrt": tensorrt.__version__,
        "pycuda": pycuda.VERSION_TEXT,
        "cupy": cupy.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
        "processor": platform.processor() or platform.machine(),
        "commit": _said("git", "rev-parse", "HEAD"),
    }


def kernels() -> dict[str, Any]:
    """See gpu_check_kernels."""
    import gpu_check_kernels

    return gpu_check_kernels.check()


def build(model: Path, cache: str, size: tuple[int, int], batch: int) -> dict[str, Any]:
    """Build, or find, the FP16 engine of one input size."""
    config, key, _ = _request(model, cache, size, batch)
    start = time.perf_counter()
    find_engine(model, key, config, _tell)
    path = engine_path(cache_folder(config), model.stem, key)
    sidecar = json.loads(path.with_suffix(".json").read_text())
    facts = {name: sidecar[name] for name in ("build_seconds", "convolutions", "plan_bytes")}
    return {"seconds": time.perf_counter() - start, **facts}


def compare(model: Path, cache: str, size: tuple[int, int]) -> dict[str, Any]:
    """The engine against ONNX Runtime in single precision on the CPU, on procedural frames."""
    backend, config = _load(model, cache, size)
    cpu = OnnxRuntimeBackend(model)
    cpu.info = backend.info
    levels = [level for level in backend.info.levels if level <= config.initial_level]
    errors, classes, labels = {}, [], []
    for frame in _frames(size)[:2]:
        ours, theirs = (SsapPipeline(b, config) for b in (backend, cpu))
        [got] = backend.fetch(backend.infer(backend.preprocess([frame], max(size))[0], levels))
        [expected] = cpu.infer(cpu.preprocess([frame], max(size))[0], levels)
        for kind in ("semantic", "affinities"):
            pairs = zip(levels, getattr(got, kind), getattr(expected, kind), strict=True)
            for level, a, b in pairs:
                name = f"{kind}_{level}"
                errors[name] = max(errors.get(name, 0.0), relative_error(a, b))
        classes.append(agreement(got.semantic[0], expected.semantic[0]))
        labels.append(same_pixels(ours(frame).labels, theirs(frame).labels))
    backend.close()
    return {
        "relative_error": errors,
        "class_agreement": min(classes),
        "label_agreement": min(labels),
        "ok": max(errors.values()) < 2e-2 and min(classes) >= 0.99 and min(labels) >= 0.99,
    }


def times(model: Path, cache: str, size: tuple[int, int]) -> dict[str, Any]:
    """Every stage by the GPU's events and by the wall clock; one by one and overlapped."""
    backend, config = _load(model, cache, size)
    pipeline, frames = SsapPipeline(backend, config), _frames(size)
    device: dict[str, list[float]] = {}
    wall: dict[str, list[float]] = {}
    for run in range(RUNS + 20):
        start = time.perf_counter()
        result = pipeline(frames[run % len(frames)])
        total = 1e3 * (time.perf_counter() - start)
        if run >= 20:
            for name, value in backend.device_ms.items():
                device.setdefault(name, []).append(value)
            for name, value in {**result.stage_ms, "total": total}.items():
                wall.setdefault(name, []).append(value)
    rate = _overlapped_rate(pipeline, frames)
    backend.close()
    flops = conv_flops(model.read_bytes(), size)
    floor_ms = 1e3 * flops / PEAK_FLOPS
    network_ms = float(np.median(device["inference"]))
    return {
        "device_ms": {name: _percentiles(values) for name, values in device.items()},
        "wall_ms": {name: _percentiles(values) for name, values in wall.items()},
        "overlapped_frames_per_s": rate,
        "network": {
            "gflop": flops / 1e9,
            "floor_ms": floor_ms,
            "times_floor": network_ms / floor_ms,
        },
    }


def batches(model: Path, cache: str) -> dict[str, Any]:
    """Eight cameras of 512 x 1024 in one pass, and that they get what they get alone."""
    size = SIZES[0]
    found = build(model, cache, size, 8)
    backend, config = _load(model, cache, size, 8)
    pipeline = SsapPipeline(backend, config)
    images = [_frames(size)[i % FRAMES] for i in range(8)]
    alone = [pipeline(image).labels for image in images]
    together = [pipeline.segment(prediction).labels for prediction in pipeline.predict(images)]
    network = []
    for _ in range(50):
        pipeline.predict(images)
        network.append(backend.device_ms["inference"])
    backend.close()
    same = min(same_pixels(a, b) for a, b in zip(alone, together, strict=True))
    per_image = float(np.median(network)) / 8
    return {**found, "label_agreement": same, "network_ms_per_image": per_image, "ok": same >= 0.99}


def lifecycle(model: Path, cache: str) -> dict[str, Any]:
    """Load, run and close ten times; the free memory of the GPU after each."""
    import cupy

    free = []
    for _ in range(REBUILDS):
        backend, config = _load(model, cache, SIZES[0])
        SsapPipeline(backend, config)(_frames(SIZES[0])[0])
        backend.close()
        free.append(cupy.cuda.runtime.memGetInfo()[0])
    return {"free_bytes": free, "ok": free[1] - free[-1] < 16 << 20}


def sanitizer(cache: str) -> dict[str, Any]:
    """One frame under compute-sanitizer's eyes."""
    tool = shutil.which("compute-sanitizer")
    if tool is None:
        return {"ok": False, "error": "compute-sanitizer is not installed"}
    options = ["--tool", "memcheck", "--report-api-errors", "no", "--error-exitcode", "9"]
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        ours = [sys.executable, __file__, "--json", file.name, "--cache", cache, "once"]
        Path(file.name).write_text('{"parts": {}}')
        run = subprocess.run([tool, *options, *ours], capture_output=True, text=True)
    said = [line for line in run.stdout.splitlines() if line.startswith("=========")]
    return {"said": said[-20:], "exit_code": run.returncode, "ok": run.returncode == 0}


def once(model: Path, cache: str) -> dict[str, Any]:
    """One frame, for compute-sanitizer."""
    backend, config = _load(model, cache, SIZES[0])
    n = len(SsapPipeline(backend, config)(_frames(SIZES[0])[0]).instances)
    backend.close()
    return {"instances": n}


def goals(parts: dict[str, Any]) -> dict[str, Any]:
    """The goals beside what was measured, where it was."""
    measured = {}
    for size in ("512x1024", "1024x2048"):
        run = parts.get(f"times resnet50 {size}", {})
        if "device_ms" in run:
            measured[f"resnet50_{size}_network_ms"] = run["device_ms"]["inference"]["p50"]
    run = parts.get("times street 1024x2048", {})
    if "wall_ms" in run:
        measured["pipeline_1024x2048_p50_ms"] = run["wall_ms"]["total"]["p50"]
        measured["pipeline_1024x2048_frames_per_s"] = run["overlapped_frames_per_s"]
    if "times_floor" in parts.get("kernels", {}):
        measured["kernels_times_floor"] = parts["kernels"]["times_floor"]
    return {
        name: {
            "goal": goal,
            "measured": measured.get(name),
            "met": name in measured
            and (measured[name] >= goal if name.endswith("per_s") else measured[name] <= goal),
        }
        for name, goal in GOALS.items()
    }


def _request(model: Path, cache: str, size: tuple[int, int], batch: int) -> tuple[Any, Any, Any]:
    import tensorrt

    config = SsapConfig(
        model_file_path=str(model), backend="tensorrt", engine_cache_dir=cache, max_batch=batch
    )
    gpu, _ = choose_backend(config)
    content = model.read_bytes()
    info = read_info(content, model)
    assert gpu is not None
    return config, engine_key(content, info, config, gpu, tensorrt.__version__, size), info


def _load(model: Path, cache: str, size: tuple[int, int], batch: int = 1) -> tuple[Any, SsapConfig]:
    from ssap_ros.backends.tensorrt.backend import TensorRTBackend

    config, key, info = _request(model, cache, size, batch)
    plan = find_engine(model, key, config, _tell)
    return TensorRTBackend(plan, info, config.gpu_id, size), config


_rendered: dict[tuple[int, int], list[Any]] = {}


def _frames(size: tuple[int, int]) -> list[Any]:
    if size not in _rendered:
        _rendered[size] = [street_scene(seed, size).image for seed in range(FRAMES)]
    return _rendered[size]


def _overlapped_rate(pipeline: SsapPipeline, frames: list[Any]) -> float:
    """Frames per second through the node's worker, which sees one while it segments another."""
    queue: FrameQueue[Any] = FrameQueue([""], "every")
    room = threading.Semaphore(2)
    errors: list[Exception] = []

    def finish(prediction: Prediction) -> str:
        pipeline.segment(prediction)
        return Outcome.PROCESSED

    worker = FrameWorker(
        queue,
        lambda batch: pipeline.predict([frame for _, frame in batch]),
        finish,
        errors.append,
        room.release,
    )
    worker.start(overlap=True)
    start = time.perf_counter()
    for run in range(RUNS):
        room.acquire()
        queue.put("", frames[run % len(frames)])
    while queue.counts("").waiting:
        time.sleep(1e-3)
    rate = RUNS / (time.perf_counter() - start)
    worker.stop()
    if errors:
        raise errors[0]
    return rate


def _percentiles(values: list[float]) -> dict[str, float]:
    return {f"p{p}": float(np.percentile(values, p)) for p in (50, 95, 99)}


def _said(*command: str) -> str:
    if shutil.which(command[0]) is None:
        return "unknown"
    return subprocess.run(command, capture_output=True, text=True).stdout.strip()


def _tell(text: str) -> None:
    print(f"gpu_check: {text}", file=sys.stderr, flush=True)


def _plan(options: argparse.Namespace) -> dict[str, Callable[[], dict[str, Any]]]:
    """What can be done, by name."""
    street, resnet, cache = default_model_path(), options.resnet50, options.cache
    tasks: dict[str, Callable[[], dict[str, Any]]] = {
        "machine": machine,
        "kernels": kernels,
    }
    models = {"street": street} | ({"resnet50": resnet} if resnet else {})
    for name, model in models.items():
        for size in SIZES:
            where = f"{name} {size[0]}x{size[1]}"
            tasks[f"build {where}"] = lambda m=model, s=size: build(m, cache, s, 1)  # type: ignore[misc]
            tasks[f"compare {where}"] = lambda m=model, s=size: compare(m, cache, s)  # type: ignore[misc]
            tasks[f"times {where}"] = lambda m=model, s=size: times(m, cache, s)  # type: ignore[misc]
    tasks["batches"] = lambda: batches(street, cache)
    tasks["lifecycle"] = lambda: lifecycle(street, cache)
    tasks["sanitizer"] = lambda: sanitizer(cache)
    tasks["once"] = lambda: once(street, cache)
    return tasks


def main() -> int:
    """Run the parts asked for; 0 if all of them went well."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, required=True, help="the file that grows")
    parser.add_argument("--cache", required=True, help="folder for engines")
    parser.add_argument("--resnet50", type=Path, help="ONNX model with a ResNet-50")
    parser.add_argument("parts", nargs="*", help="words of the names of the parts; default: all")
    options = parser.parse_args()
    try:
        choose_backend(SsapConfig(backend="tensorrt"))
    except DeviceError as error:
        print(f"gpu_check: error: {error}", file=sys.stderr)
        return 1
    report = json.loads(options.json.read_text()) if options.json.is_file() else {"parts": {}}
    failed = []
    for name, task in _plan(options).items():
        wanted = any(part in name.split() for part in options.parts or ())
        if not (wanted or (not options.parts and name != "once")):
            continue
        _tell(name)
        try:
            found = task()
        except Exception as error:
            traceback.print_exc()
            found = {"ok": False, "error": f"{type(error).__name__}: {error}"}
        report["parts"][name] = found
        failed += [] if found.get("ok", True) else [name]
        report["goals"] = goals(report["parts"])
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(report, indent=2) + "\n")
    print(f"gpu_check: {options.json}; failed: {', '.join(failed) or 'nothing'}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
