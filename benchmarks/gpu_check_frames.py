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

"""A backend on procedural street frames: against another backend, and against the clock."""

from __future__ import annotations

import threading
import time
from functools import cache
from typing import Any

import numpy as np
from gpu_check_compare import agreement, relative_error, same_pixels
from gpu_report import percentiles

from ssap_ros.config import SsapConfig
from ssap_ros.data.scenes.street import street_scene
from ssap_ros.node.queue import FrameQueue, Outcome
from ssap_ros.node.worker import FrameWorker, segmenting_threads
from ssap_ros.pipeline import Prediction, SsapPipeline
from ssap_ros.types import FrameResult, ImageArray

FRAMES, RUNS, WARM_UPS = 4, 200, 20


@cache
def street_frames(size: tuple[int, int]) -> list[ImageArray]:
    """Images (height, width, 3) of one size."""
    return [street_scene(seed, size).image for seed in range(FRAMES)]


def compare(backend: Any, reference: Any, config: SsapConfig, size: tuple[int, int]) -> Any:
    """Logits and labels of a backend that has `fetch` against those of ONNX Runtime in FP32."""
    reference.info = backend.info
    levels = backend.info.levels_from(config.initial_level)
    errors, classes, labels = {}, [], []
    for frame in street_frames(size)[:2]:
        ours, theirs = (SsapPipeline(b, config) for b in (backend, reference))
        [got] = backend.fetch(backend.infer(backend.preprocess([frame], max(size))[0], levels))
        [expected] = reference.infer(reference.preprocess([frame], max(size))[0], levels)
        for kind in ("semantic", "affinities"):
            pairs = zip(levels, getattr(got, kind), getattr(expected, kind), strict=True)
            for level, a, b in pairs:
                name = f"{kind}_{level}"
                errors[name] = max(errors.get(name, 0.0), relative_error(a, b))
        classes.append(agreement(got.semantic[0], expected.semantic[0]))
        labels.append(same_pixels(ours(frame).labels, theirs(frame).labels))
    return {
        "relative_error": errors,
        "class_agreement": min(classes),
        "label_agreement": min(labels),
        "ok": max(errors.values()) < 2e-2 and min(classes) >= 0.99 and min(labels) >= 0.99,
    }


def stage_times(backend: Any, config: SsapConfig, size: tuple[int, int]) -> dict[str, Any]:
    """Measure every stage, frame by frame.

    Returns:
        Milliseconds by the GPU's events and by the wall clock, and the frames per second where one
        is predicted while others are segmented, as in the node.
    """
    pipeline, frames = SsapPipeline(backend, config), street_frames(size)
    device: dict[str, list[float]] = {}
    wall: dict[str, list[float]] = {}
    for run in range(-WARM_UPS, RUNS):
        start = time.perf_counter()
        result = pipeline(frames[run % len(frames)])
        total = 1e3 * (time.perf_counter() - start)
        if run >= 0:
            for name, value in backend.device_ms.items():
                device.setdefault(name, []).append(value)
            for name, value in {**result.stage_ms, "total": total}.items():
                wall.setdefault(name, []).append(value)
    return {
        "device_ms": {name: percentiles(values) for name, values in device.items()},
        "wall_ms": {name: percentiles(values) for name, values in wall.items()},
        "overlapped_frames_per_s": overlapped_rate(pipeline, frames),
    }


def overlapped_rate(pipeline: SsapPipeline, frames: list[ImageArray]) -> float:
    """Frames per second through the node's worker, which predicts one while it segments others."""
    queue: FrameQueue[Any] = FrameQueue([""], "every")
    room = threading.Semaphore(2)
    errors: list[Exception] = []
    worker: FrameWorker[Any, Prediction, FrameResult] = FrameWorker(
        queue,
        lambda batch: pipeline.predict([frame for _, frame in batch]),
        pipeline.segment,
        lambda _: Outcome.PROCESSED,
        errors.append,
        room.release,
    )
    worker.start(segmenting=segmenting_threads())
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


def worst_batch_agreement(pipeline: SsapPipeline, images: list[ImageArray]) -> float:
    """How many pixels carry the same object where images are predicted together and one by one."""
    alone = [pipeline(image).labels for image in images]
    together = [pipeline.segment(prediction).labels for prediction in pipeline.predict(images)]
    return min(same_pixels(a, b) for a, b in zip(alone, together, strict=True))


def median(values: list[float]) -> float:
    """As a plain number."""
    return float(np.median(values))
