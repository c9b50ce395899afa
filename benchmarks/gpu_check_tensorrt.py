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

"""Checks and times the GPU path where there is a GPU; gpu_check.sh prepares and calls it.

Every part adds its results to one JSON file, so that parts can be run one by one. A part that
fails says why there and the next one goes on.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

from gpu_check_compare import conv_flops
from gpu_check_frames import compare as compare_backends
from gpu_check_frames import median, stage_times, street_frames, worst_batch_agreement
from gpu_report import Part, Report, chosen, log, memcheck, report_parser, this_machine

from ssap_ros.backends import DeviceError, choose_backend
from ssap_ros.backends.onnxruntime import OnnxRuntimeBackend
from ssap_ros.backends.resources import default_model_path
from ssap_ros.backends.tensorrt.cache import engine_path
from ssap_ros.backends.tensorrt.lookup import cache_folder, engine_key, find_engine
from ssap_ros.backends.tensorrt.portable_onnx import read_info
from ssap_ros.config import SsapConfig
from ssap_ros.pipeline import SsapPipeline

HERE = Path(__file__).resolve().parent
SIZES = ((512, 1024), (1024, 2048))
SCORED_SIZE = (768, 768)  # holds the inputs of the default model, upright and lying
LARGEST_LOSS = 0.005  # of person AP, by int8
NETWORK_RUNS, REBUILDS, BATCH = 50, 10, 8
RESNET_SECONDS = 60  # for its ONNX file to be written
SANITIZER_SECONDS = 40
REPORT_SECONDS = 3600
PEAK_FLOPS = 790e12  # measured on an H100 and an H200 by a large matrix product in half precision


def machine() -> dict[str, Any]:
    """What this ran on."""
    import cupy
    import pycuda
    import tensorrt

    gpu = choose_backend(SsapConfig(backend="tensorrt")).gpu
    return {
        **this_machine(),
        "gpu": vars(gpu),
        "tensorrt": tensorrt.__version__,
        "pycuda": pycuda.VERSION_TEXT,
        "cupy": cupy.__version__,
    }


def kernels() -> dict[str, Any]:
    """See gpu_check_kernels."""
    import gpu_check_kernels

    return gpu_check_kernels.check()


def build(model: Path, cache: str, size: tuple[int, int], batch: int = 1) -> dict[str, Any]:
    """Build, or find, the engine of one input size; fails if convolutions are in FP32."""
    config, key, _ = _request(model, cache, size, batch)
    start = time.perf_counter()
    find_engine(model, key, config, _progress)
    path = engine_path(cache_folder(config), model.stem, key)
    sidecar = json.loads(path.with_suffix(".json").read_text())
    facts = {name: sidecar[name] for name in ("build_seconds", "convolutions", "plan_bytes")}
    seconds = time.perf_counter() - start
    counts = sidecar["convolutions"]
    return {"seconds": seconds, **facts, "ok": counts["half"] > 0 and counts["float"] == 0}


def compare(model: Path, cache: str, size: tuple[int, int]) -> dict[str, Any]:
    """The engine against ONNX Runtime in single precision on the CPU, on procedural frames."""
    backend, config = _load(model, cache, size)
    found: dict[str, Any] = compare_backends(backend, OnnxRuntimeBackend(model), config, size)
    backend.close()
    return found


def times(model: Path, cache: str, size: tuple[int, int]) -> dict[str, Any]:
    """Every stage by the GPU's events and by the wall clock; one by one and overlapped."""
    backend, config = _load(model, cache, size)
    found = stage_times(backend, config, size)
    network = _against_floor(model, size, found["device_ms"]["inference"]["p50"])
    graph_error = backend.graph_error
    backend.close()
    return {**found, "network": network, "graph_error": graph_error, "ok": not graph_error}


def network(model: Path, cache: str, size: tuple[int, int]) -> dict[str, Any]:
    """The network alone, for one whose logits the partition cannot use."""
    backend, config = _load(model, cache, size)
    found = _against_floor(model, size, _network_ms(backend, config, size))
    graph_error = backend.graph_error
    backend.close()
    return {**found, "graph_error": graph_error, "ok": not graph_error}


def batches(model: Path, cache: str) -> dict[str, Any]:
    """Eight cameras of 512 x 1024 in one pass, and that they get what they get alone."""
    size = SIZES[0]
    found = build(model, cache, size, BATCH)
    backend, config = _load(model, cache, size, BATCH)
    pipeline = SsapPipeline(backend, config)
    images = [street_frames(size)[i % len(street_frames(size))] for i in range(BATCH)]
    same = worst_batch_agreement(pipeline, images)
    ms_per_image = {}
    for n in (1, 2, 4, BATCH):
        values = []
        for _ in range(NETWORK_RUNS):
            pipeline.predict(images[:n])
            values.append(backend.device_ms["inference"] / n)
        ms_per_image[n] = median(values)
    backend.close()
    good = found["ok"] and same >= 0.99
    return {**found, "label_agreement": same, "network_ms_per_image": ms_per_image, "ok": good}


def lifecycle(model: Path, cache: str) -> dict[str, Any]:
    """Load, run and close ten times; the free memory of the GPU after each."""
    import cupy

    free = []
    for _ in range(REBUILDS):
        backend, config = _load(model, cache, SIZES[0])
        SsapPipeline(backend, config)(street_frames(SIZES[0])[0])
        backend.close()
        free.append(cupy.cuda.runtime.memGetInfo()[0])
    return {"free_bytes": free, "ok": free[1] - free[-1] < 16 << 20}


def int8(model: Path, quantized: Path, cache: str, truth: tuple[Path, Path]) -> dict[str, Any]:
    """The average precision that the int8 engine loses against FP16, and the times of both.

    Args:
        model: The same in float.
        quantized: By `ssap export --int8`.
        cache: Folder for engines.
        truth: COCO file, and the folder of its images.

    Returns:
        AP per class, the loss, and milliseconds of the network at SCORED_SIZE.
    """
    from gpu_check_scores import mean_scores

    found, network_ms = {}, {}
    for name, path in (("fp16", model), ("int8", quantized)):
        backend, config = _load(path, cache, SCORED_SIZE)
        found[name] = mean_scores(backend, config, *truth)
        network_ms[name] = _network_ms(backend, config, SCORED_SIZE)
        backend.close()
    loss = {
        name: score - found["int8"][name]
        for name, score in found["fp16"].items()
        if score is not None
    }
    good = loss["person"] <= LARGEST_LOSS
    return {"AP": found, "loss": loss, "network_ms": network_ms, "ok": good}


def sanitizer(seconds: float) -> dict[str, Any]:
    """The kernels on small maps under compute-sanitizer's eyes."""
    return memcheck([sys.executable, str(HERE / "gpu_check_kernels.py")], seconds)


def _network_ms(backend: Any, config: SsapConfig, size: tuple[int, int]) -> float:
    tensor, _ = backend.preprocess(street_frames(size)[:1], max(size))
    levels = backend.info.levels_from(config.initial_level)
    values = []
    for _ in range(NETWORK_RUNS):
        backend.infer(tensor, levels)
        values.append(backend.device_ms["inference"])
    return median(values)


def _against_floor(model: Path, size: tuple[int, int], ms: float) -> dict[str, float]:
    flops = conv_flops(model.read_bytes(), size)
    floor_ms = 1e3 * flops / PEAK_FLOPS
    return {"ms": ms, "gflop": flops / 1e9, "floor_ms": floor_ms, "times_floor": ms / floor_ms}


def _request(model: Path, cache: str, size: tuple[int, int], batch: int) -> tuple[Any, Any, Any]:
    import tensorrt

    config = SsapConfig(
        model_file_path=str(model), backend="tensorrt", engine_cache_dir=cache, max_batch=batch
    )
    gpu = choose_backend(config).gpu
    content = model.read_bytes()
    info = read_info(content, model)
    assert gpu is not None
    return config, engine_key(content, info, config, gpu, tensorrt.__version__, size), info


def _load(model: Path, cache: str, size: tuple[int, int], batch: int = 1) -> tuple[Any, SsapConfig]:
    from ssap_ros.backends.tensorrt.backend import TensorRTBackend

    config, key, info = _request(model, cache, size, batch)
    plan = find_engine(model, key, config, _progress)
    return TensorRTBackend(plan, info, config.gpu_id, size), config


_last_report = ""


def _progress(text: str) -> None:
    """Report how it goes on, without the seconds that a build counts."""
    global _last_report
    words = text.partition(",")[0]
    if words != _last_report:
        log(text)
    _last_report = words


def _written(model: Path) -> Path:
    """The file, once the process that writes it is done with it. Raises FileNotFoundError."""
    end = time.monotonic() + RESNET_SECONDS
    while not model.is_file() and time.monotonic() < end:
        time.sleep(0.2)
    if not model.is_file():
        raise FileNotFoundError(f"{model} was not written in {RESNET_SECONDS} s")
    return model


def plan(report: Report, street: Path, options: argparse.Namespace) -> dict[str, Part]:
    """All parts, the most wanted first: one engine is enough to see that everything works."""
    resnet, cache = options.resnet50, options.cache
    parts: dict[str, Part] = {"machine": machine}
    for size in SIZES:
        where = f"street {size[0]}x{size[1]}"
        parts[f"build {where}"] = lambda s=size: build(street, cache, s)  # type: ignore[misc]
        parts[f"compare {where}"] = lambda s=size: compare(street, cache, s)  # type: ignore[misc]
        parts[f"times {where}"] = lambda s=size: times(street, cache, s)  # type: ignore[misc]
    parts["lifecycle"] = lambda: lifecycle(street, cache)
    for size in SIZES if resnet else ():
        where = f"resnet50 {size[0]}x{size[1]}"
        parts[f"build {where}"] = lambda s=size: build(_written(resnet), cache, s)  # type: ignore[misc]
        parts[f"network {where}"] = lambda s=size: network(_written(resnet), cache, s)  # type: ignore[misc]
    if options.int8:
        truth = options.annotations, options.images
        parts["build int8"] = lambda: build(options.int8, cache, SCORED_SIZE)
        parts["int8"] = lambda: int8(street, options.int8, cache, truth)
    parts["batches"] = lambda: batches(street, cache)
    parts["kernels"] = kernels
    parts["sanitizer"] = lambda: sanitizer(min(SANITIZER_SECONDS, report.seconds_left))
    return parts


def main() -> int:
    """Run the parts asked for; 0 if all of them went well."""
    parser = report_parser(__doc__, REPORT_SECONDS)
    parser.add_argument("--cache", required=True, help="folder for engines")
    parser.add_argument(
        "--resnet50", type=Path, help="ONNX model with a ResNet-50, to be waited for"
    )
    parser.add_argument("--int8", type=Path, help="the default model by `ssap export --int8`")
    parser.add_argument(
        "--annotations", type=Path, help="COCO file that the int8 model is scored on"
    )
    parser.add_argument("--images", type=Path, help="folder of its images")
    options = parser.parse_args()
    if options.int8 and not (options.annotations and options.images):
        parser.error("--int8 needs --annotations and --images")
    try:
        choose_backend(SsapConfig(backend="tensorrt"))
    except DeviceError as error:
        print(f"gpu_check: error: {error}", file=sys.stderr)
        return 1
    report = Report(options.json, options.seconds)
    parts = plan(report, default_model_path(), options)
    report.run(chosen(parts, options.parts))
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())
