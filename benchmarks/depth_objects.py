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

"""Times of what the depth node makes of a frame: 20 objects at 1280x720, one core.

    python benchmarks/depth_objects.py [--json benchmarks/results/depth_objects.json]

`objects` finds the boxes, of which `detections_3d` and `markers` are then made; every other line
is an output with its message. `all four` makes them in one go, from the depth image on. The scene
is cast ray by ray, so that the true boxes, and the errors of the found ones, are known.
"""

from __future__ import annotations

import argparse
import datetime
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from sensor_msgs.msg import Image, PointCloud2
from std_msgs.msg import Header

from ssap_ros.common.outputs import write_json
from ssap_ros.messages import depth_image, detections
from ssap_ros.messages.space import Labelled, detections_3d, markers, point_cloud, point_table
from ssap_ros.replay.review.environment import describe_environment
from ssap_ros.stages.depth import (
    CameraRays,
    Object3D,
    depth_in_metres,
    locate,
    surface_rows,
    without_classes,
)

SIZE, RUNS = (720, 1280), 50
K = (900.0, 0.0, 640.0, 0.0, 900.0, 360.0, 0.0, 0.0, 1.0)


def boxes() -> list[Any]:
    """Ten people in front, ten cars behind them, which they partly hide."""
    from support.depth_scenes import Box

    rng = np.random.default_rng(0)
    people = [
        Box((0.9 * k - 4, 0.6, 8 + float(rng.uniform(-1, 1))), (0.5, 1.8, 0.4), class_id=1)
        for k in range(10)
    ]
    cars = [
        Box((2.6 * k - 11.7, 0.8, 20 + float(rng.uniform(-0.5, 0.5))), (4.2, 1.4, 1.8),
            float(rng.uniform(1.45, 1.7)), class_id=3)
        for k in range(10)
    ]  # fmt: skip
    return people + cars


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    cv2.setNumThreads(1)

    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "test"))
    from support.depth_scenes import render

    truth = boxes()
    scene = render(truth, SIZE, K)
    rays = CameraRays(K, SIZE)
    millimetres = np.round(1000 * scene.depth).astype(np.uint16)
    metres = depth_in_metres(millimetres)
    header = Header(frame_id="camera")
    labelled = Labelled.of(detections(header, scene.instances).detections)
    names = ["object"] * len(truth)

    def objects() -> list[Object3D]:
        return locate(scene.labels, labelled.boxes, metres, rays)

    def points() -> PointCloud2:
        return point_cloud(header, surface_rows(scene.labels, metres, rays, point_table(labelled)))

    def static() -> Image:
        kept = without_classes(millimetres, scene.labels, labelled.class_ids, {1}, 5)
        return depth_image(header, kept)

    def all_four() -> list[object]:
        nonlocal metres
        metres = depth_in_metres(millimetres)
        found = objects()
        boxes = detections_3d(header, found, labelled), markers(header, found, labelled, names)
        return [*boxes, points(), static()]

    found = objects()
    parts: dict[str, Callable[[], object]] = {
        "depth in metres": lambda: depth_in_metres(millimetres),
        "objects": objects,
        "detections_3d": lambda: detections_3d(header, found, labelled),
        "markers": lambda: markers(header, found, labelled, names),
        "points": points,
        "depth/static": static,
        "all four": all_four,
    }
    times = {}
    for name, part in parts.items():
        taken = []
        for _ in range(RUNS):
            start = time.process_time_ns()
            part()
            taken.append((time.process_time_ns() - start) * 1e-6)
        low, middle, high = np.percentile(taken, (0, 50, 95))
        times[name] = {"min_ms": low.round(3), "p50_ms": middle.round(3), "p95_ms": high.round(3)}
        print(f"{name:16} {low:8.2f} {middle:8.2f} {high:8.2f} ms of CPU (least, p50, p95)")
    offset = [np.array(truth[o.label - 1].centre) - o.centre for o in found]
    people = [np.linalg.norm(d) for d, o in zip(offset, found, strict=True) if o.label <= 10]
    cars = [np.linalg.norm(d) for d, o in zip(offset, found, strict=True) if o.label > 10]
    errors = {"people_m": float(np.median(people)), "cars_m": float(np.median(cars))}
    print(f"{len(found)} of {len(truth)} placed; median error of the true centre: {errors}")
    if options.json:
        write_json(
            options.json,
            {
                "size": f"{SIZE[1]}x{SIZE[0]}",
                "objects": len(truth),
                "placed": len(found),
                "runs": RUNS,
                "clock": "CPU time of the process, one core",
                "times": times,
                "median_centre_error": errors,
                "date": f"{datetime.date.today()}",
                "environment": describe_environment(),
            },
        )  # fmt: skip


if __name__ == "__main__":
    main()
