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

"""ONNX -> TensorRT engine file, by TensorRT 8.5 to 11, in a process of its own.

A build takes from half a minute to many minutes, may crash and leaves memory behind. As a process
it can be waited for without standing still, and be stopped. It is started by `build_engine` as
`python -m ssap_ros.backends.tensorrt.builder JOB.json`.
"""

from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ssap_ros.backends.base import ModelError, OnProgress
from ssap_ros.backends.tensorrt.cache import EngineKey, write_atomically, write_engine

FLAGS = "edge mask and JIT convolutions only, types obeyed"
"""The build settings that are the same for every engine, as they stand in its key."""

_PR_SET_PDEATHSIG = 1
_WORKSPACE_BYTES = 2 << 30
_HALF, _SINGLE = ("half", "fp16"), ("float", "fp32")


@dataclass(frozen=True)
class BuildJob:
    """What to build, from which ONNX file, where to, and on which GPU."""

    model: str
    engine: str
    gpu_id: int
    key: EngineKey


def build_engine(job: BuildJob, lock: int, on_progress: OnProgress) -> None:
    """Build in a child process and wait for it. Whatever `on_progress` raises stops the child.

    Args:
        job: What to build.
        lock: File descriptor that the child inherits, so that a lock lives as long as it.
        on_progress: Called with how the build goes on.

    Raises:
        ModelError: The child failed; the message has its last words.
    """
    package = str(Path(__file__).resolve().parents[3])
    paths = os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")]))
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file, tempfile.TemporaryFile() as log:
        json.dump(dataclasses.asdict(job), file)
        file.flush()
        start = time.monotonic()
        child = subprocess.Popen(
            [sys.executable, "-m", __name__, file.name],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=(lock,),
            env={
                **os.environ,
                "PYTHONPATH": paths,
                "CUDA_VISIBLE_DEVICES": visible_device(job.gpu_id),
            },
        )
        try:
            while child.poll() is None:
                on_progress(f"building engine, {time.monotonic() - start:.0f} s")
                with contextlib.suppress(subprocess.TimeoutExpired):
                    child.wait(timeout=1)
        finally:
            if child.poll() is None:
                child.kill()
                child.wait()
        if child.returncode != 0:
            log.seek(0)
            lines = log.read().decode(errors="replace").strip().splitlines()
            reason = lines[-1] if lines else "it said nothing"
            if child.returncode < 0:
                reason = f"the builder was ended by signal {-child.returncode}; last: {reason}"
            raise ModelError(f"no engine could be built from {job.model}: {reason}")


def visible_device(gpu_id: int) -> str:
    """What CUDA_VISIBLE_DEVICES must be for a child that is to see this GPU alone, as its first."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    return visible.split(",")[gpu_id].strip() if visible else str(gpu_id)


def run(job: BuildJob) -> None:
    """Build here and now, on the first GPU.

    Raises:
        ModelError: TensorRT refuses the model.
    """
    import tensorrt as trt

    from ssap_ros.backends.tensorrt.driver import probe
    from ssap_ros.backends.tensorrt.portable_onnx import portable_onnx

    probe()
    key, model = job.key, Path(job.model)
    network = portable_onnx(
        model.read_bytes(), half=key.precision == "fp16", any_batch=key.max_shape[0] > 1
    )
    timing_cache = Path(job.engine).parent / "timing-{}-{}.cache".format(
        key.tensorrt, "".join(c if c.isalnum() else "_" for c in key.gpu)
    )
    timings = timing_cache.read_bytes() if timing_cache.is_file() else b""
    start = time.monotonic()
    plan, timings = build_plan(trt, network, key, timings)
    seconds = time.monotonic() - start
    precisions = layer_precisions(trt, plan)
    if key.precision == "fp16" and _has(trt, "STRONGLY_TYPED"):  # else the flags say it
        check_half(precisions)
    with contextlib.suppress(OSError):
        write_atomically(timing_cache, timings)
    details = {"model": str(model), "build_seconds": round(seconds, 1), "convolutions": precisions}
    write_engine(Path(job.engine), plan, key, details)


def build_plan(trt: Any, network: bytes, key: EngineKey, timings: bytes) -> tuple[bytes, bytes]:
    """Build the engine of an ONNX model.

    Args:
        trt: The module tensorrt.
        network: Content of the ONNX file.
        key: Of the engine.
        timings: What was learnt about the GPU's speed before, empty at first.

    Returns:
        The serialised engine, and what is known about the GPU's speed now.

    Raises:
        ModelError: TensorRT refuses the model, with its reason.
    """
    logger = make_logger(trt)
    builder = trt.Builder(logger)
    definition = builder.create_network(
        sum(
            1 << int(getattr(trt.NetworkDefinitionCreationFlag, flag))
            for flag in ("EXPLICIT_BATCH", "STRONGLY_TYPED")
            if _has(trt, flag)
        )
    )
    parser = trt.OnnxParser(definition, logger)
    if not parser.parse(network):
        errors = [parser.get_error(i).desc() for i in range(parser.num_errors)]
        raise ModelError(f"TensorRT {trt.__version__} cannot read it: {'; '.join(errors)}")
    config = builder.create_builder_config()
    config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, _WORKSPACE_BYTES)
    config.avg_timing_iterations = 1
    config.profiling_verbosity = trt.ProfilingVerbosity.DETAILED
    sources = (trt.TacticSource.EDGE_MASK_CONVOLUTIONS, trt.TacticSource.JIT_CONVOLUTIONS)
    config.set_tactic_sources(sum(1 << int(source) for source in sources))
    attempts: list[Any] = [None]
    if key.precision == "fp32":
        config.clear_flag(trt.BuilderFlag.TF32)
    elif key.precision == "int8":
        if not _has(trt, "STRONGLY_TYPED"):
            config.set_flag(trt.BuilderFlag.INT8)
            config.set_flag(trt.BuilderFlag.FP16)
    elif not _has(trt, "STRONGLY_TYPED"):  # left to itself it takes FP32 where that is faster
        config.set_flag(trt.BuilderFlag.FP16)
        for layer in (definition.get_layer(i) for i in range(definition.num_layers)):
            if layer.type == trt.LayerType.CONVOLUTION:
                layer.precision = trt.DataType.HALF
        flags = trt.BuilderFlag
        attempts = [flags.OBEY_PRECISION_CONSTRAINTS, flags.PREFER_PRECISION_CONSTRAINTS]
    profile = builder.create_optimization_profile()
    profile.set_shape("image", key.min_shape, key.opt_shape, key.max_shape)
    if config.add_optimization_profile(profile) < 0:
        raise ModelError(f"the model does not take inputs from {key.min_shape} to {key.max_shape}")
    for content in (timings, b""):  # what is outdated or damaged is not taken
        cache = config.create_timing_cache(content)
        if cache is not None and config.set_timing_cache(cache, ignore_mismatch=False):
            break
    plan = None
    for constraint in attempts:
        logger.errors.clear()
        if constraint is not None:
            config.set_flag(constraint)
        plan = builder.build_serialized_network(definition, config)
        if plan is not None:
            break
        if constraint is not None:
            config.clear_flag(constraint)
    if plan is None:
        raise ModelError(f"TensorRT {trt.__version__} failed: {'; '.join(logger.errors)}")
    return bytes(plan), bytes(config.get_timing_cache().serialize())


def layer_precisions(trt: Any, plan: bytes) -> dict[str, int]:
    """How many convolutions of an engine compute in "half", "float" or an "other" precision.

    Args:
        trt: The module tensorrt.
        plan: The serialised engine.

    Returns:
        The counts; all are 0 where the engine inspector's report is no JSON, which is no reason to
        lose what took minutes to build.

    Raises:
        ModelError: The engine cannot be loaded.
    """
    logger = make_logger(trt)
    runtime = trt.Runtime(logger)
    engine = runtime.deserialize_cuda_engine(plan)
    if engine is None:
        raise ModelError(f"the new engine cannot be loaded: {'; '.join(logger.errors)}")
    inspector = engine.create_engine_inspector()
    report = inspector.get_engine_information(trt.LayerInformationFormat.JSON)
    try:
        layers = json.loads(report, strict=False)  # TensorRT 8.6 parts names by a control character
    except ValueError:
        layers = {"Layers": []}
    return count_precisions(layers)


def count_precisions(report: dict[str, Any]) -> dict[str, int]:
    """`layer_precisions` from the engine inspector's report."""
    counts = {"half": 0, "float": 0, "other": 0}
    for layer in report["Layers"]:
        if not isinstance(layer, dict):  # names alone
            continue
        kind = f"{layer.get('LayerType', '')} {layer.get('ParameterType', '')}".lower()
        if "conv" not in kind:
            continue
        weights = layer.get("Weights")
        types = [weights["Type"]] if isinstance(weights, dict) and "Type" in weights else []
        types += [tensor.get("Format/Datatype", "") for tensor in layer.get("Inputs", ())[:1]]
        text = " ".join(types).lower()
        if any(name in text for name in _SINGLE):
            counts["float"] += 1
        elif any(name in text for name in _HALF):
            counts["half"] += 1
        else:
            counts["other"] += 1
    return counts


def check_half(precisions: dict[str, int]) -> None:
    """Make sure that convolutions are in half precision where that was asked for.

    Those that TensorRT's report does not show under that name are no reason to doubt.

    Raises:
        ModelError: Some are in single precision.
    """
    if precisions["float"] + precisions["other"]:
        raise ModelError(f"the convolutions of the engine are not all FP16: {precisions}")


def make_logger(trt: Any) -> Any:
    """A TensorRT logger that keeps the errors, in `errors`, and is silent about the rest."""

    class Logger(trt.ILogger):  # type: ignore[misc]
        def __init__(self) -> None:
            trt.ILogger.__init__(self)
            self.errors: list[str] = []

        def log(self, severity: Any, message: str) -> None:
            if severity in (trt.ILogger.ERROR, trt.ILogger.INTERNAL_ERROR):
                self.errors.append(" ".join(message.split()))

    return Logger()


def _has(trt: Any, flag: str) -> bool:
    return hasattr(trt.NetworkDefinitionCreationFlag, flag)


def main() -> int:
    """Run the job in the file named on the command line; errors end in one last line."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)  # once nobody waits, it ends
    fields = json.loads(Path(sys.argv[1]).read_text())
    key: dict[str, Any] = {
        k: tuple(v) if isinstance(v, list) else v for k, v in fields.pop("key").items()
    }
    job = BuildJob(**fields, key=EngineKey(**key))
    try:
        run(job)
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        print(" ".join(f"{type(error).__name__}: {error}".split()), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
