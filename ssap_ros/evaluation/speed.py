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

"""How fast the pipeline is on this machine, backend by backend."""

from __future__ import annotations

import dataclasses
import resource
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context

from ssap_ros.backends import choose_backend, load_backend
from ssap_ros.common.statistics import percentiles
from ssap_ros.config import SsapConfig
from ssap_ros.errors import DeviceError
from ssap_ros.pipeline import STAGES, SsapPipeline
from ssap_ros.types import ImageArray

_WARM_UP = 3  # frames; the first ones allocate
BACKENDS = tuple(
    name
    for field in dataclasses.fields(SsapConfig)
    if field.name == "backend"
    for name in field.metadata["choices"]
    if name != "auto"
)


@dataclass(frozen=True)
class Speed:
    """One backend on one set of images.

    Attributes:
        backend: What ran the network.
        frames: How many were measured.
        frames_per_s: Of one image after the other.
        memory_mb: Most memory that the process ever held, model and runtime included.
        stage_ms: p50, p95 and p99 by stage; `total` is all of them.
    """

    backend: str
    frames: int
    frames_per_s: float
    memory_mb: float
    stage_ms: dict[str, dict[str, float | None]]


def why_not(config: SsapConfig) -> str:
    """Why `config.backend` cannot run on this machine; empty if it can."""
    try:
        choose_backend(config)
    except DeviceError as error:
        return str(error)
    return ""


def measure_pipeline(images: Sequence[ImageArray], config: SsapConfig, frames: int) -> Speed:
    """Run the images in turn through the pipeline, in a process of their own.

    Args:
        images: uint8 (H, W, 3) RGB.
        config: The settings, `backend` among them.
        frames: How many to measure.

    Returns:
        Times, memory and what ran the network.

    Raises:
        ModelError: The model is missing or incompatible.
        DeviceError: The backend cannot run here.
    """
    with ProcessPoolExecutor(1, get_context("spawn")) as process:
        return process.submit(_measure, list(images), config, frames).result()


def _measure(images: list[ImageArray], config: SsapConfig, frames: int) -> Speed:
    backend = load_backend(config)
    try:
        pipeline = SsapPipeline(backend, config)
        for index in range(_WARM_UP):
            pipeline(images[index % len(images)])
        times: dict[str, list[float]] = {stage: [] for stage in (*STAGES, "total")}
        start_s = time.perf_counter()
        for index in range(frames):
            stage_ms = pipeline(images[index % len(images)]).stage_ms
            for stage in STAGES:
                times[stage].append(stage_ms[stage])
            times["total"].append(sum(stage_ms.values()))
        seconds = time.perf_counter() - start_s
        return Speed(
            backend.name,
            frames,
            round(frames / seconds, 2),
            round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
            {stage: percentiles(values) for stage, values in times.items()},
        )
    finally:
        backend.close()
