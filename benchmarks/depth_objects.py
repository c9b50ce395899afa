"""Times of what is made of masks and depth: 20 objects at 1280x720, one core.

    python benchmarks/depth_objects.py [--json benchmarks/results/depth_objects.json]

The scene is cast ray by ray, so that the true boxes, and the errors of the found ones, are known.
"""

from __future__ import annotations

import argparse
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ssap_ros.common.outputs import write_json
from ssap_ros.stages.depth import (
    CameraRays,
    depth_in_metres,
    locate,
    surface_points,
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
    class_ids = [instance.class_id for instance in scene.instances]
    parts: dict[str, Callable[[], object]] = {
        "depth_in_metres": lambda: depth_in_metres(millimetres),
        "detections_3d": lambda: locate(scene.labels, scene.boxes, metres, rays),
        "static_depth": lambda: without_classes(millimetres, scene.labels, class_ids, {1}, 5),
        "points": lambda: surface_points(scene.labels, metres, rays),
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
    found = locate(scene.labels, scene.boxes, metres, rays)
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
                "machine": platform.processor() or platform.machine(),
                "versions": {"python": platform.python_version(), "numpy": np.__version__,
                             "opencv": cv2.__version__},
            },
        )  # fmt: skip


if __name__ == "__main__":
    main()
